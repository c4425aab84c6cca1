//! Runs a plan.

use super::{
    Outcome, Plan, Query,
    event_queue::QueuedEvent,
    history::intervals,
    judge,
    perform::perform,
    world::{MAX_STEPS, START, World},
};

impl Plan {
    /// Runs the plan and judges the outcome.
    pub fn run(&self) -> Outcome {
        outcome(&simulate(self, false))
    }

    /// Like [`run`](Self::run), and also returns a log of everything that happened, line by line.
    pub fn run_traced(&self) -> (Outcome, Vec<String>) {
        let world = simulate(self, true);
        (outcome(&world), world.into_trace_log())
    }
}

/// Runs a plan to its end, or to [`MAX_STEPS`].
fn simulate(plan: &Plan, traced: bool) -> World<'_> {
    let mut world = World::new(plan, traced);
    let end = START.after(plan.end);
    while let Some((at, event)) = world.next_event().filter(|(at, _)| *at <= end) {
        world.begin_step(at);
        if world.steps() == MAX_STEPS {
            break;
        }
        match event {
            QueuedEvent::Arrival { epoch, message } => world.arrive(epoch, message),
            QueuedEvent::Processing { epoch, message } => world.process(epoch, message),
            QueuedEvent::Wake(neuron) => world.wake(neuron),
            QueuedEvent::WakeHost(host) => world.wake_host(host),
            QueuedEvent::PollWatches => world.poll_watches(),
            QueuedEvent::Report { from, report } => world.receive_report(from, report),
            QueuedEvent::Action(index) => perform(&mut world, &plan.actions[index].1),
            QueuedEvent::SetClock { host, offset } => world.set_clock(host, offset),
            QueuedEvent::Quiesce => world.quiesce(),
            QueuedEvent::Lie => world.lie(),
            QueuedEvent::LateLie(lie) => world.send_late_lie(*lie),
            QueuedEvent::EndLies => world.end_lies(),
            QueuedEvent::ComeBack => world.come_back(),
        }
    }
    world.finish(end);
    world
}

fn outcome(world: &World<'_>) -> Outcome {
    let (failures, totals) = judge::judge(world);
    let final_values = world.nodes.iter().map(|node| {
        let value = node.neuron().map(|neuron| neuron.value().clone());
        (node.id.clone(), value.unwrap_or_default())
    });
    let queries = world.controller.queries().map(|query| Query {
        neuron: world.nodes[query.neuron].id.clone(),
        tag: query.tag,
        answer: query.answer.clone().and_then(Result::ok),
        latency: query.answered_at.map(|at| at.since(query.sent_at)),
    });
    let histories = world.nodes.iter().map(|node| {
        let incarnations = node.incarnations.iter().filter(|incarnation| !incarnation.lost_store);
        let claimed =
            incarnations.flat_map(|incarnation| intervals(&incarnation.records, incarnation.complete_through));
        (node.id.clone(), claimed.collect())
    });
    Outcome {
        seed: world.plan.seed,
        failures,
        totals,
        trace: world.recorder.fingerprint.0,
        queries: queries.collect(),
        final_values: final_values.collect(),
        histories: histories.collect(),
    }
}
