//! On which thread neurons are run.

use std::cell::Cell;

thread_local! {
    static RUNS_NEURONS: Cell<bool> = const { Cell::new(false) };
}

/// Whether a host runs its neurons on this thread. A connection that does its work here as well saves each message two changes of
/// threads.
pub fn runs_neurons() -> bool {
    RUNS_NEURONS.get()
}

/// Says that this thread runs neurons, on a tokio runtime that goes on until the thread ends. For hosts.
pub fn mark_as_host_thread() {
    RUNS_NEURONS.set(true);
}
