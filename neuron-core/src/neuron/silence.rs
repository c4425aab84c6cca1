//! Who is waited for no longer, and what happens when it is back.

use std::time::Duration;

#[cfg(feature = "sim")]
use super::input::Source;
use super::{
    Neuron,
    cares::{Cares, earliest},
    delivery::Backoff,
    input::State,
    subscriber::LONGEST_PAUSE,
};
#[cfg(feature = "sim")]
use crate::id::NeuronId;
use crate::{
    record::Event,
    signal::SignalBody,
    tag::{Tag, Time},
};

/// After how many patiences an input is given up that is alive but never has an answer; and one that has not stated
/// anything yet since the neuron's first start, when everybody else may just be starting, too.
pub(super) const LAST_PATIENCE: u32 = 20;
/// How soon an input that fell silent is looked for again; then after twice the time, up to [`LONGEST_PAUSE`].
const FIRST_LOOK: Duration = Duration::from_millis(100);

impl Neuron {
    /// If nobody has woken the neuron for so long that its inputs seem silent, they are not to blame: what they have said
    /// may be waiting to be heard. That excuses each of them once until it is heard, or a level could outlive its source on a
    /// host that is always late.
    #[inline]
    pub(super) fn mind_a_pause(&mut self, now: Time) {
        if self.is_late(now) {
            self.excuse_everybody(now);
        }
    }

    #[cold]
    fn excuse_everybody(&mut self, now: Time) {
        for link in self.sources.iter_mut().filter_map(|source| source.link.as_mut()) {
            if !link.excused {
                link.excused = true;
                if let Some(unusual) = link.unusual.get_mut() {
                    unusual.asking.begin_anew(now);
                }
                link.heard = link.heard.map(|_| now);
            }
        }
    }

    /// Whether the neuron should have been woken more than a patience ago.
    #[inline]
    pub(crate) fn is_late(&self, now: Time) -> bool {
        self.wake_at.is_some_and(|due| now.since(due) > self.settings.patience)
    }

    /// The sources whose levels, or marks, it counts, and which it takes to be alive.
    #[cfg(feature = "sim")]
    pub(crate) fn relies_on(&self) -> impl Iterator<Item = &NeuronId> {
        let relied = |source: &&Source| {
            let link = source.link.as_ref().filter(|link| !link.down && link.is_active());
            link.is_some_and(|link| matches!(link.state(), State::Counts { .. }))
        };
        self.sources.iter().filter(relied).map(|source| &source.id)
    }

    /// An input has been heard, on the stream that it was asked for last.
    pub(super) fn heard(&mut self, index: usize, now: Time) {
        let Some(link) = &mut self.sources[index].link else { return };
        (link.heard, link.excused) = (Some(now), false);
        link.beside |= self.beside;
        if link.down {
            self.is_back(index);
        }
    }

    #[cold]
    fn is_back(&mut self, index: usize) {
        let Some(link) = &mut self.sources[index].link else { return };
        link.down = false;
        link.is_not_waited_for();
        self.look = true;
        self.cares = Cares::EVERYTHING;
    }

    /// Gives up inputs that have been silent for too long.
    #[inline]
    pub(super) fn lose_patience(&mut self, now: Time) {
        if self.cares.gives_up.is_some_and(|at| at <= now) {
            self.give_up_the_silent(now);
        }
    }

    #[inline(never)]
    fn give_up_the_silent(&mut self, now: Time) {
        for index in 0..self.sources.len() {
            let Some((_, lapses)) = self.given_up_at(index).filter(|(due, _)| *due <= now) else { continue };
            let Some(link) = &mut self.sources[index].link else { continue };
            link.down = true;
            link.stale = link.reentry.is_some();
            link.is_not_waited_for();
            if link.receiver.applied > 0 {
                link.unusual.make().call = Backoff::after(FIRST_LOOK, now);
            }
            let after = if link.reentry.is_some() { Tag::ORIGIN } else { link.history.frontier.next() };
            self.counters.rest().silences += 1;
            if lapses
                && self.is_ready()
                && let Some(tag) = self.stamp(Tag::at(now).max(after))
            {
                self.own_event(tag, Event::Recheck, now);
            }
            (self.cares.silent, self.cares.calls) = (true, true);
        }
        self.count_active();
    }

    /// When an input is given up if nothing is heard of it, and whether that is because its level was not renewed.
    fn given_up_at(&self, index: usize) -> Option<(Time, bool)> {
        let link = self.sources[index].link.as_ref().filter(|link| !link.down)?;
        if !matches!(link.state(), State::Counts { .. }) {
            return None;
        }
        let patience = self.settings.patience;
        let waiting = link.waited_for_since().map(|since| {
            let last = since.after(patience * LAST_PATIENCE);
            match link.heard.filter(|_| link.receiver.applied > 0) {
                _ if link.beside => last,
                Some(heard) => last.min(since.max(heard).after(patience)),
                None if self.incarnation.number == 1 && !link.has_stated => last,
                None => since.after(patience),
            }
        });
        let active = link.heard.filter(|_| !link.beside && link.is_active());
        let lapse = active.map(|heard| heard.after(self.settings.lapse));
        let waiting = waiting.map(|due| (due, false));
        waiting.into_iter().chain(lapse.map(|due| (due, true))).min()
    }

