//! Publish and subscribe.

use redis::{Msg, Pipeline, PushInfo};
use transport_broker::{Counters, Delivered, Inboxes, Routes};

/// Adds a message to what is written next.
pub(crate) fn publish(pipeline: &mut Pipeline, subject: &str, frame: &[u8]) {
    pipeline.cmd("PUBLISH").arg(subject).arg(frame);
}

/// Takes in what the server pushes.
pub(crate) fn take(push: PushInfo, routes: &Routes, inboxes: &Inboxes, counters: &Counters) {
    let Some(message) = Msg::from_push_info(push) else { return };
    match routes.parse(message.get_channel_name()) {
        Some(route) => {
            if let Delivered::Full(..) = inboxes.deliver(&route, message.get_payload_bytes()) {
                counters.overflowed(1);
            }
        }
        None => counters.unreadable(1),
    }
}
