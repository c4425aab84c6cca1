//! The links between hosts: what they lose, and when messages arrive.

use std::{collections::BTreeMap, time::Duration};

use super::{host::Host, span::Span};
use crate::{
    sim::{LinkCondition, Plan},
    tag::Time,
    transport::Delivery,
};

/// The longest delay of a message once the faults have ended: a round trip stays well below every
/// patience.
const LONGEST_DELAY_WHEN_QUIET: Duration = Duration::from_millis(60);

/// The links between the hosts of a plan.
pub(super) struct Links<'a> {
    plan: &'a Plan,
    /// The pairs of hosts, sender first, between which no message passes, each with when that
    /// began.
    partitions: BTreeMap<(usize, usize), Time>,
    /// The partitions that have ended.
    pub(super) healed: Vec<((usize, usize), Span)>,
    /// Whether the faults have ended.
    is_quiet: bool,
    /// When the last message of each edge arrives, for links that keep the order. The sender is
    /// `None` for the controller.
    last_arrivals: BTreeMap<(Option<usize>, usize), Time>,
}

/// The hosts that a message travels between.
#[derive(Clone, Copy)]
pub(super) enum Route<'h> {
    Between(&'h Host, &'h Host),
    /// To or from the controller, over a default link.
    Controller,
}

impl<'a> Links<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, partitions: BTreeMap::new(), healed: Vec::new(), is_quiet: false, last_arrivals: BTreeMap::new() }
    }

    /// Stops the messages from one host to another; no effect once the faults have ended.
    pub(super) fn partition(&mut self, from: usize, to: usize, now: Time) {
        if !self.is_quiet {
            self.partitions.entry((from, to)).or_insert(now);
        }
    }

    pub(super) fn heal(&mut self, one: usize, other: usize, now: Time) {
        for pair in [(one, other), (other, one)] {
            let since = self.partitions.remove(&pair);
            self.healed.extend(since.map(|since| (pair, Span { from: since, until: now })));
        }
    }

    pub(super) fn is_partitioned(&self, from: usize, to: usize) -> bool {
        self.partitions.contains_key(&(from, to))
    }

    /// Ends the faults of all links.
    pub(super) fn quiesce(&mut self, now: Time) {
        self.is_quiet = true;
        let ended = std::mem::take(&mut self.partitions).into_iter();
        self.healed.extend(ended.map(|(pair, since)| (pair, Span { from: since, until: now })));
    }

    /// Draws how many copies of a message arrive, and the delay of the first one.
    pub(super) fn draw(&self, route: Route<'_>, rng: &mut fastrand::Rng) -> (usize, Duration) {
        if let Route::Between(from, to) = route
            && from.id == to.id
        {
            return (1, Duration::from_micros(rng.u64(1..20)));
        }
        let condition = self.condition(route);
        let may_lose = self.plan.guarantees.delivery == Delivery::AtMostOnce && !self.is_quiet;
        let copies = if may_lose { condition.draw_copies(rng) } else { 1 };
        (copies, self.draw_delay(condition, rng))
    }

    /// Returns when the copies of a message from one neuron to another arrive. `from` is `None` for
    /// the controller. The first copy takes `delay`.
    pub(super) fn arrivals(
        &mut self,
        (from, to): (Option<usize>, usize),
        route: Route<'_>,
        (copies, delay): (usize, Duration),
        now: Time,
        rng: &mut fastrand::Rng,
    ) -> Vec<Time> {
        let condition = self.condition(route);
        let mut arrivals = Vec::with_capacity(copies);
        for copy in 0..copies {
            let mut at = now.after(delay);
            if copy > 0 {
                at = at.after(self.draw_delay(condition, rng));
            }
            if !condition.reorders {
                let last = self.last_arrivals.entry((from, to)).or_default();
                at = at.max(*last);
                *last = at;
            }
            arrivals.push(at);
        }
        arrivals
    }

    fn condition(&self, route: Route<'_>) -> LinkCondition {
        let special = match route {
            Route::Between(from, to) if !self.plan.links.is_empty() => {
                self.plan.links.get(&(from.id.clone(), to.id.clone()))
            }
            _ => None,
        };
        special.copied().unwrap_or(self.plan.link)
    }

    fn draw_delay(&self, condition: LinkCondition, rng: &mut fastrand::Rng) -> Duration {
        let delay = condition.draw_delay(rng);
        if self.is_quiet { delay.min(LONGEST_DELAY_WHEN_QUIET) } else { delay }
    }
}
