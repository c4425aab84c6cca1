//! One other host, as this one sees it.

use std::{collections::VecDeque, time::Duration};

use super::{HostMessageBody, HostState, INTERVAL, LOST_AFTER};
use crate::tag::Time;

/// How many signs of life are remembered that may still be echoed: more than are sent until the
/// other host is lost.
const MAX_SENT: usize = 16;

/// For how long signs of life are sent to a host that this one does not listen to, after its last
/// one.
const ANSWERED_FOR: Duration = Duration::from_secs(10);

/// How often a host that has left is looked for.
const SEEK_INTERVAL: Duration = Duration::from_secs(5);

/// One other host, as this one sees it.
#[derive(Debug)]
pub(super) struct Peer {
    /// The number of its life; `None` until it has been heard.
    life: Option<u32>,
    state: HostState,
    /// When this host sent the last sign of life that has been echoed, or when it had to be heard
    /// from first.
    heard: Time,
    /// The signs of life that have not been echoed, with when they were sent.
    sent: VecDeque<(u64, Time)>,
    /// This host was stalled since the other was heard, which was taken into account.
    is_forgiven: bool,
    /// The number of its last sign of life, and when that came.
    last_heard: Option<(u64, Time)>,
    /// When it last wanted to be answered.
    asked: Option<Time>,
    /// How long a message there and back takes.
    round_trip: Option<Duration>,
    /// When the next sign of life is due.
    due: Time,
}

/// What a sign of life has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing that was not known.
    Nothing,
    /// The host is heard again, and is the same.
    Back,
    /// The host has been started anew.
    Anew,
}

impl Peer {
    /// Returns a host that is to be heard from now on.
    pub(super) fn new(now: Time) -> Self {
        Self {
            life: None,
            state: HostState::Up,
            heard: now,
            sent: VecDeque::new(),
            is_forgiven: false,
            last_heard: None,
            asked: None,
            round_trip: None,
            due: now,
        }
    }

    pub(super) fn state(&self) -> HostState {
        self.state
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Returns whether this is the life of the host that was heard last.
    pub(super) fn has_life(&self, life: u32) -> bool {
        self.life == Some(life)
    }

    /// Notes that a neuron that this host listens to has said that it runs there. The host is asked
    /// at once whether it lives. `was_expected`: others were listened to there before.
    pub(super) fn note_neuron_there(&mut self, was_expected: bool, now: Time) {
        if self.state == HostState::Up && !was_expected {
            self.heard = self.heard.max(now);
        }
        self.due = self.due.min(now);
    }

    /// Takes in a sign of life.
    ///
    /// It counts only if it echoes one of this host's that is young enough. Others may have been
    /// kept by a broker, or come from a host that has not heard this one yet; that is answered at
    /// once. One that was doubled or overtaken is ignored: if those were answered, the answers
    /// would overtake each other, and the two hosts would never stop.
    pub(super) fn on_alive(&mut self, life: u32, number: u64, echo: u64, held: Duration, now: Time) -> Heard {
        let is_old = |last: u64| last >> 32 == number >> 32 && number <= last;
        if self.last_heard.is_some_and(|(last, _)| is_old(last)) {
            return Heard::Nothing;
        }
        self.last_heard = Some((number, now));
        let Some(index) = self.sent.iter().position(|(sent, _)| *sent == echo) else {
            self.due = self.due.min(now);
            return Heard::Nothing;
        };
        let (_, sent) = self.sent[index];
        self.sent.drain(..=index);
        if now.since(sent) >= LOST_AFTER {
            return Heard::Nothing;
        }
        self.heard = self.heard.max(sent);
        self.is_forgiven = false;
        self.round_trip = Some(now.since(sent).saturating_sub(held));
        let is_anew = self.life.replace(life).is_some_and(|known| known != life);
        let was_away = std::mem::replace(&mut self.state, HostState::Up) != HostState::Up;
        match (is_anew, was_away) {
            (true, _) => Heard::Anew,
            (false, true) => Heard::Back,
            (false, false) => Heard::Nothing,
        }
    }

    /// Notes that the host has left in order.
    pub(super) fn on_goodbye(&mut self, now: Time) {
        self.state = HostState::Left { since: now };
        self.last_heard = None;
    }

    /// Returns whether the host is lost as of now, and notes that. `is_expected`: this host listens
    /// to neurons there.
    pub(super) fn check(&mut self, is_expected: bool, now: Time) -> bool {
        let is_lost = is_expected && self.state == HostState::Up && now.since(self.heard) >= LOST_AFTER;
        if is_lost {
            self.state = HostState::Lost { since: now };
        }
        is_lost
    }

    /// Forgives a silence that may be this host's own fault, once until the other is heard.
    pub(super) fn forgive(&mut self, now: Time) {
        if !std::mem::replace(&mut self.is_forgiven, true) {
            self.heard = self.heard.max(now.before(LOST_AFTER).after(INTERVAL));
        }
    }

    /// Notes that it wants to be answered.
    pub(super) fn note_asked(&mut self, now: Time) {
        self.asked = Some(now);
    }

    /// Returns whether it does not want to be answered any more.
    pub(super) fn is_idle(&self, now: Time) -> bool {
        self.asked.is_none_or(|at| now.since(at) > ANSWERED_FOR)
    }

    /// Returns when [`sign_of_life`](Self::sign_of_life) or [`check`](Self::check) has something to
    /// do.
    pub(super) fn wake_at(&self, is_expected: bool) -> Time {
        let lost = self.heard.after(LOST_AFTER);
        if is_expected && self.state == HostState::Up { self.due.min(lost) } else { self.due }
    }

    /// Returns a sign of life if it is due, with the number that `next` returns. `listens`: this
    /// host listens to neurons there.
    pub(super) fn sign_of_life(
        &mut self,
        listens: bool,
        now: Time,
        next: impl FnOnce() -> u64,
    ) -> Option<HostMessageBody> {
        if self.due > now {
            return None;
        }
        let pause = if matches!(self.state, HostState::Left { .. }) { SEEK_INTERVAL } else { INTERVAL };
        self.due = now.after(pause);
        let number = next();
        if self.sent.len() == MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back((number, now));
        let (echo, held) = self.last_heard.map_or((0, Duration::ZERO), |(number, at)| (number, now.since(at)));
        Some(HostMessageBody::Alive { number, echo, held, listens })
    }
}
