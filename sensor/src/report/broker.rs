//! How the broker is spoken to: certificates, password and limits, read anew for each try, so that what was renewed on
//! disk counts from the next connection on. It opens no connection, and no secret leaves it but towards the broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::tokio_rustls::rustls::crypto::ring;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rumqttc::tokio_rustls::rustls::{ClientConfig, RootCertStore};
use rumqttc::v5::MqttOptions;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, LastWill};
use rumqttc::{TlsConfiguration, Transport};

use super::error::{BrokerError, Place};
use contract::topics::Topics;
use settings::{FilePath, Maybe, Scheme};

/// A broker that takes longer to let somebody in does not work.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the broker keeps commands for us while we are away: none is valid for longer than a day.
const SESSION_EXPIRY: u32 = 86_400;
/// Packets to us, bytes: a command takes some hundred. Announced to the broker, which keeps larger ones to itself.
const MAX_INCOMING: u32 = 64 * 1_024;
/// Commands the broker sends before we have acknowledged the first.
const RECEIVE_MAXIMUM: u16 = 16;
/// Packets beside those of the outbox: replies, the status, a subscription.
pub(super) const RESERVE: usize = 64;

/// The broker of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    settings: settings::Report,
    url: settings::BrokerUrl,
    place: Place,
}

impl Broker {
    /// The broker of `[report]`; nothing where none is configured.
    pub(super) fn new(settings: &settings::Report, topics: &Topics) -> Option<Self> {
        let url = settings.url.get()?.clone();
        let place = Place {
            at: format!("{}:{}", url.host(), url.port()),
            ca: settings.ca_file.to_path_buf(),
            client: format!("garita-{}-{}", topics.site(), topics.sensor()),
        };
        Some(Self {
            settings: settings.clone(),
            url,
            place,
        })
    }

    /// Where it is.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Where its host listens, and how a connection there is made private; nothing where it is not. Reads files.
    pub(super) fn door(&self) -> Result<(&str, u16, Option<ClientConfig>), BrokerError> {
        let tls = match self.url.scheme() {
            Scheme::Tls => Some(self.tls()?),
            _ => None,
        };
        Ok((self.url.host(), self.url.port(), tls))
    }

    /// What a connection needs that only tries whether the broker lets us in, and leaves nothing there. Reads files.
    pub(super) fn trial(&self) -> Result<MqttOptions, BrokerError> {
        let mut options = self.plain()?;
        options.set_clean_start(true);
        Ok(options)
    }

    /// The settings it was made from.
    pub(super) const fn settings(&self) -> &settings::Report {
        &self.settings
    }

    /// Everything a connection needs, with `will` published for us if it breaks. Reads files.
    pub(super) fn options(&self, will: LastWill) -> Result<MqttOptions, BrokerError> {
        let mut options = self.plain()?;
        options.set_last_will(will);
        // Commands that were sent while we were away are still delivered; each says until when it counts.
        options.set_clean_start(false);
        options.set_connect_properties(ConnectProperties {
            session_expiry_interval: Some(SESSION_EXPIRY),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            max_packet_size: Some(MAX_INCOMING),
            ..ConnectProperties::new()
        });
        let window = self.settings.inflight.size() + RESERVE;
        options.set_outgoing_inflight_upper_limit(u16::try_from(window).unwrap_or(u16::MAX));
        Ok(options)
    }

    /// Where, as whom and how, and nothing about what is to be said.
    fn plain(&self) -> Result<MqttOptions, BrokerError> {
        let mut options = MqttOptions::new(&self.place.client, self.url.host(), self.url.port());
        options.set_keep_alive(self.settings.keep_alive.get());
        options.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
        if let Some((user, password)) = self.login()? {
            options.set_credentials(user, password);
        }
        if self.url.scheme() == Scheme::Tls {
            let tls = TlsConfiguration::Rustls(Arc::new(self.tls()?));
            options.set_transport(Transport::tls_with_config(tls));
        }
        Ok(options)
    }

    /// Whether the files that the settings name can be used; whether the broker likes them, only it can say.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        self.login()?;
        if self.url.scheme() == Scheme::Tls {
            self.tls()?;
        }
        Ok(())
    }

    fn login(&self) -> Result<Option<(String, String)>, BrokerError> {
        let file = Named::new(
            "report.password_file",
            &self.settings.password_file,
            "mqtt-password",
        );
        let user = self.settings.user.get();
        match (user, file) {
            (None, None) => Ok(None),
            // A credential that was handed to the service for a user who is not named says nothing.
            (None, Some(file)) if file.implied => Ok(None),
            (None, Some(_)) => Err(BrokerError::NoUser),
            (Some(user), None) => Ok(Some((user.as_str().to_owned(), String::new()))),
            (Some(user), Some(file)) => {
                let read = std::fs::read_to_string(&file.path);
                let password = read.map_err(|source| file.unread(source))?;
                let password = password.strip_suffix('\n').unwrap_or(&password);
                let password = password.strip_suffix('\r').unwrap_or(password);
                Ok(Some((user.as_str().to_owned(), password.to_owned())))
            }
        }
    }

    fn tls(&self) -> Result<ClientConfig, BrokerError> {
        let ca = Named {
            setting: "report.ca_file",
            path: self.settings.ca_file.to_path_buf(),
            implied: false,
        };
        let mut roots = RootCertStore::empty();
        // A list of authorities may hold some that are too odd to be read; the others count.
        roots.add_parsable_certificates(ca.certificates()?);
        if roots.is_empty() {
            return Err(ca.empty("certificate"));
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(BrokerError::Pair)?
            .with_root_certificates(roots);
        let certificate = Named::new(
            "report.client_certificate",
            &self.settings.client_certificate,
            "mqtt-client.crt",
        );
        let key = Named::new(
            "report.client_key",
            &self.settings.client_key,
            "mqtt-client.key",
        );
        match (certificate, key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(certificate), Some(key)) => {
                let chain = certificate.certificates()?;
                builder
                    .with_client_auth_cert(chain, key.key()?)
                    .map_err(BrokerError::Pair)
            }
            _ => Err(BrokerError::HalfPair),
        }
    }
}

/// A file that a setting names, or a credential of systemd's that stands for it.
struct Named {
    setting: &'static str,
    path: PathBuf,
    /// Whether it is a credential that nobody has named.
    implied: bool,
}

impl Named {
    fn new(setting: &'static str, said: &Maybe<FilePath>, credential: &str) -> Option<Self> {
        if let Some(path) = said.get() {
            let path = path.to_path_buf();
            return Some(Self {
                setting,
                path,
                implied: false,
            });
        }
        let folder = std::env::var_os("CREDENTIALS_DIRECTORY")?;
        let path = Path::new(&folder).join(credential);
        path.is_file().then_some(Self {
            setting,
            path,
            implied: true,
        })
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, BrokerError> {
        let text = std::fs::read(&self.path).map_err(|source| self.unread(source))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => Err(self.empty("certificate")),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, BrokerError> {
        let text = std::fs::read(&self.path).map_err(|source| self.unread(source))?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| self.empty("private key"))
    }

    fn unread(&self, source: std::io::Error) -> BrokerError {
        BrokerError::Read {
            setting: self.setting,
            path: self.path.clone(),
            source,
        }
    }

    fn empty(&self, wanted: &'static str) -> BrokerError {
        BrokerError::Empty {
            setting: self.setting,
            path: self.path.clone(),
            wanted,
        }
    }
}
