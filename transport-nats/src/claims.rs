//! Which neurons hosts claim: over a subject of the user, in both modes.
//!
//! The subject is below that of the answers to the user, which only this user and the broker may
//! publish to, and only this user may read. So a claim needs no permission of its own, and a device
//! claims nothing for another one. Two processes that run a neuron log in as one user.
//!
//! A consumer of JetStream delivers to any subject that its user names. Such a message has the subject
//! that it was published on, and one for its acknowledgement; it is not taken for a claim.
//!
//! Why: docs/decisions/0052-a-host-claims-its-neurons.md

use std::sync::Arc;

use async_nats::Client;
use futures_util::StreamExt as _;
use neuron_core::{hosts::Claim, wire};
use tokio::task::JoinHandle;
use transport_broker::{ConnectionCounters, Inboxes, Subjects};

/// Returns the subject of the claims of a network. `prefix` is that of the answers to the user.
pub(crate) fn subject(prefix: &str, subjects: &Subjects) -> String {
    format!("{prefix}.{}claim", subjects.stem())
}

/// Listens to the claims of all hosts, and passes them on to those of this process. The client
/// subscribes again by itself after it was disconnected. Ends with the client.
///
/// # Errors
/// When the client has ended.
pub(crate) async fn listen(
    client: &Client,
    subject: String,
    inboxes: Arc<Inboxes>,
    counters: Arc<ConnectionCounters>,
) -> Option<JoinHandle<()>> {
    let mut messages = client.subscribe(subject.clone()).await.ok()?;
    Some(tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            if message.subject.as_str() != subject || message.reply.is_some() {
                counters.unreadable(1);
                continue;
            }
            match wire::decode_claim(&message.payload) {
                Ok(claim) => drop(inboxes.claims().deliver(&claim)),
                Err(_) => counters.unreadable(1),
            }
        }
    }))
}

/// Publishes a claim. If it is lost, the host claims again.
pub(crate) async fn publish(client: &Client, subject: String, claim: &Claim) {
    match wire::encode_claim(claim) {
        Ok(frame) => drop(client.publish(subject, frame.into()).await),
        Err(error) => tracing::error!(%error, "a claim cannot be written"),
    }
}
