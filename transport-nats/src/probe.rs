//! Finding out who it is that does not speak.

use std::{future, io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long a broker may keep quiet before it is asked. A NATS server speaks first, and at once.
const QUIET: Duration = Duration::from_millis(500);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);
/// What a server of another kind has an answer to, be it Redis or HTTP. A NATS server has spoken before it reads this.
const QUESTION: &[u8] = b"PING\r\n\r\n";

/// Done once it is certain that whoever listens there is no NATS server, with what it said; never, otherwise.
///
/// Some servers, Redis and HTTP among them, wait for the client to speak, just as a NATS client waits for its server. Without
/// this, both would look like a broker that hangs.
pub(crate) async fn another_kind(host: &str, port: u16) -> String {
    sleep(QUIET).await;
    match timeout(ANSWER, ask(host, port)).await {
        Ok(Ok(said)) if !said.is_empty() && !"INFO ".starts_with(&said) && !said.starts_with("INFO ") => said,
        // It is a NATS server, or does not speak at all, or is gone: the client finds out itself.
        _ => future::pending().await,
    }
}

async fn ask(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(QUESTION).await?;
    let mut said = [0; 64];
    let count = stream.read(&mut said).await?;
    let said = String::from_utf8_lossy(&said[..count]);
    Ok(said.lines().next().unwrap_or_default().to_owned())
}
