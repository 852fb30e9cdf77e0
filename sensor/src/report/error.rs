//! Why the broker cannot be reached, each in one sentence a person can act on.
//! No sentence holds a secret, or a number that differs from one try to the next: the same trouble reads the same.

use std::io;
use std::path::PathBuf;

use rumqttc::tokio_rustls::rustls::{self, AlertDescription, CertificateError};
use rumqttc::v5::mqttbytes::Error as PacketError;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, DisconnectReasonCode};
use rumqttc::v5::{ConnectionError, StateError};

/// What stands between us and the broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum BrokerError {
    /// A file that a setting names cannot be read.
    #[error("cannot read {} ({setting}): {source}", path.display())]
    Read {
        /// Which setting.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds nothing of what it should.
    #[error("{} ({setting}) holds no {wanted} in PEM", path.display())]
    Empty {
        /// Which setting.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// One of certificate and key is missing.
    #[error("report.client_certificate and report.client_key belong together, and one is missing")]
    HalfPair,
    /// The certificate and its key do not go together, or are of a kind nobody knows.
    #[error("our certificate and its key cannot be used: {0}")]
    Pair(rustls::Error),
    /// There is a password and no user.
    #[error("report.password_file needs report.user: MQTT sends no password without a user")]
    NoUser,
    /// Nothing listens, or no way leads there.
    #[error("the broker at {at} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        at: String,
        /// Why.
        source: io::Error,
    },
    /// Somebody accepts connections and says nothing.
    #[error("the broker at {0} does not answer")]
    Silent(String),
    /// Nobody we trust vouches for it.
    #[error("the broker at {at} shows a certificate that no authority in {} has signed", ca.display())]
    UnknownIssuer {
        /// Where.
        at: String,
        /// The authorities.
        ca: PathBuf,
    },
    /// Its certificate is too old.
    #[error("the certificate of the broker at {0} has expired")]
    Expired(String),
    /// Its certificate is too young, or our clock is wrong.
    #[error("the certificate of the broker at {0} is not valid yet; is the clock right?")]
    NotYetValid(String),
    /// Its certificate is somebody else's.
    #[error("the certificate of the broker at {0} is made out to another name")]
    WrongName(String),
    /// Its certificate is bad in another way.
    #[error("the certificate of the broker at {at} is not accepted: {why}")]
    BadCertificate {
        /// Where.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// It does not accept us.
    #[error(
        "the broker at {0} does not accept our client certificate, or wants one (report.client_certificate)"
    )]
    ClientCertificate(String),
    /// TLS fails in another way.
    #[error("no TLS connection to the broker at {at}: {why}; is it a TLS port?")]
    Tls {
        /// Where.
        at: String,
        /// What is wrong.
        why: String,
    },
    /// It does not know us, or not by this password.
    #[error("the broker at {0} refuses our user or password (report.user, report.password_file)")]
    Password(String),
    /// It knows us, and does not want us.
    #[error(
        "the broker at {0} does not let us in: not authorized, or not by this password (report.user, report.password_file)"
    )]
    NotAuthorized(String),
    /// It refuses us for another reason.
    #[error("the broker at {at} refuses the connection: {why}")]
    Refused {
        /// Where.
        at: String,
        /// Its reason.
        why: String,
    },
    /// Somebody uses our name.
    #[error(
        "another client connects to the broker as {0}: two sensors have the same sensor.site and sensor.name"
    )]
    TakenOver(String),
    /// It ended the connection and said why.
    #[error("the broker at {at} ended the connection: {why}")]
    Ended {
        /// Where.
        at: String,
        /// Its reason.
        why: String,
    },
    /// The connection broke.
    #[error("the connection to the broker at {0} broke")]
    Broken(String),
    /// It speaks only older versions.
    #[error(
        "the broker at {0} does not speak MQTT 5, only an older version: switch MQTT 5 on there, or name a broker in report.url that has it"
    )]
    OldVersion(String),
    /// It says what MQTT 5 does not know.
    #[error("what answers at {at} does not speak MQTT 5: {why}")]
    Nonsense {
        /// Where.
        at: String,
        /// What is wrong.
        why: String,
    },
}

/// Where the broker is, by what it is judged, and as whom it knows us.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Host and port.
    pub(super) at: String,
    /// The authorities.
    pub(super) ca: PathBuf,
    /// Our client identifier.
    pub(super) client: String,
}

