//! What a connection has counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a connection counts while it works.
        #[derive(Debug, Default)]
        pub struct ConnectionCounters {
            $($name: AtomicU64,)*
        }

        /// What a connection has counted since it was first made.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl ConnectionCounters {
            $(
                /// Counts so many more.
                pub fn $name(&self, more: u64) {
                    self.$name.fetch_add(more, Ordering::Relaxed);
                }
            )*

            /// All counts as of now.
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Envelopes that the broker has been given.
    sent,
    /// Envelopes that came from the broker and were put into an inbox.
    received,
    /// Envelopes that were not given to the broker, because there was no connection, or that may not have been, because it broke at
    /// that moment.
    unsent,
    /// Envelopes that the broker refused, for lack of permission for example.
    refused,
    /// Envelopes that came when their inbox was full, and were dropped.
    overflowed,
    /// Envelopes that came for nobody in this process.
    unclaimed,
    /// Envelopes that came and were none of ours: bytes of another version, or none at all. What cannot be told apart counts as one.
    unreadable,
    /// Envelopes that waited at the broker for longer than what they say lasts, and were skipped.
    expired,
    /// Times the connection was made again.
    reconnects,
}
