//! Where neurons run, and what becomes of inputs whose hosts are gone.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use super::NeuronCell;
use crate::{
    actor::{
        controller::VERSION,
        scheduler::{cell_context::CellContext, host_watch::HostWatchRequest},
    },
    command::{Answer, Command, Refusal, Report, Request, Sample, WatchPosition},
    hosts::LinkOutput,
    id::{ControllerId, HostId, NeuronId},
    neuron::Input,
    signal::{Signal, SignalBody},
    transport::Envelope,
};

/// Returns whether a command is for the host, alone or beside the neuron.
pub(super) fn is_for_host(command: &Command) -> bool {
    matches!(command, Command::Host | Command::WatchHost { .. } | Command::Unwatch { .. } | Command::Admit { .. })
}

impl NeuronCell {
    /// Says where the neuron runs.
    pub(super) fn answer_where(&mut self, from: NeuronId, ctx: &mut CellContext) {
        // If it is fenced, another incarnation runs elsewhere.
        if self.neuron.fenced_by().is_none() {
            let host = ctx.host.links.with(|links| links.host().clone());
            self.send_host_signal(from, SignalBody::Home { host }, ctx);
            self.supervise(ctx, Self::report_failures);
        }
    }

    /// Notes where another neuron runs, and returns whether to believe it.
    pub(super) fn note_home(&self, from: &NeuronId, host: &HostId, incarnation: u32, ctx: &CellContext) -> bool {
        let is_own = ctx.host.links.with(|links| links.host() == host);
        if is_own && ctx.registry.lookup(from).is_none() {
            tracing::error!(%host, neuron = %from, "another host has the name of this one");
            return false;
        }
        ctx.host.links.with(|links| links.note_home(from, host, incarnation, ctx.steady));
        true
    }

    /// Answers a request that is for the host. If the host has no answer, the neuron gets it.
    pub(super) fn receive_host_request(&mut self, from: ControllerId, request: Request, ctx: &mut CellContext) {
        let is_fenced = self.neuron.fenced_by().is_some();
        match request.command {
            // Another incarnation runs elsewhere.
            Command::Host if is_fenced => {}
            Command::Host => {
                let host = ctx.host.links.with(|links| links.host().clone());
                let life = ctx.host_watch.watchers.life(|| RandomState::new().hash_one(&from));
                let answer = Answer::Host { host, version: VERSION.to_owned(), life };
                self.reply(from, request.id, Ok(answer), ctx);
            }
            Command::WatchHost { watch, known } if !is_fenced => {
                let (slot, request) = (self.slot, request.id);
                let waiting = HostWatchRequest { slot, controller: from.clone(), request, watch, known };
                if let Err(refusal) = ctx.host_watch.push(waiting) {
                    self.reply(from, request, Err(refusal), ctx);
                }
            }
            Command::Admit { listener } if !is_fenced => {
                let admitted = ctx.host.listeners.admit(self.neuron.id(), &listener).map(|()| Answer::Done);
                self.reply(from, request.id, admitted, ctx);
            }
            Command::Unwatch { watch } => {
                ctx.host_watch.watchers.remove(&from, watch);
                self.handle(Input::Request { from, request }, ctx);
            }
            _ => self.handle(Input::Request { from, request }, ctx),
        }
    }

    /// Returns whether a signal that came from outside is to be taken in. A subscription is not,
    /// unless that neuron runs here as well or may listen to this one.
    pub(super) fn admits(&mut self, from: &NeuronId, signal: &Signal, ctx: &CellContext) -> bool {
        let listeners = &ctx.host.listeners;
        match signal.body {
            SignalBody::Subscribe { .. }
                if !listeners.may_listen(self.neuron.id(), from) && !ctx.host.running.contains(from) =>
            {
                // Each of a flood is counted, and few are logged.
                if self.neuron.count_stranger().is_power_of_two() {
                    let neuron = self.neuron.id();
                    tracing::warn!(%neuron, %from, "a subscription is refused: the network of this host has no such edge");
                }
                false
            }
            SignalBody::Unsubscribe { .. } => {
                listeners.dismiss(self.neuron.id(), from);
                true
            }
            _ => true,
        }
    }

    /// Answers a request in the name of the neuron.
    pub(in crate::actor::scheduler) fn reply(
        &mut self,
        to: ControllerId,
        request: u64,
        result: Result<Answer, Refusal>,
        ctx: &mut CellContext,
    ) {
        self.send_report(to, Report::Reply { request, result }, ctx);
        self.supervise(ctx, Self::report_failures);
    }

