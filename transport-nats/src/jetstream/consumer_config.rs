//! The durable consumer of an inbox at the broker: its name, its configuration, its messages.

use std::{future::Future, time::Duration};

use async_nats::{
    Subscriber,
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, DeliverPolicy, push},
        stream::{ConsumerError, ConsumerErrorKind},
    },
};
use neuron_core::transport::{Address, TransportError, TransportErrorKind};
use tokio::{sync::broadcast::error::RecvError, time::Instant};
use transport_broker::MessageKind;

use super::stream::NetworkStream;
use crate::{
    broker_clock::BrokerClock,
    connection::Connection,
    refusal::{is_about_consumer, is_about_subscriptions, names_subject},
};

/// How many messages may be delivered and unacknowledged. All others wait at the broker.
const MAX_UNACKNOWLEDGED: i64 = 1024;

/// How long the broker waits for an acknowledgement. It must not deliver a message twice, so this
/// is longer than any inbox stays full.
const ACK_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// How often the broker sends a heartbeat while there is no message.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How long the broker keeps a consumer that is not read.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// What makes up a consumer on this side.
pub(super) struct CreatedConsumer {
    pub(super) messages: Subscriber,
    /// The subject that the broker delivers to.
    pub(super) deliver_subject: String,
    pub(super) clock: BrokerClock,
}

/// Creates the consumer of an inbox, in place of one that exists. It delivers what comes after
/// message `last`.
pub(super) async fn create(stream: &NetworkStream, at: &Address, last: u64) -> Result<CreatedConsumer, TransportError> {
    let client = &stream.connection.client;
    let name = durable_name(at);
    // It usually exists. What matters is that it does not any more.
    let _ = stream.context.delete_consumer_from_stream(&name, stream.name()).await;
    let deliver_subject = client.new_inbox();
    let messages = client.subscribe(deliver_subject.clone()).await.map_err(unreachable)?;
    let config = push::Config {
        deliver_subject: deliver_subject.clone(),
        durable_name: Some(name),
        filter_subject: filter(stream, at),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: last.saturating_add(1) },
        ack_policy: AckPolicy::All,
        ack_wait: ACK_TIMEOUT,
        max_deliver: 1,
        max_ack_pending: MAX_UNACKNOWLEDGED,
        inactive_threshold: INACTIVE_TIMEOUT,
        idle_heartbeat: HEARTBEAT,
        ..push::Config::default()
    };
    let created = stream.context.create_consumer_on_stream(config, stream.name()).await.map_err(unreachable)?;
    let broker_time = created.cached_info().created.unix_timestamp_nanos();
    Ok(CreatedConsumer { messages, deliver_subject, clock: BrokerClock::new(broker_time, Instant::now()) })
}

/// Returns the last message that an earlier consumer of this inbox has acknowledged; `None` if
/// there was none, or the broker has removed it.
pub(super) async fn acknowledged_through(stream: &NetworkStream, at: &Address) -> Result<Option<u64>, TransportError> {
    let name = durable_name(at);
    match stream.context.get_consumer_from_stream::<push::Config, _, _>(name, stream.name()).await {
        Ok(consumer) => Ok(Some(consumer.cached_info().ack_floor.stream_sequence)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(unreachable(error)),
    }
}

/// What has become of a consumer at the broker.
pub(super) enum ConsumerStatus {
    /// It exists as it was made, or the broker did not answer.
    Present,
    /// It was removed, or the process that has replaced it does not read it any more.
    Removed,
    /// Another process has made it anew, and reads it.
    Replaced,
}

/// Asks the broker what has become of the consumer that delivers to a subject.
pub(super) async fn status(stream: &NetworkStream, at: &Address, deliver_subject: &str) -> ConsumerStatus {
    let name = durable_name(at);
    match stream.context.get_consumer_from_stream::<push::Config, _, _>(&name, stream.name()).await {
        Ok(consumer) if consumer.cached_info().config.deliver_subject.as_deref() == Some(deliver_subject) => {
            ConsumerStatus::Present
        }
        Ok(consumer) if consumer.cached_info().push_bound => ConsumerStatus::Replaced,
        // The process that has replaced it is gone.
        Ok(_) => ConsumerStatus::Removed,
        Err(error) if is_missing(&error) => ConsumerStatus::Removed,
        Err(_) => ConsumerStatus::Present,
    }
}

fn is_missing(error: &ConsumerError) -> bool {
    matches!(error.kind(), ConsumerErrorKind::JetStream(error) if error.error_code() == ErrorCode::CONSUMER_NOT_FOUND)
}

/// Waits until the broker refuses, from now on, what an inbox needs to be read. Returns its words.
pub(super) fn wait_refused(connection: &Connection, at: &Address) -> impl Future<Output = String> + Send + use<> {
    let echo_subject = connection.subjects.echo_subject(at);
    let consumer = durable_name(at);
    let mut refusals = connection.refusals.subscribe();
    async move {
        loop {
            match refusals.recv().await {
                Ok(text)
                    if names_subject(&text, &echo_subject)
                        || is_about_consumer(&text, &consumer)
                        // It may be the one of another inbox: which one is not said.
                        || is_about_subscriptions(&text) =>
                {
                    break text.to_string();
                }
                // If a missed one was about this inbox, the caller's timeout ends the wait.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// Returns the name of the consumer of an inbox.
fn durable_name(at: &Address) -> String {
    match at {
        Address::Neuron(id) => format!("n_{id}"),
        Address::Controller(id) => format!("c_{id}"),
        Address::Host(id) => format!("h_{id}"),
    }
}

/// Returns the filter for the messages of an inbox. Older servers ignore all filters but one, so it
/// is a single one, which lets the reports to a controller of the neuron's name through as well.
fn filter(stream: &NetworkStream, at: &Address) -> String {
    let stem = stream.connection.subjects.stem();
    match at {
        Address::Neuron(id) => format!("{stem}*.{id}.*"),
        Address::Controller(id) => format!("{stem}{}.{id}.*", MessageKind::Report.as_str()),
        Address::Host(id) => format!("{stem}{}.{id}.*", MessageKind::Host.as_str()),
    }
}

/// Returns the number of a message in the stream, and when it came there, in nanoseconds of the
/// broker's clock. Both stand in the subject for its acknowledgement:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<tries>.<number>.<count>.<time>.<pending>[.<more>]`.
/// `None` means that it has another form.
pub(super) fn parse_ack_subject(reply: &str) -> Option<(u64, i128)> {
    let parts: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let skipped = if parts.len() >= 9 { 2 } else { 0 };
    Some((parts.get(skipped + 3)?.parse().ok()?, parts.get(skipped + 5)?.parse().ok()?))
}

pub(super) fn unreachable(error: impl std::error::Error + Send + Sync + 'static) -> TransportError {
    TransportError::new(TransportErrorKind::Unreachable, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_acknowledgement_tell_the_position() {
        let short = parse_ack_subject("$JS.ACK.NN_xor.n_z.1.42.7.1700000000000000000.3");
        assert_eq!(short, Some((42, 1_700_000_000_000_000_000)));
        assert_eq!(parse_ack_subject("$JS.ACK._.hash.NN_xor.n_z.1.42.7.17.3.token"), Some((42, 17)));
        for reply in ["", "_INBOX.x", "$JS.ACK.", "$JS.ACK.a.b.c.d.e.f.g"] {
            assert_eq!(parse_ack_subject(reply), None, "{reply}");
        }
    }
}
