//! The broker's messages about what it does not permit.

use std::sync::Arc;

use tokio::{sync::broadcast, task::yield_now};

/// How many refusals a slow listener may lag behind.
const CAPACITY: usize = 256;

/// Passes the refusals on, in the words of the broker.
pub(crate) type Refusals = broadcast::Sender<Arc<str>>;

/// Creates a channel for refusals.
pub(crate) fn channel() -> Refusals {
    broadcast::Sender::new(CAPACITY)
}

/// How many tasks take their turns, at most, until a refusal that was read has been passed on: the
/// client's, the supervisor, and as many again.
const TASKS_BEFORE_LISTENER: usize = 8;

/// Lets the tasks of this thread pass on what the broker has refused before the message that the
/// caller has just received.
pub(crate) async fn pass_on() {
    for _ in 0..TASKS_BEFORE_LISTENER {
        yield_now().await;
    }
}

/// Returns the subject that a refusal is about; `None` if it names none.
pub(crate) fn subject(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// Returns whether a refusal is about this very subject, and not about one that contains it.
pub(crate) fn names_subject(text: &str, subject: &str) -> bool {
    text.contains(&format!("\"{subject}\""))
}

/// Returns whether a refusal is about the number of subscriptions. It does not say which one is
/// refused.
pub(crate) fn is_about_subscriptions(text: &str) -> bool {
    text.to_ascii_lowercase().contains("maximum subscriptions exceeded")
}

/// Returns whether a refusal is about the consumer of this name, or about its stream as a whole.
///
/// Refused acknowledgements do not count, because they do not keep the inbox from being read.
pub(crate) fn is_about_consumer(text: &str, consumer: &str) -> bool {
    let names_consumer = || text.split(['.', '"']).any(|part| part == consumer);
    text.contains("$JS.API.STREAM.") || !text.contains("\"$JS.ACK.") && names_consumer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_about_the_consumer_that_it_names() {
        let refusal = r#"Permissions Violation for Publish to "$JS.API.CONSUMER.CREATE.NN_xor.n_z.nn.v1.xor.*.z.*""#;
        assert!(is_about_consumer(refusal, "n_z"));
        assert!(!is_about_consumer(refusal, "n_z2") && !is_about_consumer(refusal, "n_x"));
        let stream = r#"Permissions Violation for Publish to "$JS.API.STREAM.INFO.NN_xor""#;
        assert!(is_about_consumer(stream, "n_x"));
        let acknowledgement = r#"Permissions Violation for Publish to "$JS.ACK.NN_xor.n_x.1.42.7.17.3""#;
        assert!(!is_about_consumer(acknowledgement, "n_x"));
    }
}
