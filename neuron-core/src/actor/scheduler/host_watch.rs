//! Answers controllers that watch all neurons of the host.
//!
//! Why: docs/decisions/0046-a-network-is-watched-by-host.md

use std::hash::{BuildHasher as _, RandomState};

use super::{cell::NeuronCell, cell_context::CellContext};
use crate::{
    command::{Answer, HostPosition, MAX_LISTED, Refusal},
    id::ControllerId,
    watch::HostWatchers,
};

/// The most requests that wait for their answers.
const MAX_WAITING: usize = 256;

/// What a host keeps for the controllers that watch all of its neurons.
#[derive(Debug, Default)]
pub(super) struct HostWatch {
    pub(super) watchers: HostWatchers,
    /// Requests that have no answer yet.
    waiting: Vec<HostWatchRequest>,
}

/// A request to watch the host, or to renew that.
#[derive(Debug)]
pub(super) struct HostWatchRequest {
    /// The slot of the neuron that was asked, and in whose name the host answers.
    pub(super) slot: u32,
    pub(super) controller: ControllerId,
    /// The number of the request.
    pub(super) request: u64,
    /// The number of the watch.
    pub(super) watch: u64,
    /// Up to where the controller knows what has changed.
    pub(super) known: HostPosition,
}

impl HostWatch {
    /// Lets a request wait until it is [answered](answer).
    ///
    /// # Errors
    /// [`Refusal::TooMany`] if too many wait.
    pub(super) fn push(&mut self, request: HostWatchRequest) -> Result<(), Refusal> {
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refusal::TooMany("requests to watch a host".to_owned()));
        }
        self.waiting.push(request);
        Ok(())
    }
}

/// Answers the requests that wait, and returns how many those were.
pub(super) fn answer(cells: &mut [Option<Box<NeuronCell>>], ctx: &mut CellContext) -> usize {
    if ctx.host_watch.waiting.is_empty() {
        return 0;
    }
    let waiting = std::mem::take(&mut ctx.host_watch.waiting);
    let count = waiting.len();
    for HostWatchRequest { slot, controller, request, watch, known } in waiting {
        let life = || RandomState::new().hash_one(&controller);
        let result = ctx.host_watch.watchers.renew(&controller, watch, ctx.steady, life);
        let result = result.map(|()| list(watch, known, cells, ctx));
        if let Some(Some(cell)) = cells.get_mut(slot as usize) {
            cell.reply(controller, request, result, ctx);
        }
    }
    count
}

/// Takes in some of the neurons that are new, and lists what has changed.
fn list(watch: u64, known: HostPosition, cells: &mut [Option<Box<NeuronCell>>], ctx: &mut CellContext) -> Answer {
    let end = u32::try_from(cells.len()).unwrap_or(u32::MAX);
    let mut taken_in = 0;
    while taken_in < MAX_LISTED
        && let Some(slot) = ctx.host_watch.watchers.next_new(end)
    {
        // A neuron that is fenced, or whose name another one has taken, is not one of this host.
        if let Some(Some(cell)) = cells.get_mut(slot as usize)
            && ctx.registry.lookup(cell.id()) == Some(slot)
        {
            ctx.host_watch.watchers.take_in(slot, cell.begin_host_watch());
            taken_in += 1;
        }
    }
    let host = ctx.host.links.with(|links| links.host().clone());
    let changes = ctx.host_watch.watchers.changes(watch, host, known, end, |slot| ctx.registry.name(slot).clone());
    Answer::WatchedHost(Box::new(changes))
}
