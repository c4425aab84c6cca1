//! How a sender and a receiver come to share a channel.
//!
//! A channel has one sender and one receiver: `nn:v1:<network>:sig:z:x` carries signals from `x` to
//! `z`. The receiver subscribes to exact channels, because a server finds those at once, and
//! compares every message with every pattern. So a receiver has to know who is going to send to it:
//! before its first message, a sender *calls* the receiver, which subscribes and answers that it is
//! *ready*; then the message is published. Calls are [notes](notes) on a channel of their sender,
//! `nn:v1:<network>:note:<sender>`, which all processes receive, over the only pattern that there
//! is. The server's permissions authenticate the sender of a note like that of a message.
//!
//! A sender also subscribes to what answers it, so an edge needs one call for both directions. An
//! inbox that is opened says so in a note: senders that were heard by an earlier process with that
//! address call again.
//!
//! The server answers each message with the number of connections that it went to. A message that
//! reached none is kept, and its receiver is called again.
//!
//! Why: docs/decisions/0050-receivers-subscribe-to-exact-channels.md

mod channels;
mod contacts;
mod notes;

pub(crate) use self::{
    channels::Channels,
    contacts::{Admission, Answered, Contacts, Sent},
    notes::{Note, Notes, parse_notes, pattern},
};
