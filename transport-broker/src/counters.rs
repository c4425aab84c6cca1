//! What a transport counts.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of one transport, shared by all that work for it. [`snapshot`] reads them.
        ///
        /// [`snapshot`]: ConnectionCounters::snapshot
        #[derive(Debug, Default)]
        pub struct ConnectionCounters {
            $($name: AtomicU64,)*
        }

        /// A snapshot of the counters of a transport since its first connection.
        ///
        /// All but `reconnects` count envelopes, also those that travel together in one message.
        /// The counters are read one after the other, so they may differ by what happens meanwhile.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl ConnectionCounters {
            $(
                /// Adds `more` to the counter of this name.
                pub fn $name(&self, more: u64) {
                    self.$name.fetch_add(more, Ordering::Relaxed);
                }
            )*

            /// Returns all counts as of now.
            pub fn snapshot(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Envelopes that the broker has received. With NATS, counted up to 0.1 s later; with JetStream
    /// some of them may have been refused, in the millisecond in which the store became full.
    sent,
    /// Envelopes that came from the broker and were put into an inbox.
    received,
    /// Envelopes from this process that were put into an inbox of it, without the broker.
    local,
    /// Envelopes that did not reach the broker because there was no connection, or may not have
    /// reached it because the connection broke at that moment.
    unsent,
    /// Envelopes that the broker refused, for lack of permission or of room, or because they are
    /// longer than it takes. With NATS core, some of them are counted as sent before.
    refused,
    /// Envelopes that the broker passed on to no process, because none had the receiver's inbox.
    /// Counted for Redis in mode pubsub; with NATS it is not known.
    unheard,
    /// Envelopes that were dropped because their inbox was full.
    overflowed,
    /// Envelopes that came for an address without an inbox in this process.
    unclaimed,
    /// Envelopes that could not be decoded: another protocol version, or foreign bytes. A message
    /// that cannot be split into envelopes counts as one.
    unreadable,
    /// Envelopes that waited at the broker for longer than the lifetime, and were skipped.
    expired,
    /// How often a lost connection was made again. A move to a host's thread does not count.
    reconnects,
}
