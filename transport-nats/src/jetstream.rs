//! Mode JetStream: a stream at the broker keeps what is sent, and each inbox reads it through a consumer of its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{
    self, Context, ErrorCode,
    context::{CreateStreamErrorKind, GetStreamError, GetStreamErrorKind},
    stream,
};
use neuron_core::{
    NetworkId,
    transport::{Address, TransportErrorKind},
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use transport_broker::{ConnectError, ConnectionState};

use crate::{
    config::{Config, Storage},
    connection::Connection,
    consumer::Consumer,
    mode::RESTORING,
    reader::{Asking, Reader, Readers},
};

/// How long the broker may take to answer a request about streams and consumers.
const ANSWER: Duration = Duration::from_secs(2);

/// How long to wait before asking again, when the broker is just starting.
const AGAIN: Duration = Duration::from_millis(200);

/// How many messages of one sender to one receiver are kept: more than fit into an inbox.
const KEPT_PER_SUBJECT: i64 = 65_536;

/// How many messages of a network are kept. At a hundred bytes each that is about 100 MB, if nobody takes any; those that hold
/// several envelopes are longer, and fewer.
const KEPT: i64 = 1_048_576;

/// The window in which the broker would recognise doubled messages; we have no use for it, and this is the shortest.
const DOUBLES: Duration = Duration::from_millis(100);

/// Which stream it is. After each loss of the connection there is a new one of these, even for the same stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    number: u64,
    /// When the stream was created, in nanoseconds of the broker's clock. A stream that was lost and made again begins to count
    /// its messages anew.
    pub(crate) created: i128,
}

/// How far an inbox has been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    /// When the stream was created that the number is of.
    pub(crate) created: i128,
    /// The number of the last message that was taken,
    pub(crate) last: u64,
    /// and that of the one that is being taken while the inbox is full, with how many envelopes of it have been.
    pub(crate) partly: Option<(u64, usize)>,
}

impl Position {
    /// After a message of a stream.
    pub(crate) fn new(created: i128, last: u64) -> Self {
        Self { created, last, partly: None }
    }

    /// How many envelopes of a message have been taken already.
    pub(crate) fn taken(&self, number: u64) -> usize {
        self.partly.filter(|(of, _)| *of == number).map_or(0, |(_, taken)| taken)
    }
}

/// Who has had an inbox in this process, over whatever connection, and how far it was read.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<Address, Arc<Mutex<Position>>>>);

impl Known {
    fn known(&self) -> MutexGuard<'_, HashMap<Address, Arc<Mutex<Position>>>> {
        // A panic elsewhere cannot leave the table half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, at: &Address, position: Arc<Mutex<Position>>) {
        self.known().insert(at.clone(), position);
    }

    /// How far the inbox of an address was read that this process opened last, if it has had one.
    pub(crate) fn position(&self, at: &Address) -> Option<Arc<Mutex<Position>>> {
        self.known().get(at).cloned()
    }
}

/// A connection in mode JetStream.
#[derive(Debug)]
pub(crate) struct JetStream {
    connection: Arc<Connection>,
    pub(crate) context: Context,
    pub(crate) config: stream::Config,
    pub(crate) epoch: watch::Sender<Epoch>,
    readers: Readers,
    pub(crate) known: Arc<Known>,
    /// Who tells that it reads again.
    again: mpsc::UnboundedSender<Epoch>,
    reads_again: AsyncMutex<mpsc::UnboundedReceiver<Epoch>>,
}

impl JetStream {
    /// Finds the stream of the network, or creates it.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] when the broker has no JetStream, or its stream is not fit for this.
    pub(crate) async fn new(
        connection: Arc<Connection>,
        config: &Config,
        network: &NetworkId,
        known: Arc<Known>,
    ) -> Result<Self, ConnectError> {
        let mut context = jetstream::new(connection.client.clone());
        context.set_timeout(ANSWER);
        let config = stream::Config {
            name: stream_name(&config.prefix, network),
            subjects: vec![format!("{}>", connection.subjects.stem())],
            storage: match config.storage {
                Storage::Memory => stream::StorageType::Memory,
                Storage::File => stream::StorageType::File,
            },
            max_age: config.lifetime,
            max_messages: KEPT,
            max_messages_per_subject: KEPT_PER_SUBJECT,
            max_bytes: -1,
            max_consumers: -1,
            discard: stream::DiscardPolicy::Old,
            duplicate_window: DOUBLES,
            num_replicas: 1,
            ..stream::Config::default()
        };
        let (again, reads_again) = mpsc::unbounded_channel();
        let this = Self {
            context,
            config,
            epoch: watch::Sender::new(Epoch { number: 0, created: 0 }),
            readers: Readers::default(),
            known,
            again,
            reads_again: reads_again.into(),
            connection,
        };
        let info = this.stream().await.map_err(|what| this.unsupported(what))?;
        if info.config.subjects != this.config.subjects {
            let name = &this.config.name;
            return Err(this.unsupported(format!("its stream {name} is for other subjects; choose another prefix")));
        }
        this.epoch.send_replace(Epoch { number: 0, created: info.created.unix_timestamp_nanos() });
        Ok(this)
    }

