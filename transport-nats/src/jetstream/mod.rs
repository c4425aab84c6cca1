//! Mode JetStream: a stream at the broker keeps messages, and each inbox reads it through a
//! consumer of its own.

mod consumer;
mod consumer_config;
mod position;
mod stream;
mod stream_config;

use std::sync::Arc;

use neuron_core::{
    NetworkId,
    transport::{Address, TransportErrorKind},
};
use transport_broker::ConnectError;

use self::{consumer::Consumer, stream::NetworkStream};
pub(crate) use self::{
    position::KnownPositions,
    stream_config::{definition, stream_name, to_json},
};
use crate::{
    config::NatsConfig,
    connection::Connection,
    inbox_tasks::{InboxTask, InboxTasks},
    open_request::OpenRequest,
};

/// The subscriptions of a connection in mode JetStream.
#[derive(Debug)]
pub(crate) struct JetStreamSubscriptions {
    stream: Arc<NetworkStream>,
    tasks: InboxTasks,
}

impl JetStreamSubscriptions {
    /// Finds the stream of a network, or creates it.
    ///
    /// # Errors
    /// As for [`NetworkStream::find_or_create`].
    pub(crate) async fn new(
        connection: Arc<Connection>,
        config: &NatsConfig,
        network: &NetworkId,
        known_positions: Arc<KnownPositions>,
    ) -> Result<Self, ConnectError> {
        let stream = NetworkStream::find_or_create(connection, config, network, known_positions).await?;
        Ok(Self { stream: Arc::new(stream), tasks: InboxTasks::default() })
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.stream.connection
    }

    pub(crate) fn tasks(&self) -> &InboxTasks {
        &self.tasks
    }

    /// Opens an inbox.
    pub(crate) async fn open(self: Arc<Self>, mut request: OpenRequest) {
        let slot = self.tasks.slot(&request.at);
        let mut task = slot.lock().await;
        let at = request.at.clone();
        let inboxes = &self.connection().inboxes;
        let opened = tokio::select! {
            opened = Consumer::open(self.stream.clone(), &at, &mut task) => opened,
            () = request.given_up() => Err(TransportErrorKind::Closed.into()),
        };
        if opened.is_err() && task.is_none() {
            // The task of the inbox before this one has been stopped, so that inbox ends as well.
            inboxes.close(&at);
        }
        match opened {
            Ok(consumer) => request.answer_with(|reply| {
                let inbox = inboxes.open_for(&at, reply)?;
                self.stream.known_positions.insert(&at, consumer.position());
                *task = Some(InboxTask::spawn(consumer.run()));
                Some(inbox)
            }),
            Err(error) => request.answer(Err(error)),
        }
        drop(task);
        self.tasks.stop_if_closed(&at, inboxes);
    }

    /// Makes a consumer for an inbox that was opened over another connection, or without one,
    /// unless it is being read already.
    pub(crate) async fn take_over(self: Arc<Self>, at: Address) {
        let slot = self.tasks.slot(&at);
        let mut task = slot.lock().await;
        if task.as_ref().is_some_and(InboxTask::is_running) || !self.connection().inboxes.is_open(&at) {
            drop(task);
            self.tasks.stop_if_closed(&at, &self.connection().inboxes);
            return;
        }
        match Consumer::take_over(self.stream.clone(), &at).await {
            Ok(consumer) => {
                self.stream.known_positions.insert(&at, consumer.position());
                *task = Some(InboxTask::spawn(consumer.run()));
            }
            Err(error) => self.connection().end_inbox(&at, &error),
        }
        drop(task);
        self.tasks.stop_if_closed(&at, &self.connection().inboxes);
    }

    /// Ensures after a reconnect that the stream is there, and has all consumers made anew.
    pub(crate) async fn restore(&self) {
        self.stream.restore().await;
    }

    /// Returns whether the stream is there, and still the same. `None` means that the broker did
    /// not answer.
    pub(crate) async fn is_intact(&self) -> Option<bool> {
        self.stream.is_intact().await
    }
}