    /// Evaluates anew, with an event of its own, if something that was missing may have come back. Less and less often, if
    /// that does not help: whoever is overwhelmed is not to be pressed.
    pub(super) fn look_again(&mut self, now: Time) {
        if !self.value.is_degraded() {
            self.look = false;
            self.looks = Backoff::default();
        }
        if self.next_look().is_some_and(|due| due <= now)
            && let Some(tag) = self.stamp(Tag::at(now))
        {
            self.look = false;
            self.looks.longer(LONGEST_PAUSE, now);
            self.own_event(tag, Event::Recheck, now);
        }
    }

    /// When to look again, if there is anything to look for and nothing else to evaluate.
    pub(super) fn next_look(&self) -> Option<Time> {
        let can = || self.is_ready() && self.agenda.first().is_none() && self.stamp(Tag::ORIGIN).is_some();
        (self.look && can()).then_some(self.looks.due)
    }

    /// If somebody asks for a tag up to which an input would have to be known that is silent: that tag is to be evaluated,
    /// so that the answer says what it lacks. If several tags are asked for, the lowest: what holds from there on answers the
    /// others.
    #[inline]
    pub(super) fn answer_without_the_missing(&mut self, now: Time) {
        if self.cares.silent && self.is_ready() {
            self.answer_those_who_wait_for_the_missing(now);
        }
    }

    #[cold]
    fn answer_those_who_wait_for_the_missing(&mut self, now: Time) {
        let silent = |link: &&super::Link| link.limits() && link.down && !link.doubted;
        let silent = self.sources.iter().filter_map(|source| source.link.as_ref()).filter(silent);
        let Some(known) = silent.map(|link| link.history.frontier).min() else { return };
        let lacking = self.wants(now).filter(|tag| *tag > known && self.spoken.is_open(*tag)).min();
        if let Some(tag) = lacking.filter(|tag| self.agenda.first().is_none_or(|first| first > *tag)) {
            self.agenda.slot(tag, now);
        }
    }

    /// Calls inputs: to subscribe, until that is answered; and while the answer lacks one that fell silent, to see whether it
    /// is back. Tells when to call next.
    #[inline]
    pub(super) fn call_inputs(&mut self, now: Time) -> Option<Time> {
        if self.cares.calls || self.cares.silent { self.call_those_who_do_not_answer(now) } else { None }
    }

    #[cold]
    fn call_those_who_do_not_answer(&mut self, now: Time) -> Option<Time> {
        let degraded = self.value.is_degraded() || !self.is_ready();
        let first_pause = self.call_of_subscription(now);
        let mut next: Option<Time> = None;
        (self.cares.calls, self.cares.silent) = (false, false);
        for index in 0..self.sources.len() {
            let Some(link) = &mut self.sources[index].link else { continue };
            let subscribed = link.receiver.applied > 0;
            self.cares.calls |= !subscribed;
            self.cares.silent |= link.down;
            if subscribed && !(link.down && degraded) {
                continue;
            }
            let call = &mut link.unusual.make().call;
            let due = call.due <= now;
            if *call == Backoff::default() {
                *call = first_pause;
            } else if due {
                call.longer(LONGEST_PAUSE, now);
            }
            next = earliest(next, Some(call.due));
            if due {
                let (stream, upto) = (link.receiver.stream, link.history.frontier);
                let to = self.sources[index].id.clone();
                if subscribed {
                    self.counters.rest().probes += 1;
                }
                let look = SignalBody::Probe { stream, upto };
                self.send(to, if subscribed { look } else { SignalBody::Subscribe { stream } });
            }
        }
        next
    }

    /// When the first input is given up, or a little earlier.
    pub(super) fn gives_up(&mut self) -> Option<Time> {
        match self.cares.active {
            None => self.count_active(),
            Some(0) if !self.cares.waits => self.cares.gives_up = None,
            Some(_) => {}
        }
        self.cares.gives_up
    }

    #[inline(never)]
    fn count_active(&mut self) {
        self.cares.gives_up = self.next_to_give_up();
        let active = self.sources.iter().filter_map(|source| source.link.as_ref()).filter(|link| link.is_active());
        self.cares.active = u32::try_from(active.count()).ok();
    }

    /// When the first input is given up.
    pub(super) fn next_to_give_up(&self) -> Option<Time> {
        (0..self.sources.len()).filter_map(|index| Some(self.given_up_at(index)?.0)).min()
    }
}