    /// Lets the host note each change of the neuron from now on. Returns the position of the last
    /// one. While the neuron waits for a save it cannot speak: then it is a later one than that, so
    /// that a controller that watches asks the neuron itself, which does not answer.
    pub(in crate::actor::scheduler) fn begin_host_watch(&mut self) -> WatchPosition {
        let position = self.neuron.set_host_watched(true);
        WatchPosition { number: position.number + u64::from(self.is_saving()), ..position }
    }

    /// Notes that the neuron has begun to wait for a save, or has ended that.
    pub(super) fn note_host_watch(&mut self, ctx: &mut CellContext) {
        if ctx.host_watch.watchers.has(self.slot) {
            let position = self.begin_host_watch();
            ctx.host_watch.watchers.take_in(self.slot, position);
        }
    }

    /// Notes that the neuron has counted a change, and tells it to the controllers that watch the
    /// host.
    pub(super) fn note_counted(&mut self, position: WatchPosition, sample: Option<Sample>, ctx: &mut CellContext) {
        let Some(watches) = ctx.host_watch.watchers.on_change(self.slot, position, ctx.steady) else {
            self.neuron.set_host_watched(false);
            return;
        };
        let Some(sample) = sample else { return };
        let watches: Vec<_> = watches.map(|(controller, watch)| (controller.clone(), watch)).collect();
        for (controller, watch) in watches {
            self.send_report(controller, Report::Changed { watch, position, sample: sample.clone() }, ctx);
        }
    }

    /// Sends a report of the neuron.
    pub(super) fn send_report(&mut self, to: ControllerId, report: Report, ctx: &mut CellContext) {
        let from = self.neuron.id().clone();
        self.egress.send(self.slot, Envelope::Report { from, to, report: Box::new(report) }, ctx);
    }

    /// Tells the neuron of inputs whose hosts are gone or back, and asks others where they run.
    pub(in crate::actor::scheduler) fn on_link_events(&mut self, events: &[LinkOutput], ctx: &mut CellContext) {
        if self.is_silent() {
            return;
        }
        let lost = || {
            events
                .iter()
                .filter_map(|event| if let LinkOutput::Lost { source, .. } = event { Some(source) } else { None })
        };
        if lost().next().is_some() {
            self.supervise(ctx, |cell, ctx| {
                cell.with_turn(ctx, |cell, ctx| cell.neuron.inputs_lost(lost(), ctx.now, &mut ctx.outbox));
            });
        }
        for event in events {
            match event {
                LinkOutput::AskHome { source, .. } => self.supervise(ctx, |cell, ctx| {
                    cell.send_host_signal(source.clone(), SignalBody::Where, ctx);
                    cell.report_failures(ctx);
                }),
                LinkOutput::Back { source, .. } => self.supervise(ctx, |cell, ctx| {
                    cell.with_turn(ctx, |cell, ctx| cell.neuron.input_back(source, ctx.now, &mut ctx.outbox));
                }),
                LinkOutput::Lost { .. } | LinkOutput::Send { .. } => {}
            }
        }
    }

    /// Tells the neuron that the clock was set forward. What waits for it, or for a save, goes on
    /// waiting.
    pub(in crate::actor::scheduler) fn on_clock_step(&mut self, by: Duration, ctx: &mut CellContext) {
        if let Some(startup) = &mut self.startup {
            startup.shift(by);
        }
        if self.is_silent() {
            return;
        }
        self.supervise(ctx, |cell, ctx| {
            cell.neuron.clock_stepped(by, ctx.now);
            cell.take_turn(Input::Wake, ctx);
        });
    }

    /// Notes what a signal that leaves this host means for the links to others.
    pub(super) fn note_leaving(&mut self, to: &NeuronId, body: &SignalBody, ctx: &mut CellContext) {
        let now = ctx.steady;
        match body {
            SignalBody::Subscribe { .. } => {
                ctx.host.links.with(|links| links.subscribe(self.neuron.id(), to, now));
                self.send_host_signal(to.clone(), SignalBody::Where, ctx);
            }
            SignalBody::Unsubscribe { .. } => ctx.host.links.with(|links| links.unsubscribe(self.neuron.id(), to)),
            _ => {}
        }
    }

    fn send_host_signal(&mut self, to: NeuronId, body: SignalBody, ctx: &mut CellContext) {
        let from = self.neuron.id().clone();
        let signal = Signal { incarnation: self.neuron.incarnation(), body };
        self.egress.send(self.slot, Envelope::Signal { from, to, signal }, ctx);
    }
}
