//! Finds out whether TLS is what a client and a server do not agree on.

use std::{io, time::Duration};

use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

/// How long a server may take to answer the probe.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long to wait between two attempts to read the answer.
const READ_INTERVAL: Duration = Duration::from_millis(5);

/// The beginning of a TLS conversation with an empty greeting. A server with TLS rejects it with an
/// alert.
const EMPTY_HELLO: [u8; 9] = [HANDSHAKE, 3, 1, 0, 4, 1, 0, 0, 0];

/// The first byte of a TLS record with a greeting.
const HANDSHAKE: u8 = 22;

/// The first byte of a TLS record with an alert.
const ALERT: u8 = 21;

/// Returns whether a server expects TLS at its port. `false` also if it cannot be found out.
///
/// It makes a connection of its own, and takes up to a second.
pub async fn speaks_tls(host: &str, port: u16) -> bool {
    matches!(first_bytes(host, port, &EMPTY_HELLO).await, Some([ALERT | HANDSHAKE, 3]))
}

/// Returns whether a server answers a `PING` as Redis does, without TLS. `false` also if it cannot be
/// found out.
///
/// It makes a connection of its own, and takes up to a second.
pub async fn answers_ping(host: &str, port: u16) -> bool {
    matches!(first_bytes(host, port, b"PING\r\n").await, Some([b'+' | b'-', _]))
}

/// Returns the first bytes of the answer to `question`; `None` if there is none.
async fn first_bytes(host: &str, port: u16, question: &[u8]) -> Option<[u8; 2]> {
    // The URL has an address of IPv6 in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    timeout(ANSWER_TIMEOUT, ask(host, port, question)).await.ok()?.ok()
}

async fn ask(host: &str, port: u16, question: &[u8]) -> io::Result<[u8; 2]> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.writable().await?;
    stream.try_write(question)?;
    loop {
        stream.readable().await?;
        let mut answer = [0; 2];
        match stream.try_read(&mut answer) {
            Ok(2) => return Ok(answer),
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(READ_INTERVAL).await,
            Err(error) => return Err(error),
        }
    }
}

/// Returns whether the error of a client that speaks TLS, as text, means that the server does not.
pub fn is_without_tls(error: &str) -> bool {
    // The words of rustls for an answer that is no TLS, and of tokio-rustls for none at all.
    error.contains("corrupt message") || error.contains("handshake eof")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, Shutdown, TcpListener},
        thread,
    };

    use super::*;

    /// Starts a server that gives one client this answer, and returns its port.
    fn server(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let mut question = [0; 6];
            client.read_exact(&mut question).expect("a question");
            client.write_all(answer).expect("the client listens");
            client.shutdown(Shutdown::Write).expect("the client listens");
            // What is closed with bytes unread is reset.
            let _ = client.read_to_end(&mut Vec::new());
        });
        port
    }

    #[test]
    fn a_server_with_tls_is_recognised_by_its_alert() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            assert!(speaks_tls("127.0.0.1", server(&[21, 3, 3, 0, 2, 2, 50])).await);
            assert!(answers_ping("127.0.0.1", server(b"-NOAUTH Authentication required.\r\n")).await);
            assert!(!answers_ping("127.0.0.1", server(&[21, 3, 3, 0, 2, 2, 10])).await);
            for other in ["-ERR Protocol error\r\n", "INFO {}\r\n", "", "x"] {
                assert!(!speaks_tls("127.0.0.1", server(other.as_bytes())).await, "{other}");
            }
        });
    }
}
