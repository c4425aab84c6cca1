//! How many transactions, changes and stimuli one controller may have prepared, and for how long
//! they may hold up the answers.

use std::time::Duration;

use super::{
    Control, ControlState, Ctx,
    transaction::{Prepared, Reservation},
};
use crate::{command::Refusal, id::ControllerId, tag::Time};

/// The most transactions that may be prepared at one neuron at a time.
pub(super) const MAX_TRANSACTIONS: usize = 256;
/// How many of them one controller may have.
const MAX_TRANSACTIONS_OF_ONE: usize = MAX_TRANSACTIONS / 4;
/// The most changes, and stimuli that enter with them, that may be prepared at one neuron.
pub(super) const MAX_PREPARED: usize = 8192;
/// How many of them one controller may have.
const MAX_PREPARED_OF_ONE: usize = MAX_PREPARED / 2;
/// How many patiences the prepared changes of a controller may hold up the answers without being
/// committed: the five that a controller waits for the other members, and one on the way.
const MAX_HELD_PATIENCES: u32 = 6;
/// How many controllers may be penalized at a time; of more, the one whose penalty ends first is
/// not.
const MAX_PENALTIES: usize = 64;

/// A time in which a controller may prepare no changes: those before have held up the answers for
/// longer than [`MAX_HELD_PATIENCES`], and were not committed.
///
/// It lasts as long as they did. So a controller that never commits holds up a neuron for
/// about half of the time at the most. One that releases sooner holds up each answer for six
/// patiences at the most: the next reservation begins after it.
#[derive(Clone, Debug)]
pub(super) struct Penalty {
    controller: ControllerId,
    until: Time,
}

/// How many transactions there are, and how many changes and stimuli in them.
#[derive(Default)]
struct Usage {
    transactions: usize,
    prepared: usize,
}

impl Penalty {
    /// Moves the times on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.until = self.until.after(by);
    }
}

impl Usage {
    fn add(&mut self, prepared: usize) {
        self.transactions += 1;
        self.prepared += prepared;
    }
}

impl Prepared {
    /// Returns how many changes and stimuli there are.
    fn len(&self) -> usize {
        self.changes.len() + self.stimuli.len()
    }
}

impl Control {
    /// Checks that a controller may prepare another transaction, with so many changes and stimuli.
    pub(super) fn check_share(&self, controller: &ControllerId, prepared: usize) -> Result<(), Refusal> {
        let reserved = self.reservations().iter().map(|one| (&one.id.controller, one.prepared.as_ref()));
        let preparing = self.preparations().iter().map(|one| (&one.id.controller, Some(&one.prepared)));
        let mut of_all = Usage::default();
        let mut of_one = Usage::default();
        for (holder, prepared) in reserved.chain(preparing) {
            let prepared = prepared.map_or(0, Prepared::len);
            of_all.add(prepared);
            if holder == controller {
                of_one.add(prepared);
            }
        }
        if of_all.transactions >= MAX_TRANSACTIONS || of_one.transactions >= MAX_TRANSACTIONS_OF_ONE {
            return Err(Refusal::TooMany("waves being prepared".to_owned()));
        }
        if of_all.prepared + prepared > MAX_PREPARED || of_one.prepared + prepared > MAX_PREPARED_OF_ONE {
            return Err(Refusal::TooMany("changes being prepared".to_owned()));
        }
        Ok(())
    }

    /// Checks that the prepared changes of a controller do not hold up the answers for too long,
    /// and have not done so just now.
    pub(super) fn check_not_penalized(&self, controller: &ControllerId, cx: &Ctx<'_>) -> Result<(), Refusal> {
        let is_blocking =
            self.reservations().iter().any(|held| held.id.controller == *controller && held.is_too_long(cx));
        let noted = self.state.as_ref().map_or(&[][..], |state| &state.penalties);
        if is_blocking || noted.iter().any(|one| one.controller == *controller && one.until > cx.now) {
            let what = "time for which the changes of one controller hold up the answers";
            return Err(Refusal::TooMany(what.to_owned()));
        }
        Ok(())
    }
}

impl ControlState {
    /// Penalizes the controller of a reservation that has ended without a commit, if that has held up
    /// the answers for too long.
    pub(super) fn penalize(&mut self, ended: &Reservation, cx: &Ctx<'_>) {
        if !ended.is_too_long(cx) {
            return;
        }
        let until = cx.now.after(cx.now.since(ended.since));
        let controller = ended.id.controller.clone();
        self.penalties.retain(|noted| noted.until > cx.now);
        if let Some(noted) = self.penalties.iter_mut().find(|noted| noted.controller == controller) {
            noted.until = noted.until.max(until);
            return;
        }
        if self.penalties.len() >= MAX_PENALTIES {
            let first = self.penalties.iter().enumerate().min_by_key(|(_, noted)| noted.until);
            if let Some(index) = first.map(|(index, _)| index) {
                self.penalties.swap_remove(index);
            }
        }
        self.penalties.push(Penalty { controller, until });
    }
}

impl Reservation {
    /// Returns whether changes are prepared under it, and have held up the answers for too long.
    fn is_too_long(&self, cx: &Ctx<'_>) -> bool {
        self.prepared.is_some() && cx.now.since(self.since) > cx.params().patience * MAX_HELD_PATIENCES
    }
}
