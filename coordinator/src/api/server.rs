//! The listener: TCP, TLS where it is set, and HTTP/1.1 with upgrades. Slow and idle clients hold nobody up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt;

use super::app::App;
use super::routes::router;
use crate::config::Tls;

/// Connections at once.
const CONNECTIONS: usize = 2_048;
/// How long a handshake, or the head of a request, may take.
const SLOW: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the system refused to, for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Why the API cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or not ours.
    #[error("cannot listen at {0} (http.listen): {1}")]
    Listen(SocketAddr, std::io::Error),
    /// A file of `http.tls` cannot be read, or does not hold what it should.
    #[error("http.tls: {} {}", .0.display(), .1)]
    File(PathBuf, String),
    /// Certificate and key do not fit.
    #[error("http.tls: certificate and key cannot be used: {0}")]
    Pair(tokio_rustls::rustls::Error),
}

/// A listening server.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
}

impl Server {
    /// Listens, and serves `pages` beside the API.
    ///
    /// # Errors
    /// The address or a file cannot be used.
    pub async fn bind(app: &App, pages: Router<App>) -> Result<Self, ServerError> {
        let tls = acceptor(&app.config.http.tls)?;
        let address = app.config.http.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| ServerError::Listen(address, error))?;
        if tls.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                "the API listens at {address} without TLS: tokens and passwords pass in the clear (http.tls)"
            );
        }
        Ok(Self {
            listener,
            tls,
            router: router(app, pages),
        })
    }

    /// Whether TLS can be spoken with these files.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(tls: &Tls) -> Result<(), ServerError> {
        acceptor(tls).map(drop)
    }

    /// Serves until the program ends.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("the API cannot take a connection: {error}");
                    let _ = timeout(BREATH, std::future::pending::<()>()).await;
                    continue;
                }
            };
            let (router, tls) = (self.router.clone(), self.tls.clone());
            tokio::spawn(async move {
                answer((stream, tls), peer, router).await;
                drop(place);
            });
        }
    }
}

async fn answer((stream, tls): (TcpStream, Option<TlsAcceptor>), peer: SocketAddr, router: Router) {
    // Answers are small: each goes out at once.
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, peer, router).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(SLOW, acceptor.accept(stream)).await {
                converse(stream, peer, router).await;
            }
        }
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    // A client that goes away is no error of ours.
    let _ = conversation.await;
}

fn acceptor(tls: &Tls) -> Result<Option<TlsAcceptor>, ServerError> {
    let Tls::Files(certificate, key) = tls else {
        return Ok(None);
    };
    let read = |path: &PathBuf| {
        let read = std::fs::read(path);
        read.map_err(|error| ServerError::File(path.clone(), format!("cannot be read: {error}")))
    };
    let empty = |path: &PathBuf, what: &str| {
        ServerError::File(path.clone(), format!("holds no {what} in PEM"))
    };
    let text = read(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| empty(certificate, "certificate"))?;
    let text = read(key)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|_| empty(key, "private key"))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ServerError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServerError::Pair)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}
