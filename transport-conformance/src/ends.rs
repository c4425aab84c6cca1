//! What ends by itself, over the transport: what was presented at one tag ends at one tag.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    Missing, Network,
    actor::{ControlError, Host},
    command::Refusal,
    transport::Transport,
};

use crate::{Faulty, harness::Harness};

const HOLD: Duration = Duration::from_millis(100);

/// Presents levels that cancel each other out, at one neuron and at two. No neuron ever fires, also
/// not where they end. Over a carrier that loses, an answer may say what it lacks instead.
pub async fn levels_that_cancel_each_other_out_end_together<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    present_and_wait(harness.transport(), harness.loses()).await;
}

/// The same over a [`Faulty`] transport.
pub async fn levels_end_together_over_a_carrier_that_delays_reorders_and_doubles<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let faulty = Faulty::new(harness.transport(), 2016, Duration::from_millis(3), 20);
    present_and_wait(Arc::new(faulty), harness.loses()).await;
}

async fn present_and_wait(transport: Arc<dyn Transport>, loses: bool) {
    let network = Network::builder("ends").hold(HOLD);
    let network = network
        .neuron("lamp", |lamp| lamp.threshold(0.5).sensor("plus", 1.0).sensor("minus", -1.0))
        .neuron("follower", |follower| follower.threshold(0.5).weight("lamp", 1.0).linger(Duration::from_secs(1)))
        .neuron("x", |x| x.threshold(0.5))
        .neuron("y", |y| y.threshold(0.5))
        .neuron("join", |join| join.threshold(0.5).weight("x", 1.0).weight("y", -1.0));
    let host = Host::start(network.build().expect("it is right"), transport).await.expect("the host starts");
    let controller = host.controller();
    let mut watches = Vec::new();
    for neuron in ["lamp", "follower", "join"] {
        watches.push((neuron, controller.watch(neuron).await.expect("it can be watched")));
    }
    let (mut plain, mut torn) = (0, 0);
    for _ in 0..5 {
        let wave = controller.present(&[("minus", 1.0), ("plus", 1.0), ("x", 1.0), ("y", 1.0)]).await;
        let wave = wave.expect("the wave enters");
        assert!(wave.late.is_empty() || loses, "a wave was torn apart");
        if !wave.late.is_empty() {
            // A request that was lost several times came too late for this tag, and the call says
            // so.
            torn += 1;
            tokio::time::sleep(2 * HOLD).await;
            continue;
        }
        let end = wave.tag.after(HOLD);
        for at in [wave.tag, end.prev(), end, end.next()] {
            for neuron in ["lamp", "follower", "join"] {
                let answer = match controller.output_at(neuron, at).await {
                    Err(ControlError::Refused { refusal: Refusal::Unknown(_), .. }) if loses => continue,
                    answer => answer.expect("it answers"),
                };
                if loses && answer.is_degraded() {
                    continue;
                }
                plain += 1;
                assert_eq!((answer.level, answer.missing), (0.0, Missing::NONE), "{neuron} at {at}");
            }
            let x = controller.output_at("x", at).await.expect("x answers");
            assert_eq!(x.level, if at < end { 1.0 } else { 0.0 }, "x at {at}, presented at {}", wave.tag);
        }
    }
    for (neuron, watch) in &mut watches {
        while let Some(change) = watch.try_next() {
            let is_excused = loses && (change.is_degraded() || torn > 0);
            assert!(change.level == 0.0 || is_excused, "{neuron} fired at {}", change.tag);
        }
    }
    assert!(plain > 0, "no answer was plain, and {torn} waves were torn apart");
    drop(watches);
    host.stop().await;
}
