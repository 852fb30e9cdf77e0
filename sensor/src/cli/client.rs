//! The way to the daemon: HTTP over its unix socket, one request a connection.
//! It words why there is no answer, and knows nothing of what is asked.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use contract::action::Action;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use sensor::action::Done;
use sensor::control::{Answer, ErrorText, Page};
use serde::Serialize;
use serde::de::DeserializeOwned;
use settings::Config;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// Longer than the daemon takes before it gives up itself, so that its own words are heard.
const PATIENCE: Duration = Duration::from_secs(90);

/// Bytes of an answer. The longest, a page of blocks, takes a few million.
const MAX_ANSWER: usize = 64 << 20;

/// The daemon, as far as its socket is known.
pub struct Client {
    runtime: Runtime,
    socket: PathBuf,
}

/// Why the daemon did not do what it was asked. What the system said is part of the sentence and no source, because a
/// broken pipe to the daemon is not one to our reader.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no daemon.
    #[error("no sensor answers at {}; is `garita run` running?", socket.display())]
    Nobody {
        /// Where it should be.
        socket: PathBuf,
    },
    /// The socket is not for this user.
    #[error("permission denied: the sensor's socket {} is for root and its group", socket.display())]
    Rejected {
        /// The socket.
        socket: PathBuf,
    },
    /// The conversation broke off.
    #[error("the sensor at {} does not answer: {reason}", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What was said.
        reason: String,
    },
    /// The daemon said no.
    #[error("{sentence}")]
    Refused {
        /// What it said.
        sentence: String,
        /// Whether that was because there is no such thing.
        missing: bool,
    },
}

impl ClientError {
    /// Whether the daemon said that there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { missing: true, .. })
    }
}

impl Client {
    /// A client of the daemon that the configuration describes.
    pub fn new(config: &Config) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let socket = config.control.socket.to_path_buf();
        Ok(Self { runtime, socket })
    }

    /// What is there.
    pub fn get<T: DeserializeOwned>(&self, resource: &str) -> Result<T, ClientError> {
        self.read(&self.bytes(resource)?)
    }

    /// The bytes that are there.
    pub fn bytes(&self, resource: &str) -> Result<Bytes, ClientError> {
        self.ask(Method::GET, resource, Vec::new())
    }

    /// All pages of a listing; `resource` ends where a query can go on.
    pub fn pages<T: DeserializeOwned>(&self, resource: &str) -> Result<Vec<T>, ClientError> {
        let mut page: Page<T> = self.get(resource)?;
        let mut items = std::mem::take(&mut page.items);
        let sign = if resource.contains('?') { '&' } else { '?' };
        while let Some(next) = page.next {
            page = self.get(&format!("{resource}{sign}after={next}"))?;
            items.append(&mut page.items);
        }
        Ok(items)
    }

    /// Has something done, and returns what the daemon said.
    pub fn act(&self, action: &Action) -> Result<String, ClientError> {
        let done: Done = self.post("actions", action)?;
        Ok(done.message)
    }

    /// Has many things done, and returns what came of each.
    pub fn act_on_all(&self, actions: &[Action]) -> Result<Vec<Answer>, ClientError> {
        self.post("batches", &actions)
    }

    fn post<T: DeserializeOwned>(
        &self,
        resource: &str,
        content: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(content).map_err(|error| self.broken(&error))?;
        self.read(&self.ask(Method::POST, resource, body)?)
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.broken(&error))
    }

    fn ask(&self, method: Method, resource: &str, body: Vec<u8>) -> Result<Bytes, ClientError> {
        // A timer is made inside the runtime it belongs to.
        let answer = self
            .runtime
            .block_on(async { timeout(PATIENCE, self.converse(method, resource, body)).await });
        answer.unwrap_or_else(|late| Err(self.broken(&late)))
    }

    async fn converse(
        &self,
        method: Method,
        resource: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, ClientError> {
        let stream = connect(&self.socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(&error))?;
        // Its error comes up in the request as well.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/{resource}"))
            .header(header::HOST, "garita")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| self.broken(&error))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| self.broken(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| self.broken(&error))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let told = serde_json::from_slice(&body).map(|ErrorText { error }| error);
        Err(ClientError::Refused {
            sentence: told.unwrap_or_else(|_| format!("the sensor answered {status}")),
            missing: status == StatusCode::NOT_FOUND,
        })
    }

    fn broken(&self, reason: &(impl ToString + ?Sized)) -> ClientError {
        ClientError::Broken {
            socket: self.socket.clone(),
            reason: reason.to_string(),
        }
    }
}

async fn connect(socket: &Path) -> Result<UnixStream, ClientError> {
    UnixStream::connect(socket).await.map_err(|error| {
        let socket = socket.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::Nobody { socket }
            }
            io::ErrorKind::PermissionDenied => ClientError::Rejected { socket },
            _ => ClientError::Broken {
                socket,
                reason: error.to_string(),
            },
        }
    })
}
