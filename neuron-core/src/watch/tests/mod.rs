//! Watches, with time moved by hand.

#[cfg(feature = "actor")]
mod host_watchers;
mod link;
#[cfg(feature = "actor")]
mod network;
#[cfg(feature = "actor")]
mod network_driver;
#[cfg(feature = "actor")]
mod unread;
