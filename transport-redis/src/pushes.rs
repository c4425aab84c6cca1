//! What the server sends without a request: messages for inboxes, and notes.

use std::sync::Arc;

use redis::PushInfo;
use tokio::sync::mpsc;
use transport_broker::{ConnectionCounters, Inboxes, Subjects};

use crate::{
    connection::PushHandler,
    contact::{Note, parse_notes},
    pubsub,
    streams::Streams,
};

/// Returns what handles the messages that the server pushes: those for inboxes, and notes.
pub(crate) fn push_handler(
    subjects: Arc<Subjects>,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
    streams: Option<Arc<Streams>>,
    note_sender: mpsc::Sender<Vec<Note>>,
) -> PushHandler {
    let take_notes = {
        let (subjects, inboxes, counters) = (subjects.clone(), inboxes.clone(), counters.clone());
        move |channel: &str, payload: &[u8]| {
            let Some((mut notes, unreadable)) = parse_notes(&subjects, channel, payload) else { return false };
            counters.unreadable(unreadable);
            notes.retain(|note| match note {
                Note::Call(route) => inboxes.is_open(&route.target()),
                Note::Claim(claim) => {
                    inboxes.claims().deliver(claim);
                    false
                }
                Note::Opened(_) | Note::Ready(_) => true,
            });
            if !notes.is_empty() && note_sender.try_send(notes).is_err() {
                counters.overflowed(1);
            }
            true
        }
    };
    Arc::new(move |push: PushInfo| {
        let Some(message) = redis::Msg::from_push_info(push) else { return };
        if take_notes(message.get_channel_name(), message.get_payload_bytes()) {
            return;
        }
        match &streams {
            Some(streams) => streams.on_message(&message),
            None => pubsub::on_message(&message, &subjects, &inboxes, &counters),
        }
    })
}
