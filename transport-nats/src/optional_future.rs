//! A future that may be absent, for `select!` loops.

use std::{
    future::{Future, pending},
    pin::Pin,
};

/// A future that runs, or `None`.
pub(crate) type OptionalFuture<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Returns the output of the future, and replaces it by `None`. While there is none, it never
/// returns. Dropping it loses nothing.
pub(crate) async fn wait_optional<T>(future: &mut OptionalFuture<T>) -> T {
    match future {
        Some(running) => {
            let output = running.await;
            *future = None;
            output
        }
        None => pending().await,
    }
}
