//! Echoes: empty messages that an inbox sends to itself.
//!
//! The broker does not confirm a subscription. But it handles the commands of a connection in
//! order, so an echo that comes back proves that the subscriptions before it stand.

use async_nats::Message;

/// Returns whether a message is an echo on the given echo subject.
pub(crate) fn is_echo(message: &Message, echo_subject: &str) -> bool {
    message.payload.is_empty() && message.subject.as_str() == echo_subject
}
