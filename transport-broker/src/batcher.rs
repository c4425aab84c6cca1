//! Joins what waits for one receiver, so that it travels as one message.

use std::{
    collections::{HashMap, VecDeque},
    hash::BuildHasherDefault,
};

use neuron_core::{
    transport::Address,
    wire::{Bundle, MAX_BUNDLE, frames},
};
use rustc_hash::FxHasher;

use crate::{ConnectionCommand, Route, Subjects, SubscribeReply};

/// What goes to the broker as one message.
#[derive(Debug)]
pub struct OutgoingMessage {
    /// Where it goes.
    pub subject: String,
    /// A frame, or a bundle of them.
    pub message: Vec<u8>,
    /// How many envelopes that is.
    pub envelopes: usize,
}

/// What is to be done next.
#[derive(Debug)]
pub enum BatchItem {
    /// Give a message to the broker.
    Send(OutgoingMessage),
    /// Subscribe, as [`Job::Subscribe`] says.
    Subscribe {
        /// Whose inbox.
        at: Address,
        /// Who waits for it.
        done: SubscribeReply,
    },
}

/// Joins frames that take the same way, in their order. Those of different ways may overtake each other: nobody may rely on
/// their order. Nothing overtakes a subscription.
///
/// What was waiting anyway goes in; then everything is taken out. Nothing waits here for something to join it.
#[derive(Debug)]
pub struct Batcher {
    /// In the order of their first frames.
    steps: VecDeque<Begun>,
    /// Which of them is the last one of a way.
    last: HashMap<Route, usize, BuildHasherDefault<FxHasher>>,
    limit: usize,
}

#[derive(Debug)]
enum Begun {
    Bundle(Route, Bundle),
    Subscribe(Address, SubscribeReply),
}

impl Default for Batcher {
    fn default() -> Self {
        Self { steps: VecDeque::new(), last: HashMap::default(), limit: MAX_BUNDLE }
    }
}

impl Batcher {
    /// Bundles have at most so many bytes: a broker may carry less than others.
    pub fn limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Adds something that is to be done.
    pub fn add(&mut self, command: ConnectionCommand) {
        let (route, frame) = match command {
            ConnectionCommand::Send { route, frame } => (route, frame),
            ConnectionCommand::Subscribe { at, done } => {
                self.last.clear();
                return self.steps.push_back(Begun::Subscribe(at, done));
            }
        };
        if let Some(last) = self.last.get_mut(&route) {
            if let Begun::Bundle(_, bundle) = &mut self.steps[*last]
                && bundle.add(&frame, self.limit)
            {
                return;
            }
            *last = self.steps.len();
        } else {
            self.last.insert(route.clone(), self.steps.len());
        }
        self.steps.push_back(Begun::Bundle(route, Bundle::new(frame)));
    }

    /// Takes out what is to be done next.
    pub fn next(&mut self, subjects: &Subjects) -> Option<BatchItem> {
        // What is taken out is added to no more.
        self.last.clear();
        Some(match self.steps.pop_front()? {
            Begun::Bundle(route, bundle) => {
                let envelopes = bundle.frames();
                BatchItem::Send(OutgoingMessage {
                    subject: subjects.of(&route),
                    message: bundle.into_message(),
                    envelopes,
                })
            }
            Begun::Subscribe(at, done) => BatchItem::Subscribe { at, done },
        })
    }
}

/// How many envelopes came as one message, to be counted as what they are; one, if it is none of ours.
pub fn envelopes(message: &[u8]) -> u64 {
    frames(message).map_or(1, |frames| frames.len() as u64)
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
        batcher.add(ConnectionCommand::Send { route, frame: frame.to_vec() });
    }

    /// Subjects, and the frames in what goes there; a subscription has none.
    fn taken(batcher: &mut Batcher) -> Vec<(String, Vec<Vec<u8>>)> {
        let opened = |step| match step {
            BatchItem::Subscribe { .. } => (String::new(), vec![]),
            BatchItem::Send(message) => {
                let frames: Vec<_> = frames(&message.message).expect("it is whole").map(<[u8]>::to_vec).collect();
                assert_eq!((frames.len(), frames.len() as u64), (message.envelopes, envelopes(&message.message)));
                (message.subject, frames)
            }
        };
        std::iter::from_fn(|| batcher.next(&subjects())).map(opened).collect()
    }

    #[test]
    fn what_takes_one_way_travels_together_and_in_order() {
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
        assert_eq!(taken(&mut batcher), expected);
        assert_eq!(taken(&mut batcher), []);
    }

    #[test]
    fn what_is_alone_travels_as_it_is() {
        let mut batcher = Batcher::default();
        add(&mut batcher, route("a", "z"), &[1, 4, 9]);
        let step = batcher.next(&subjects());
        assert!(matches!(&step, Some(BatchItem::Send(message)) if message.message == [1, 4, 9]), "{step:?}");
    }

    #[test]
    fn nothing_overtakes_a_subscription() {
        let mut batcher = Batcher::default();
        for number in 0..2 {
            add(&mut batcher, route("a", "z"), &[1, 4, number]);
            let (done, _) = tokio::sync::oneshot::channel();
            batcher.add(ConnectionCommand::Subscribe { at: Address::Neuron("z".parse().expect("a name")), done });
        }
        add(&mut batcher, route("a", "z"), &[1, 4, 2]);
        let numbers = taken(&mut batcher).into_iter().map(|(_, frames)| frames.concat()).collect::<Vec<_>>();
        assert_eq!(numbers, [vec![1, 4, 0], vec![], vec![1, 4, 1], vec![], vec![1, 4, 2]]);
    }

    #[test]
    fn a_bundle_is_bounded_and_the_next_one_goes_on() {
        let mut batcher = Batcher::default();
        let count = 3 * MAX_FRAMES as u32 + 1;
        for number in 0..count {
            add(&mut batcher, route("a", "z"), &number.to_le_bytes());
        }
        let taken_of = |batcher: &mut Batcher| taken(batcher).into_iter().map(|(_, frames)| frames).collect::<Vec<_>>();
        let parcels = taken_of(&mut batcher);
        assert_eq!(parcels.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_FRAMES, MAX_FRAMES, MAX_FRAMES, 1]);
        assert!(parcels.concat().into_iter().eq((0..count).map(|number| number.to_le_bytes().to_vec())));
        // A long frame between short ones keeps its place.
        let frames = [vec![1; 10], vec![2; MAX_BUNDLE], vec![3; 10], vec![4; 10]];
        for frame in &frames {
            add(&mut batcher, route("a", "z"), frame);
        }
        let parcels = taken_of(&mut batcher);
        assert_eq!(parcels.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2]);
        assert_eq!(parcels.concat(), frames);
        batcher.limit(100);
        for _ in 0..4 {
            add(&mut batcher, route("a", "z"), &[0; 40]);
        }
        assert_eq!(taken_of(&mut batcher).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
