//! Which MQTT somebody speaks who does not answer ours: a broker without version 5 sends a short refusal, which the client
//! library takes for the beginning of a longer one, or closes without a word. Its first bytes tell.

use std::sync::Arc;

use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use super::broker::Broker;
use super::error::BrokerError;

/// How long a question may take; it is asked after a connection has already failed.
const PATIENCE: Duration = Duration::from_secs(3);

/// CONNECT of MQTT 5 (section 3.1) and of 3.1.1, each with a clean session, a minute's keep alive and a name that the broker
/// gives.
const VERSION_5: &[u8] = &[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0];
const VERSION_3: &[u8] = &[0x10, 12, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 0];

/// Says of a broker that broke off, fell silent or spoke strangely that it does not speak MQTT 5, where that is so.
pub(super) async fn explain(broker: &Broker, trouble: BrokerError) -> BrokerError {
    let doubtful = matches!(
        trouble,
        BrokerError::Broken(_) | BrokerError::Silent(_) | BrokerError::Nonsense { .. }
    );
    if doubtful && is_old(broker).await {
        return BrokerError::OldVersion(broker.place().at.clone());
    }
    trouble
}

/// Whether it answers as MQTT 3 does: a CONNACK without properties to our version, or only to its own.
async fn is_old(broker: &Broker) -> bool {
    match ask(broker, VERSION_5).await.as_deref() {
        Some([0x20, 2, ..]) => true,
        Some([_, ..]) => false,
        _ => matches!(ask(broker, VERSION_3).await.as_deref(), Some([0x20, 2, ..])),
    }
}

/// The first bytes of the answer to `question`; none where there is no answer.
async fn ask(broker: &Broker, question: &[u8]) -> Option<Vec<u8>> {
    let (host, port, tls) = broker.door().ok()?;
    let asked = async {
        let stream = TcpStream::connect((host, port)).await.ok()?;
        match tls {
            None => converse(stream, question).await,
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned()).ok()?;
                let connector = TlsConnector::from(Arc::new(tls));
                converse(connector.connect(name, stream).await.ok()?, question).await
            }
        }
    };
    timeout(PATIENCE, asked).await.ok()?
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    question: &[u8],
) -> Option<Vec<u8>> {
    stream.write_all(question).await.ok()?;
    let mut answer = [0; 4];
    let mut read = 0;
    while read < answer.len() {
        match stream.read(answer.get_mut(read..)?).await {
            Ok(0) | Err(_) => break,
            Ok(more) => read += more,
        }
    }
    answer.get(..read).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use contract::topics::Topics;
    use settings::{Config, Setting};

    /// A broker that answers version 5 and version 3.1.1 with these bytes, then closes.
    async fn serve(answers: [&'static [u8]; 2]) -> Broker {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut question = [0; 64];
                let read = stream.read(&mut question).await.unwrap();
                let answer = answers[usize::from(read > 8 && question[8] == 4)];
                let _ = stream.write_all(answer).await;
            }
        });
        let mut config = Config::default();
        config.report.url = Setting::read(&format!("mqtt://127.0.0.1:{port}")).unwrap();
        Broker::new(&config.report, &Topics::new("main", "test")).unwrap()
    }

    #[tokio::test]
    async fn a_broker_of_version_3_is_named_as_such() {
        let short: &[u8] = &[0x20, 2, 0, 1];
        let accepted: &[u8] = &[0x20, 2, 0, 0];
        let new: &[u8] = &[0x20, 3, 0, 0x87, 0];
        for (answers, old) in [
            ([short, accepted], true),
            ([&[], accepted], true),
            ([new, &[]], false),
            ([&[], &[]], false),
        ] {
            let broker = serve(answers).await;
            let trouble = explain(&broker, BrokerError::Broken("there".to_owned())).await;
            let said = trouble.to_string();
            assert_eq!(said.contains("does not speak MQTT 5"), old, "{said}");
        }
    }
}
