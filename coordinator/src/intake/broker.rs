//! How the broker is spoken to: certificates, password and limits, read anew for each try, so that what was renewed on
//! disk counts from the next connection on. No secret leaves it but towards the broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::tokio_rustls::rustls::crypto::ring;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rumqttc::tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::v5::ConnectProperties;
use rumqttc::{TlsConfiguration, Transport};

use crate::config::Mqtt;

/// A broker that takes longer to let somebody in does not work.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the connection may be silent. Answers to pings wait behind everything that the broker has kept, so it is not
/// short; that the broker is gone is told by the connection itself, and that a coordinator is, by the database.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Commands on their way at once.
const OUTGOING: u16 = 100;

/// Why the broker cannot be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// None is set.
    #[error("mqtt.url names no broker")]
    Nowhere,
    /// A file cannot be read.
    #[error("cannot read {setting} {}: {source}", path.display())]
    Read {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} {} holds no {} in PEM", .0, .1.display(), .2)]
    Empty(&'static str, PathBuf, &'static str),
    /// Certificate and key do not fit.
    #[error("mqtt.client_certificate and mqtt.client_key do not fit: {0}")]
    Pair(rustls::Error),
}

/// Everything a connection needs. Reads files.
///
/// # Errors
/// A file that the settings name cannot be used.
pub(super) fn options(settings: &Mqtt) -> Result<MqttOptions, Trouble> {
    let place = settings.url.get().ok_or(Trouble::Nowhere)?;
    let mut options = MqttOptions::new(&settings.client_id, &place.host, place.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
    options.set_clean_start(false);
    options.set_manual_acks(true);
    options.set_outgoing_inflight_upper_limit(OUTGOING);
    let expiry = settings.session_expiry.get().as_secs();
    options.set_connect_properties(ConnectProperties {
        session_expiry_interval: Some(u32::try_from(expiry).unwrap_or(u32::MAX)),
        receive_maximum: Some(settings.window),
        max_packet_size: Some(settings.max_packet_kib.saturating_mul(1_024)),
        ..ConnectProperties::new()
    });
    if !settings.user.is_empty() {
        options.set_credentials(&settings.user, password(settings)?);
    }
    if place.tls {
        let tls = TlsConfiguration::Rustls(Arc::new(tls(settings)?));
        options.set_transport(Transport::tls_with_config(tls));
    }
    Ok(options)
}

fn password(settings: &Mqtt) -> Result<String, Trouble> {
    let path = match settings.password_file.as_str() {
        "" => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
            let path = folder.map(|folder| Path::new(&folder).join("mqtt-password"));
            match path.filter(|path| path.is_file()) {
                Some(path) => path,
                None => return Ok(String::new()),
            }
        }
        path => PathBuf::from(path),
    };
    let text = std::fs::read_to_string(&path).map_err(|source| Trouble::Read {
        setting: "mqtt.password_file",
        path,
        source,
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn tls(settings: &Mqtt) -> Result<ClientConfig, Trouble> {
    let mut roots = RootCertStore::empty();
    // A list of authorities may hold some that are too odd to be read; the others count.
    roots.add_parsable_certificates(certificates("mqtt.ca_file", &settings.ca_file)?);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Trouble::Pair)?
        .with_root_certificates(roots);
    if settings.client_certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let chain = certificates("mqtt.client_certificate", &settings.client_certificate)?;
    let text = bytes("mqtt.client_key", &settings.client_key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| {
        let path = PathBuf::from(&settings.client_key);
        Trouble::Empty("mqtt.client_key", path, "private key")
    })?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(Trouble::Pair)
}

fn certificates(
    setting: &'static str,
    path: &str,
) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let text = bytes(setting, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Trouble::Empty(setting, path.into(), "certificate")),
    }
}

fn bytes(setting: &'static str, path: &str) -> Result<Vec<u8>, Trouble> {
    std::fs::read(path).map_err(|source| Trouble::Read {
        setting,
        path: path.into(),
        source,
    })
}