impl Place {
    /// What rumqttc's error means here.
    pub(super) fn trouble(&self, error: ConnectionError) -> BrokerError {
        match error {
            ConnectionError::Timeout(_) => BrokerError::Silent(self.at.clone()),
            ConnectionError::Io(source) => self.io(source, Phase::Connecting),
            ConnectionError::Tls(error) => match error {
                rumqttc::v5::TlsError::Io(source) => self.io(source, Phase::Talking),
                rumqttc::v5::TlsError::TLS(error) => self.tls(&error),
                rumqttc::v5::TlsError::DNSName(_) => self.unnamed(),
                other => self.untold(&other.to_string()),
            },
            ConnectionError::ConnectionRefused(code) => self.refused(code),
            ConnectionError::MqttState(state) => self.state(state),
            ConnectionError::NotConnAck(_) => self.nonsense("its first answer is no CONNACK"),
            ConnectionError::RequestsDone => BrokerError::Broken(self.at.clone()),
        }
    }

    fn state(&self, error: StateError) -> BrokerError {
        match error {
            StateError::Io(source) => self.io(source, Phase::Talking),
            StateError::Deserialization(PacketError::Io(source)) => self.io(source, Phase::Talking),
            StateError::AwaitPingResp | StateError::CollisionTimeout => {
                BrokerError::Silent(self.at.clone())
            }
            StateError::ConnectionAborted => BrokerError::Broken(self.at.clone()),
            StateError::ServerDisconnect {
                reason_code: DisconnectReasonCode::SessionTakenOver,
                ..
            } => BrokerError::TakenOver(self.client.clone()),
            StateError::ServerDisconnect { reason_code, .. } => BrokerError::Ended {
                at: self.at.clone(),
                why: spaced(&format!("{reason_code:?}")),
            },
            StateError::ConnFail { reason } => self.refused(reason),
            other => self.nonsense(&other.to_string()),
        }
    }

    fn io(&self, source: io::Error, phase: Phase) -> BrokerError {
        let tls = source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(error) = tls {
            return self.tls(error);
        }
        match (source.kind(), phase) {
            (_, Phase::Connecting) => BrokerError::Unreachable {
                at: self.at.clone(),
                source,
            },
            (io::ErrorKind::TimedOut, Phase::Talking) => BrokerError::Silent(self.at.clone()),
            (io::ErrorKind::InvalidData, Phase::Talking) => self.nonsense(&source.to_string()),
            (_, Phase::Talking) => BrokerError::Broken(self.at.clone()),
        }
    }

    fn tls(&self, error: &rustls::Error) -> BrokerError {
        use AlertDescription as Alert;
        let at = self.at.clone();
        match error {
            rustls::Error::InvalidCertificate(bad) => match bad {
                CertificateError::UnknownIssuer => BrokerError::UnknownIssuer {
                    at,
                    ca: self.ca.clone(),
                },
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    BrokerError::Expired(at)
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    BrokerError::NotYetValid(at)
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => BrokerError::WrongName(at),
                other => BrokerError::BadCertificate {
                    at,
                    why: other.to_string(),
                },
            },
            rustls::Error::AlertReceived(
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRevoked
                | Alert::HandshakeFailure
                | Alert::AccessDenied,
            ) => BrokerError::ClientCertificate(at),
            other => self.untold(&other.to_string()),
        }
    }

    fn refused(&self, code: ConnectReturnCode) -> BrokerError {
        let at = self.at.clone();
        match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::BadAuthenticationMethod => {
                BrokerError::Password(at)
            }
            ConnectReturnCode::NotAuthorized | ConnectReturnCode::Banned => {
                BrokerError::NotAuthorized(at)
            }
            other => BrokerError::Refused {
                at,
                why: spaced(&format!("{other:?}")),
            },
        }
    }

    fn unnamed(&self) -> BrokerError {
        self.untold("a certificate cannot be judged by an address in brackets; name the broker in report.url")
    }

    fn untold(&self, why: &str) -> BrokerError {
        BrokerError::Tls {
            at: self.at.clone(),
            why: why.to_owned(),
        }
    }

    fn nonsense(&self, why: &str) -> BrokerError {
        BrokerError::Nonsense {
            at: self.at.clone(),
            why: why.to_owned(),
        }
    }
}

/// How far we had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Talking,
}

/// `ServerShuttingDown` as people write it.
pub(super) fn spaced(name: &str) -> String {
    let mut words = String::new();
    for message in name.chars() {
        if message.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(message.to_lowercase());
    }
    words
}