    fn unsupported(&self, what: String) -> ConnectError {
        let broker = self.connection.endpoint.clone();
        ConnectError::Unsupported {
            broker,
            what: format!("{what}; use mode=core, or a server with JetStream, and a user who may use it"),
        }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Finds the stream, or creates it.
    async fn stream(&self) -> Result<stream::Info, String> {
        match self.context.get_stream(&self.config.name).await {
            Ok(stream) => return Ok(stream.cached_info().clone()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(format!("JetStream does not answer ({error})")),
        }
        match self.context.create_stream(self.config.clone()).await {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err(error) => {
                // Somebody else may have created it meanwhile, with another lifetime.
                if matches!(error.kind(), CreateStreamErrorKind::JetStream(_))
                    && let Ok(stream) = self.context.get_stream(&self.config.name).await
                {
                    return Ok(stream.cached_info().clone());
                }
                Err(format!("the stream {} cannot be created ({error})", self.config.name))
            }
        }
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Opens an inbox.
    pub(crate) async fn subscribe(self: Arc<Self>, mut asking: Asking) {
        let place = self.readers.place(&asking.at);
        let mut reader = place.lock().await;
        let at = asking.at.clone();
        let opened = tokio::select! {
            opened = Consumer::open(self.clone(), &at, &mut reader) => opened,
            () = asking.given_up() => Err(TransportErrorKind::Closed.into()),
        };
        if opened.is_err() && reader.is_none() {
            // The inbox before it, if there is one, is not read any more, and has to know.
            self.connection.inboxes.end(&at);
        }
        asking.answer(opened.map(|consumer| {
            let inbox = self.connection.inboxes.open(&at);
            self.known.has(&at, consumer.position());
            *reader = Some(Reader::spawn(consumer.read()));
            inbox
        }));
        drop(reader);
        self.readers.tidy(&at, &self.connection.inboxes);
    }

    /// Goes on with an inbox that was opened over another connection.
    pub(crate) async fn take_over(self: Arc<Self>, at: Address) {
        let place = self.readers.place(&at);
        let mut reader = place.lock().await;
        match Consumer::take_over(self.clone(), &at).await {
            Ok(consumer) => *reader = Some(Reader::spawn(consumer.read())),
            Err(error) => self.connection.ends(&at, &error),
        }
        drop(reader);
        self.readers.tidy(&at, &self.connection.inboxes);
    }

    /// The consumer is left at the broker, which removes it after a while: should this process end now, the next one gets what
    /// is sent in between. An inbox that is opened again by this one begins empty.
    pub(crate) fn dropped(&self, at: &Address) {
        self.readers.end(at);
    }

    /// Tells that an inbox is read again since an epoch began.
    pub(crate) fn reads_again(&self, epoch: Epoch) {
        // The receiver is in `self`.
        let _ = self.again.send(epoch);
    }

    /// Makes sure of the stream, and has all inboxes make sure of their consumers.
    pub(crate) async fn restore(&self) {
        let mut attempts = 0;
        let created = loop {
            match self.stream().await {
                Ok(info) => break info.created.unix_timestamp_nanos(),
                Err(why) => {
                    attempts += 1;
                    self.connection.status.set(ConnectionState::Reconnecting { attempts, why });
                    sleep(AGAIN).await;
                }
            }
        };
        let epoch = Epoch { number: self.epoch.borrow().number + 1, created };
        self.epoch.send_replace(epoch);
        let mut reads_again = self.reads_again.lock().await;
        let (begin, mut count) = (Instant::now(), 0);
        // Each reader holds one receiver. One that ends meanwhile is not waited for.
        while count < self.epoch.receiver_count() && begin.elapsed() < RESTORING {
            match timeout(AGAIN, reads_again.recv()).await {
                Ok(Some(of)) if of == epoch => count += 1,
                _ => {}
            }
        }
    }

    /// Whether the stream is there, and still the same. Nothing if the broker does not say.
    pub(crate) async fn is_there(&self) -> Option<bool> {
        let created = self.epoch.borrow().created;
        match self.context.get_stream(&self.config.name).await {
            Ok(stream) => Some(stream.cached_info().created.unix_timestamp_nanos() == created),
            Err(error) if is_missing(&error) => Some(false),
            Err(error) => {
                tracing::debug!(broker = self.connection.status.broker(), %error, "JetStream does not answer");
                None
            }
        }
    }
}

fn is_missing(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// What the stream of a network is called.
pub(crate) fn stream_name(prefix: &str, network: &NetworkId) -> String {
    format!("{}_{network}", prefix.to_uppercase())
}
