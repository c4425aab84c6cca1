//! A server that speaks TLS only, as clients whose address has no TLS find it.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    thread,
};

/// The first byte of a TLS greeting.
const HANDSHAKE: u8 = 22;

/// A fatal alert: the greeting is not acceptable.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];

/// Starts a server that waits for the greeting of a TLS client, rejects it, and closes a connection
/// that begins in another way. It has no certificate. Returns its port; it runs until the process
/// ends.
///
/// # Panics
/// If there is no free port.
pub fn tls_only_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it has an address").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // Another connection of the same client may wait for the server to speak first.
            thread::spawn(move || {
                let mut greeting = [0; 5];
                if client.read_exact(&mut greeting).is_ok() && greeting[0] == HANDSHAKE {
                    // The client may have gone.
                    let _ = client.write_all(&ALERT);
                }
            });
        }
    });
    port
}
