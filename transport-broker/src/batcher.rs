//! Joins the frames that wait for one receiver, so that they travel as one message.
//!
//! Why: docs/decisions/0033-queued-frames-travel-as-one-message.md

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
};

use neuron_core::{
    hosts::Claim,
    transport::Address,
    wire::{Bundle, MAX_BUNDLE, frames},
};
use rustc_hash::FxHasher;

use crate::{ConnectionCommand, Route, Subjects, SubscribeReply};

/// A message for the broker.
#[derive(Debug)]
pub struct OutgoingMessage {
    /// The sender and the receiver.
    pub route: Route,
    /// The subject to publish it on.
    pub subject: String,
    /// A single frame, or a bundle of frames.
    pub payload: Vec<u8>,
    /// How many envelopes the payload holds; at least 1.
    pub envelopes: usize,
}

/// The next thing to do over the connection.
#[derive(Debug)]
pub enum BatchItem {
    /// Publish a message.
    Send(OutgoingMessage),
    /// Tell all hosts of the network what a host claims.
    Claim(Box<Claim>),
    /// Open an inbox, as [`ConnectionCommand::Subscribe`] says.
    Subscribe {
        /// The address of the inbox.
        at: Address,
        /// Receives the inbox.
        reply: SubscribeReply,
    },
    /// Subscribe for an open inbox, as [`ConnectionCommand::Attach`] says.
    Attach {
        /// The address of the inbox.
        at: Address,
    },
}

/// A FIFO of commands that joins frames of the same route into bundles.
///
/// Frames of one route keep their order. Frames of different routes may overtake each other, which
/// no guarantee forbids. No frame overtakes a subscription that a caller waits for.
///
/// Fill it with the commands that are waiting anyway, then empty it. No frame waits in here for
/// another one to join it, so batching adds no delay.
#[derive(Debug)]
pub struct Batcher {
    /// In the order of their first frames.
    items: VecDeque<PendingItem>,
    /// The index of the last bundle of each route that may still grow.
    growing: HashMap<Route, usize, BuildHasherDefault<FxHasher>>,
    max_bytes: usize,
}

#[derive(Debug)]
enum PendingItem {
    Bundle(Route, Bundle),
    Claim(Box<Claim>),
    Subscribe(Address, SubscribeReply),
    Attach(Address),
}

impl Default for Batcher {
    fn default() -> Self {
        Self { items: VecDeque::new(), growing: HashMap::default(), max_bytes: MAX_BUNDLE }
    }
}

impl Batcher {
    /// Limits bundles to `bytes`, if the broker takes less than [`MAX_BUNDLE`]. A single frame may
    /// be longer.
    pub fn set_limit(&mut self, bytes: usize) {
        self.max_bytes = bytes;
    }

    /// Appends a command.
    pub fn push(&mut self, command: ConnectionCommand) {
        let (route, frame) = match command {
            ConnectionCommand::Send { route, frame } => (route, frame),
            ConnectionCommand::Claim(claim) => return self.items.push_back(PendingItem::Claim(claim)),
            ConnectionCommand::Subscribe { at, reply } => {
                self.growing.clear();
                return self.items.push_back(PendingItem::Subscribe(at, reply));
            }
            ConnectionCommand::Attach { at } => {
                self.growing.clear();
                return self.items.push_back(PendingItem::Attach(at));
            }
        };
        if let Some(last) = self.growing.get_mut(&route) {
            if let PendingItem::Bundle(_, bundle) = &mut self.items[*last]
                && bundle.add(&frame, self.max_bytes)
            {
                return;
            }
            *last = self.items.len();
        } else {
            self.growing.insert(route.clone(), self.items.len());
        }
        self.items.push_back(PendingItem::Bundle(route, Bundle::new(frame)));
    }

    /// Removes and returns the next item; `None` once the batcher is empty.
    pub fn pop(&mut self, subjects: &Subjects) -> Option<BatchItem> {
        // Indices shift with each item that is removed.
        self.growing.clear();
        Some(match self.items.pop_front()? {
            PendingItem::Bundle(route, bundle) => {
                let envelopes = bundle.frames();
                let subject = subjects.of_route(&route);
                BatchItem::Send(OutgoingMessage { route, subject, payload: bundle.into_message(), envelopes })
            }
            PendingItem::Subscribe(at, reply) => BatchItem::Subscribe { at, reply },
            PendingItem::Attach(at) => BatchItem::Attach { at },
            PendingItem::Claim(claim) => BatchItem::Claim(claim),
        })
    }
}

/// Returns how many envelopes a payload holds; 1 if it cannot be split into frames.
pub fn count_envelopes(payload: &[u8]) -> u64 {
    frames(payload).map_or(1, |frames| frames.len() as u64)
}

#[cfg(test)]
mod tests {
    use neuron_core::wire::MAX_FRAMES;

