//! Publish and subscribe.

use redis::{Msg, Pipeline, PushInfo};
use transport_broker::{ConnectionCounters, Inboxes, OutgoingMessage, Subjects, envelopes};

/// Adds a message to what is written next.
pub(crate) fn publish(pipeline: &mut Pipeline, message: &OutgoingMessage) {
    pipeline.cmd("PUBLISH").arg(&message.subject).arg(&message.message);
}

/// Takes in what the server pushes.
pub(crate) fn take(push: PushInfo, subjects: &Subjects, inboxes: &Inboxes, counters: &ConnectionCounters) {
    let Some(message) = Msg::from_push_info(push) else { return };
    match subjects.parse(message.get_channel_name()) {
        Some(parsed) => inboxes.deliver_or_drop(&parsed, message.get_payload_bytes()),
        None => counters.unreadable(envelopes(message.get_payload_bytes())),
    }
}
