//! Where neurons run, and what becomes of inputs whose hosts are gone.

use super::NeuronCell;
use crate::{
    actor::{controller::VERSION, scheduler::cell_context::CellContext},
    command::{Answer, Report},
    hosts::LinkOutput,
    id::{ControllerId, NeuronId},
    signal::{Signal, SignalBody},
    transport::Envelope,
};

/// Returns whether a signal is between hosts, and not for the neuron.
pub(super) fn is_about_hosts(signal: &Signal) -> bool {
    matches!(signal.body, SignalBody::Where | SignalBody::Home { .. })
}

impl NeuronCell {
    /// Says where the neuron runs, or notes where another one does.
    pub(super) fn receive_home(&mut self, from: NeuronId, signal: Signal, ctx: &mut CellContext) {
        match signal.body {
            // Another incarnation runs elsewhere.
            SignalBody::Where if self.neuron.fenced_by().is_some() => {}
            SignalBody::Where => {
                let host = ctx.host.links.with(|links| links.host().clone());
                self.send_host_signal(from, SignalBody::Home { host }, ctx);
                self.supervise(ctx, Self::report_failures);
            }
            SignalBody::Home { host } => {
                let (now, incarnation) = (ctx.now, signal.incarnation.number);
                let is_own = ctx.host.links.with(|links| *links.host() == host);
                if is_own && ctx.registry.lookup(&from).is_none() {
                    return tracing::error!(%host, neuron = %from, "another host has the name of this one");
                }
                ctx.host.links.with(|links| links.note_home(&from, &host, incarnation, now));
            }
            _ => {}
        }
    }

    /// Tells a controller where the neuron runs.
    pub(super) fn answer_host(&mut self, to: ControllerId, request: u64, ctx: &mut CellContext) {
        if self.neuron.fenced_by().is_some() {
            return;
        }
        let host = ctx.host.links.with(|links| links.host().clone());
        let answer = Answer::Host { host, version: VERSION.to_owned() };
        let report = Box::new(Report::Reply { request, result: Ok(answer) });
        let from = self.neuron.id().clone();
        self.egress.send(self.slot, Envelope::Report { from, to, report }, ctx);
        self.supervise(ctx, Self::report_failures);
    }

    /// Does what has become of an input, or asks it where it runs.
    pub(in crate::actor::scheduler) fn on_link_event(&mut self, event: &LinkOutput, ctx: &mut CellContext) {
        if self.is_stopped {
            return;
        }
        match event {
            LinkOutput::AskHome { source, .. } => self.supervise(ctx, |cell, ctx| {
                cell.send_host_signal(source.clone(), SignalBody::Where, ctx);
                cell.report_failures(ctx);
            }),
            LinkOutput::Lost { source, .. } => self.supervise(ctx, |cell, ctx| {
                cell.with_turn(ctx, |cell, ctx| cell.neuron.input_lost(source, ctx.now, &mut ctx.outbox));
            }),
            LinkOutput::Back { source, .. } => self.supervise(ctx, |cell, ctx| {
                cell.with_turn(ctx, |cell, ctx| cell.neuron.input_back(source, ctx.now, &mut ctx.outbox));
            }),
            LinkOutput::Send { .. } => {}
        }
    }

    /// Notes what a signal that leaves this host means for the links to others.
    pub(super) fn note_leaving(&mut self, to: &NeuronId, body: &SignalBody, ctx: &mut CellContext) {
        let now = ctx.now;
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