    use super::*;

    fn route(from: &str, to: &str) -> Route {
        Route::Signal { from: from.parse().expect("a name"), to: to.parse().expect("a name") }
    }

    fn subjects() -> Subjects {
        Subjects::new("nn", &"n".parse().expect("a name"), '.')
    }

    fn add(batcher: &mut Batcher, route: Route, frame: &[u8]) {
        batcher.push(ConnectionCommand::Send { route, frame: frame.to_vec() });
    }

    /// Takes all items out: the subject and the frames of each message; both empty for a
    /// subscription.
    fn pop_all(batcher: &mut Batcher) -> Vec<(String, Vec<Vec<u8>>)> {
        let unpacked = |item| match item {
            BatchItem::Subscribe { .. } | BatchItem::Attach { .. } | BatchItem::Claim(_) => (String::new(), vec![]),
            BatchItem::Send(message) => {
                let frames: Vec<_> = frames(&message.payload).expect("a whole message").map(<[u8]>::to_vec).collect();
                assert_eq!((frames.len(), frames.len() as u64), (message.envelopes, count_envelopes(&message.payload)));
                (message.subject, frames)
            }
        };
        std::iter::from_fn(|| batcher.pop(&subjects())).map(unpacked).collect()
    }

    #[test]
    fn frames_of_one_route_travel_together_and_in_order() {
        let mut batcher = Batcher::default();
        for number in 0..3 {
            add(&mut batcher, route("a", "z"), &[1, 4, number]);
            add(&mut batcher, route("b", "z"), &[1, 5, number]);
        }
        add(&mut batcher, route("a", "y"), &[1, 6, 0]);
        let request = Route::Request { from: "a".parse().expect("a name"), to: "z".parse().expect("a name") };
        add(&mut batcher, request, &[1, 32, 0]);
        let three = |kind| (0..3).map(|number| vec![1, kind, number]).collect::<Vec<_>>();
        let expected = [
            ("nn.v1.n.sig.z.a".to_owned(), three(4)),
            ("nn.v1.n.sig.z.b".to_owned(), three(5)),
            ("nn.v1.n.sig.y.a".to_owned(), vec![vec![1, 6, 0]]),
            ("nn.v1.n.ctl.z.a".to_owned(), vec![vec![1, 32, 0]]),
        ];
        assert_eq!(pop_all(&mut batcher), expected);
        assert_eq!(pop_all(&mut batcher), []);
    }

    #[test]
    fn a_single_frame_travels_without_a_bundle() {
        let mut batcher = Batcher::default();
        add(&mut batcher, route("a", "z"), &[1, 4, 9]);
        let item = batcher.pop(&subjects());
        assert!(matches!(&item, Some(BatchItem::Send(message)) if message.payload == [1, 4, 9]), "{item:?}");
    }

    #[test]
    fn nothing_overtakes_a_subscription() {
        let mut batcher = Batcher::default();
        for number in 0..2 {
            add(&mut batcher, route("a", "z"), &[1, 4, number]);
            let (reply, _) = tokio::sync::oneshot::channel();
            batcher.push(ConnectionCommand::Subscribe { at: Address::Neuron("z".parse().expect("a name")), reply });
        }
        add(&mut batcher, route("a", "z"), &[1, 4, 2]);
        let numbers = pop_all(&mut batcher).into_iter().map(|(_, frames)| frames.concat()).collect::<Vec<_>>();
        assert_eq!(numbers, [vec![1, 4, 0], vec![], vec![1, 4, 1], vec![], vec![1, 4, 2]]);
    }

    #[test]
    fn a_full_bundle_is_followed_by_another_one() {
        let mut batcher = Batcher::default();
        let count = 3 * MAX_FRAMES as u32 + 1;
        for number in 0..count {
            add(&mut batcher, route("a", "z"), &number.to_le_bytes());
        }
        let frames_of =
            |batcher: &mut Batcher| pop_all(batcher).into_iter().map(|(_, frames)| frames).collect::<Vec<_>>();
        let messages = frames_of(&mut batcher);
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_FRAMES, MAX_FRAMES, MAX_FRAMES, 1]);
        assert!(messages.concat().into_iter().eq((0..count).map(|number| number.to_le_bytes().to_vec())));
        // A long frame between short ones keeps its place.
        let frames = [vec![1; 10], vec![2; MAX_BUNDLE], vec![3; 10], vec![4; 10]];
        for frame in &frames {
            add(&mut batcher, route("a", "z"), frame);
        }
        let messages = frames_of(&mut batcher);
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2]);
        assert_eq!(messages.concat(), frames);
        batcher.set_limit(100);
        for _ in 0..4 {
            add(&mut batcher, route("a", "z"), &[0; 40]);
        }
        assert_eq!(frames_of(&mut batcher).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
