//! When hosts could not hear each other.

use crate::{
    sim::{
        Action,
        world::{START, Span, World},
    },
    tag::Time,
};

/// Returns when a host was up.
pub(super) fn ups<'w>(world: &'w World<'_>, host: usize) -> &'w [Span] {
    &world.hosts[host].ups
}

/// Returns when one host could not hear another one: that was down, or messages did not pass in one
/// direction.
pub(super) fn unheard(world: &World<'_>, by: usize, host: usize) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut down_since = START;
    for up in ups(world, host).iter().chain([&Span { from: world.now(), until: world.now() }]) {
        if down_since < up.from {
            spans.push(Span { from: down_since, until: up.from });
        }
        down_since = up.until;
    }
    let between = [(by, host), (host, by)];
    spans.extend(world.partitions().iter().filter(|(pair, _)| between.contains(pair)).map(|(_, span)| *span));
    Span::union(spans)
}

/// Returns when a host was started last; `None` if it is down.
pub(super) fn last_start(world: &World<'_>, host: usize) -> Option<Time> {
    ups(world, host).last().filter(|_| world.hosts[host].is_up).map(|up| up.from)
}

/// Returns whether messages ever had to wait for a host, or the host itself.
pub(super) fn was_slow(world: &World<'_>, host: usize) -> bool {
    let id = &world.hosts[host].id;
    let machine = world.plan.machines.get(id).copied().unwrap_or_default();
    let freezes = |action: &Action| matches!(action, Action::Freeze(frozen, _) if frozen == id);
    !machine.service.is_zero() || world.plan.actions.iter().any(|(_, action)| freezes(action))
}
