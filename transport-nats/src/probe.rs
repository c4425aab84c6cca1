//! Recognises servers of another kind that wait for their client to speak.

use std::{future, io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long the server may be silent before it is probed. A NATS server speaks first, and at once.
const SILENCE: Duration = Duration::from_millis(500);

/// How long the answer to the probe may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// What Redis and HTTP servers have an answer to. A NATS server has spoken before it reads this.
const PROBE: &[u8] = b"PING\r\n\r\n";

/// Returns the first line from the server once it is certain that it is not a NATS server; never,
/// otherwise.
///
/// Some servers, Redis and HTTP among them, wait for the client to speak, just as a NATS client
/// waits for its server. Without this probe, they look like a broker that hangs.
pub(crate) async fn detect_foreign_server(host: &str, port: u16) -> String {
    sleep(SILENCE).await;
    match timeout(ANSWER_TIMEOUT, probe(host, port)).await {
        Ok(Ok(line)) if !line.is_empty() && !"INFO ".starts_with(&line) && !line.starts_with("INFO ") => line,
        // It is a NATS server, or stays silent, or is gone: the client finds out by itself.
        _ => future::pending().await,
    }
}

async fn probe(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(PROBE).await?;
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer[..count]);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
