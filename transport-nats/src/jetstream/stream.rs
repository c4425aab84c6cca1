//! The stream of a network at the broker.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, Context, ErrorCode, context::CreateStreamErrorKind, stream};
use neuron_core::NetworkId;
use serde_json::Value;
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use transport_broker::{ConnectError, ConnectionState};

use super::{
    position::KnownPositions,
    stream_config::{definition, difference, to_json},
};
use crate::{config::NatsConfig, connection::Connection};

/// How long the broker may take to answer a request about streams and consumers.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before the stream is looked for again, when the broker is just starting.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// How long all inboxes together may take to resume after a reconnect. Those that take longer
/// finish in the background.
const RESUME_TIMEOUT: Duration = Duration::from_secs(3);

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

/// Why a stream cannot be used. The texts are for errors and the log.
#[derive(Debug)]
enum StreamError {
    /// JetStream does not answer, or answers with an error.
    Unavailable(String),
    /// There is no such stream, and this user may not create it.
    Missing(String),
    /// The stream that exists is not the one that this transport would create.
    Different(String),
}

impl StreamError {
    fn into_text(self) -> String {
        match self {
            Self::Unavailable(text) | Self::Different(text) => text,
            Self::Missing(what) => format!("the broker does not have {what}"),
        }
    }
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
    /// is not as this transport would create it; [`ConnectError::NotPrepared`] when there is no
    /// such stream, and this user may not create it.
    pub(super) async fn find_or_create(
        connection: Arc<Connection>,
        config: &NatsConfig,
        network: &NetworkId,
        known_positions: Arc<KnownPositions>,
    ) -> Result<Self, ConnectError> {
        let mut context = jetstream::new(connection.client.clone());
        context.set_timeout(RESPONSE_TIMEOUT);
        let config = definition(config, network);
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
        let created = match this.ensure(true).await {
            Ok(created) => created,
            Err(StreamError::Unavailable(what)) => {
                let what = format!("{what}; use mode=core, or a server with JetStream, and a user who may use it");
                return Err(ConnectError::Unsupported { broker: this.connection.endpoint.clone(), what });
            }
            Err(StreamError::Different(what)) => {
                return Err(ConnectError::Unsupported { broker: this.connection.endpoint.clone(), what });
            }
            Err(StreamError::Missing(what)) => {
                return Err(ConnectError::NotPrepared { broker: this.connection.endpoint.clone(), what });
            }
        };
        this.generation.send_replace(StreamGeneration { number: 0, created });
        Ok(this)
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

    /// Finds the stream, or creates it if it does not exist and `may_create` is set. Returns when
    /// it was created, in nanoseconds of the broker's clock.
    async fn ensure(&self, may_create: bool) -> Result<i128, StreamError> {
        if let Some(created) = self.find().await? {
            return Ok(created);
        }
        let name = &self.config.name;
        let missing = || {
            let what = format!(
                "the stream {name} yet, and this user may not create it; let a controller connect first, or create it \
                 from `NatsConfig::stream_definition`"
            );
            StreamError::Missing(what)
        };
        if !may_create {
            return Err(missing());
        }
        match self.context.create_stream(self.config.clone()).await {
            // The server may have changed what it was given.
            Ok(_) => self.find().await?.ok_or_else(missing),
            Err(error) => match (self.find().await?, error.kind()) {
                // Another process has created it meanwhile.
                (Some(created), _) => Ok(created),
                // The server drops requests that are not permitted.
                (None, CreateStreamErrorKind::TimedOut) => Err(missing()),
                (None, _) => Err(StreamError::Unavailable(format!("the stream {name} cannot be created ({error})"))),
            },
        }
    }

    /// Returns when the stream was created; `None` if it does not exist.
    ///
    /// # Errors
    /// [`StreamError::Different`] if any part of its configuration is not as wanted.
    async fn find(&self) -> Result<Option<i128>, StreamError> {
        let name = &self.config.name;
        let unanswered = |error| StreamError::Unavailable(format!("JetStream does not answer ({error})"));
        // Taken as it is: the client leaves out fields that it does not know.
        let request = self.context.request(format!("STREAM.INFO.{name}"), &());
        let answer: Value = request.await.map_err(|error| unanswered(error.to_string()))?;
        if let Some(code) = answer["error"]["err_code"].as_u64() {
            if code == ErrorCode::STREAM_NOT_FOUND.0 {
                return Ok(None);
            }
            return Err(unanswered(answer["error"]["description"].as_str().unwrap_or_default().to_owned()));
        }
        if let Some(different) = difference(&to_json(&self.config), &answer["config"]) {
            let what = format!(
                "the stream {name} is not as this transport would create it: {different}; change what differs in the \
                 address or at the broker, or choose another prefix"
            );
            return Err(StreamError::Different(what));
        }
        let info: stream::Info = serde_json::from_value(answer).map_err(|error| unanswered(error.to_string()))?;
        Ok(Some(info.created.unix_timestamp_nanos()))
    }

    /// Ensures after a reconnect that the stream is there, and has all consumers made anew. Returns
    /// when they are, or after [`RESUME_TIMEOUT`].
    pub(super) async fn restore(&self) {
        let mut attempts = 0;
        let mut is_forbidden = false;
        let created = loop {
            // One attempt suffices to learn that this user may not create it.
            match self.ensure(attempts == 0 || !is_forbidden).await {
                Ok(created) => break created,
                Err(error) => {
                    attempts += 1;
                    is_forbidden = matches!(error, StreamError::Missing(_));
                    let why = error.into_text();
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

    /// Returns whether the stream is there, still the same, and still as wanted. `None` means that
    /// the broker did not answer.
    pub(super) async fn is_intact(&self) -> Option<bool> {
        let created = self.generation.borrow().created;
        match self.find().await {
            Ok(found) => Some(found == Some(created)),
            Err(StreamError::Unavailable(error)) => {
                tracing::debug!(broker = self.connection.status.broker(), %error, "JetStream does not answer");
                None
            }
            Err(StreamError::Different(_) | StreamError::Missing(_)) => Some(false),
        }
    }
}
