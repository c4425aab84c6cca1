//! Recognises servers of another kind that wait for their client to speak.

use std::{future, io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use transport_broker::speaks_tls;

/// How long the server may be silent before it is probed. A NATS server speaks first, and at once.
const SILENCE: Duration = Duration::from_millis(500);

/// How long the answer to the probe may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// What Redis and HTTP servers have an answer to. A NATS server has spoken before it reads this.
const PROBE: &[u8] = b"PING\r\n\r\n";

/// What shows that a server is not a NATS server as the client expects it.
#[derive(Debug)]
pub(crate) enum Foreign {
    /// The first line that it sent.
    Says(String),
    /// It expects TLS before anything else.
    BeginsWithTls,
}

/// Returns what the server is once it is certain that it is not a NATS server that speaks first;
/// never, otherwise.
///
/// Some servers, Redis and HTTP among them, wait for the client to speak, just as a NATS client
/// waits for its server. Without this probe, they look like a broker that hangs.
pub(crate) async fn detect_foreign_server(host: &str, port: u16) -> Foreign {
    sleep(SILENCE).await;
    let line = match timeout(ANSWER_TIMEOUT, probe(host, port)).await {
        Ok(Ok(line)) => line,
        Ok(Err(_)) | Err(_) => String::new(),
    };
    if "INFO ".starts_with(&line) || line.starts_with("INFO ") || line.starts_with(TLS_RECORD) {
        // It says nothing, or not enough: a server that begins with TLS does not speak first.
        if !line.starts_with("INFO") && speaks_tls(host, port).await {
            return Foreign::BeginsWithTls;
        }
        // It is a NATS server, or stays silent, or is gone: the client finds out by itself.
        return future::pending().await;
    }
    Foreign::Says(line)
}

/// How the alert begins with which a server with TLS rejects the probe.
const TLS_RECORD: &str = "\u{15}\u{3}";

async fn probe(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(PROBE).await?;
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..count]);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
