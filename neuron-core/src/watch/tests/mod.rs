//! Watches, with time moved by hand.

mod host_watchers;
mod link;
mod network;
mod network_driver;
mod unread;
