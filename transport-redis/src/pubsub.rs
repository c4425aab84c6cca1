//! Mode pubsub: messages are published, and the server keeps nothing.

use redis::{Msg, Pipeline};
use transport_broker::{ConnectionCounters, Inboxes, OutgoingMessage, Subjects, count_envelopes};

/// Adds a message to a pipeline.
pub(crate) fn publish(pipeline: &mut Pipeline, message: &OutgoingMessage) {
    pipeline.cmd("PUBLISH").arg(&message.subject).arg(&message.payload);
}

/// Delivers a message that the server pushes.
pub(crate) fn on_message(message: &Msg, subjects: &Subjects, inboxes: &Inboxes, counters: &ConnectionCounters) {
    match subjects.parse(message.get_channel_name()) {
        Some(subject) => inboxes.deliver_or_drop(&subject, message.get_payload_bytes()),
        None => counters.unreadable(count_envelopes(message.get_payload_bytes())),
    }
}
