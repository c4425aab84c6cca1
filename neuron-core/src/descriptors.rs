//! Whether the system has file descriptors left for an event loop.

use std::io;

/// Checks that an event loop gets the file descriptors that it needs.
///
/// A runtime of tokio opens up to six. Where it finds none for the pair of sockets over which
/// signals come, it panics; so this is asked before one is made. Another thread may take what is
/// left in between.
///
/// # Errors
/// The error of the system, such as "too many open files".
pub fn check_descriptors() -> io::Result<()> {
    #[cfg(unix)]
    {
        let open = || std::os::unix::net::UnixStream::pair();
        // All of them are open at the same time.
        let _pairs = [open()?, open()?, open()?, open()?];
    }
    Ok(())
}
