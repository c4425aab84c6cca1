//! The stream of a network at the broker.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    self, Context, ErrorCode,
    context::{CreateStreamErrorKind, GetStreamError, GetStreamErrorKind},
    stream,
};
use neuron_core::NetworkId;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use transport_broker::{ConnectError, ConnectionState};

use super::position::KnownPositions;
use crate::{
    config::{NatsConfig, Storage},
    connection::Connection,
};

/// How long the broker may take to answer a request about streams and consumers.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before the stream is looked for again, when the broker is just starting.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How long all inboxes together may take to resume after a reconnect. Those that take longer
/// finish in the background.
const RESUME_TIMEOUT: Duration = Duration::from_secs(3);

/// How many messages of one route the stream keeps: more than fit into an inbox.
const MAX_MESSAGES_PER_SUBJECT: i64 = 65_536;

/// How many messages of a network the stream keeps. At a hundred bytes each that is about 100 MB if
/// none is read. Messages with several envelopes are longer, and there are fewer of them.
const MAX_MESSAGES: i64 = 1_048_576;

/// The window in which the broker recognises duplicates. They have no use here; this is the
/// shortest window it accepts.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

/// Identifies the stream after each loss of the connection. It changes with each loss, even if the
/// stream is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamGeneration {
    /// How many losses there were.
    number: u64,
    /// When the stream was created, in nanoseconds of the broker's clock. A stream that was lost
    /// and made again numbers its messages anew.
    pub(super) created: i128,
}

/// The stream of a network, and what its consumers share.
#[derive(Debug)]
pub(super) struct NetworkStream {
    pub(super) connection: Arc<Connection>,
    pub(super) context: Context,
    config: stream::Config,
    generation: watch::Sender<StreamGeneration>,
    pub(super) known_positions: Arc<KnownPositions>,
    /// Reports that a consumer was made for a generation.
    resumed: mpsc::UnboundedSender<StreamGeneration>,
    resumed_receiver: AsyncMutex<mpsc::UnboundedReceiver<StreamGeneration>>,
}

impl NetworkStream {
    /// Finds the stream of a network, or creates it.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] when the broker has no JetStream, or the stream of this name
    /// is not for this network.
    pub(super) async fn find_or_create(
        connection: Arc<Connection>,
        config: &NatsConfig,
        network: &NetworkId,
        known_positions: Arc<KnownPositions>,
    ) -> Result<Self, ConnectError> {
        let mut context = jetstream::new(connection.client.clone());
        context.set_timeout(RESPONSE_TIMEOUT);
        let config = stream::Config {
            name: stream_name(&config.prefix, network),
            subjects: vec![format!("{}>", connection.subjects.stem())],
            storage: match config.storage {
                Storage::Memory => stream::StorageType::Memory,
                Storage::File => stream::StorageType::File,
            },
            max_age: config.lifetime,
            max_messages: MAX_MESSAGES,
            max_messages_per_subject: MAX_MESSAGES_PER_SUBJECT,
            max_bytes: -1,
            max_consumers: -1,
            discard: stream::DiscardPolicy::Old,
            duplicate_window: DUPLICATE_WINDOW,
            num_replicas: 1,
            ..stream::Config::default()
        };
        let (resumed, resumed_receiver) = mpsc::unbounded_channel();
        let this = Self {
            connection,
            context,
            config,
            generation: watch::Sender::new(StreamGeneration { number: 0, created: 0 }),
            known_positions,
            resumed,
            resumed_receiver: resumed_receiver.into(),
        };
        let info = this.ensure().await.map_err(|what| this.unsupported(&what))?;
        if info.config.subjects != this.config.subjects {
            let name = &this.config.name;
            return Err(this.unsupported(&format!("its stream {name} is for other subjects; choose another prefix")));
        }
        this.generation.send_replace(StreamGeneration { number: 0, created: info.created.unix_timestamp_nanos() });
        Ok(this)
    }

    fn unsupported(&self, what: &str) -> ConnectError {
        ConnectError::Unsupported {
            broker: self.connection.endpoint.clone(),
            what: format!("{what}; use mode=core, or a server with JetStream, and a user who may use it"),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Returns how long a message is of use.
    pub(super) fn lifetime(&self) -> Duration {
        self.config.max_age
    }

    /// Returns a receiver of the present generation and of every later one. Each consumer holds
    /// exactly one.
    pub(super) fn generations(&self) -> watch::Receiver<StreamGeneration> {
        self.generation.subscribe()
    }

    /// Reports that a consumer was made for a generation.
    pub(super) fn report_resumed(&self, generation: StreamGeneration) {
        // The receiver is in `self`.
        let _ = self.resumed.send(generation);
    }

    /// Finds the stream, or creates it. An error is text for the log.
    async fn ensure(&self) -> Result<stream::Info, String> {
        match self.context.get_stream(&self.config.name).await {
            Ok(stream) => return Ok(stream.cached_info().clone()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(format!("JetStream does not answer ({error})")),
        }
        match self.context.create_stream(self.config.clone()).await {
            Ok(stream) => Ok(stream.cached_info().clone()),
            Err(error) => {
                // Another process may have created it meanwhile, with another lifetime.
                if matches!(error.kind(), CreateStreamErrorKind::JetStream(_))
                    && let Ok(stream) = self.context.get_stream(&self.config.name).await
                {
                    return Ok(stream.cached_info().clone());
                }
                Err(format!("the stream {} cannot be created ({error})", self.config.name))
            }
        }
    }

    /// Ensures after a reconnect that the stream is there, and has all consumers made anew. Returns
    /// when they are, or after [`RESUME_TIMEOUT`].
    pub(super) async fn restore(&self) {
        let mut attempts = 0;
        let created = loop {
            match self.ensure().await {
                Ok(info) => break info.created.unix_timestamp_nanos(),
                Err(why) => {
                    attempts += 1;
                    self.connection.status.set(ConnectionState::Reconnecting { attempts, why });
                    sleep(RETRY_PAUSE).await;
                }
            }
        };
        let generation = StreamGeneration { number: self.generation.borrow().number + 1, created };
        self.generation.send_replace(generation);
        let mut resumed = self.resumed_receiver.lock().await;
        let start = Instant::now();
        let mut count = 0;
        // Each consumer holds one receiver, so one that ends meanwhile is not waited for.
        while count < self.generation.receiver_count() && start.elapsed() < RESUME_TIMEOUT {
            match timeout(RETRY_PAUSE, resumed.recv()).await {
                Ok(Some(of)) if of == generation => count += 1,
                _ => {}
            }
        }
    }

    /// Returns whether the stream is there, and still the same. `None` means that the broker did
    /// not answer.
    pub(super) async fn is_intact(&self) -> Option<bool> {
        let created = self.generation.borrow().created;
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

/// Returns the name of the stream of a network.
pub(crate) fn stream_name(prefix: &str, network: &NetworkId) -> String {
    format!("{}_{network}", prefix.to_uppercase())
}
