//! Publish and subscribe.

use redis::{Msg, Pipeline, PushInfo};
use transport_broker::{Counters, Inboxes, Parcel, Routes, envelopes};

/// Adds a message to what is written next.
pub(crate) fn publish(pipeline: &mut Pipeline, parcel: &Parcel) {
    pipeline.cmd("PUBLISH").arg(&parcel.subject).arg(&parcel.message);
}

/// Takes in what the server pushes.
pub(crate) fn take(push: PushInfo, routes: &Routes, inboxes: &Inboxes, counters: &Counters) {
    let Some(message) = Msg::from_push_info(push) else { return };
    match routes.parse(message.get_channel_name()) {
        Some(route) => inboxes.deliver_or_drop(&route, message.get_payload_bytes()),
        None => counters.unreadable(envelopes(message.get_payload_bytes())),
    }
}
