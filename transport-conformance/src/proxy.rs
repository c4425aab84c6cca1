//! A network between a client and its broker that misbehaves on demand.

use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the network does with the bytes that go through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkCondition {
    /// They pass.
    Fair,
    /// They are swallowed in both directions. The connections stand.
    BlackHole,
    /// This many bytes pass in each millisecond, at least one.
    Slow(usize),
    /// This many more bytes pass towards the client. Then its connection ends, even in the middle
    /// of a frame.
    CutAfter(usize),
    /// Connections are reset, and so are new ones.
    Reset,
}

/// A network between a client and a broker: it listens on a port of its own and connects on to the
/// broker. It runs on the tokio runtime that it was started on, and ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    condition: watch::Sender<NetworkCondition>,
    target: watch::Sender<u16>,
    accepted: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts to listen. Connections go on to the port `target` of this machine.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let condition = watch::Sender::new(NetworkCondition::Fair);
        let target = watch::Sender::new(target);
        let accepted = Arc::new(AtomicU64::new(0));
        tokio::spawn(accept(listener, condition.subscribe(), target.subscribe(), accepted.clone()));
        Self { port, condition, target, accepted }
    }

    /// Returns the port that a client connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets the condition, for connections that stand and for new ones.
    pub fn set(&self, condition: NetworkCondition) {
        self.condition.send_replace(condition);
    }

    /// Lets new connections go on to another port, as if the broker had moved behind its address.
    pub fn move_to(&self, port: u16) {
        self.target.send_replace(port);
    }

    /// Returns how many connections were made.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    condition: watch::Receiver<NetworkCondition>,
    target: watch::Receiver<u16>,
    accepted: Arc<AtomicU64>,
) {
    while let Ok((client, _)) = listener.accept().await {
        // The condition has no sender any more, so the proxy has been dropped.
        if condition.has_changed().is_err() {
            return;
        }
        accepted.fetch_add(1, Ordering::Relaxed);
        let condition = condition.clone();
        let port = *target.borrow();
        tokio::spawn(async move {
            // An error ends the connection, and the client sees that.
            let _ = connect(client, condition, port).await;
        });
    }
}

async fn connect(client: TcpStream, mut condition: watch::Receiver<NetworkCondition>, port: u16) -> io::Result<()> {
    if *condition.borrow() == NetworkCondition::Reset {
        return client.set_zero_linger();
    }
    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    client.set_zero_linger()?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let upwards = pass(from_client, to_broker, condition.clone(), false);
    let downwards = pass(from_broker, to_client, condition.clone(), true);
    tokio::select! {
        result = upwards => result,
        result = downwards => result,
        _ = condition.wait_for(|condition| *condition == NetworkCondition::Reset) => Ok(()),
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut condition: watch::Receiver<NetworkCondition>,
    to_client: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed_before_cut = 0;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            let now = *condition.borrow_and_update();
            match now {
                NetworkCondition::Fair => {
                    to.write_all(bytes).await?;
                    bytes = &[];
                }
                NetworkCondition::BlackHole => bytes = &[],
                NetworkCondition::Slow(per_millisecond) => {
                    let (first, rest) = bytes.split_at(per_millisecond.clamp(1, bytes.len()));
                    to.write_all(first).await?;
                    bytes = rest;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                NetworkCondition::CutAfter(limit) if to_client => {
                    let allowed = limit.saturating_sub(passed_before_cut).min(bytes.len());
                    to.write_all(&bytes[..allowed]).await?;
                    passed_before_cut += allowed;
                    if allowed < bytes.len() {
                        return Ok(());
                    }
                    bytes = &[];
                }
                NetworkCondition::CutAfter(_) => {
                    to.write_all(bytes).await?;
                    bytes = &[];
                }
                NetworkCondition::Reset => return Ok(()),
            }
        }
    }
}
