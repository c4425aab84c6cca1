//! Whole networks over the transport, whose answers are compared with the truth table of XOR.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use neuron_core::{
    Missing, Network, Tag,
    actor::{Change, ControlError, Host},
    command::Refusal,
    transport::Transport,
};

use crate::{Faulty, harness::Harness};

const XOR: &str = include_str!("xor.toml");

/// Presents the four patterns, and then random ones. Every answer and every change of z is right.
/// Over a carrier that loses, it is right or says what it lacks.
pub async fn xor_is_right_for_every_pattern<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    if harness.loses() {
        return never_wrong(harness.transport(), 200, 1).await;
    }
    xor(harness.transport(), 300, 1).await;
}

/// Presents patterns over a [`Faulty`] transport. Every answer and every change of z is right. Over
/// a carrier that loses, it is right or says what it lacks.
pub async fn xor_is_right_over_a_carrier_that_delays_reorders_and_doubles<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let seed = 2016;
    let faulty = Faulty::new(harness.transport(), seed, Duration::from_millis(3), 20);
    if harness.loses() {
        return never_wrong(Arc::new(faulty), 50, seed).await;
    }
    xor(Arc::new(faulty), 100, seed).await;
}

/// Presents patterns over a [`Faulty`] transport that loses one message in five, from neurons and
/// from controllers alike.
///
/// Every call is answered, because requests are repeated. Every answer is right, or names the
/// inputs that it lacks, or says that the level at that tag is not known: a machine that stalls for
/// longer than the patience leaves a gap.
pub async fn xor_is_never_wrong_over_a_carrier_that_loses<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let seed = 2016;
    let lost_percent = if harness.loses() { 0 } else { 20 };
    let faulty = Faulty::new(harness.transport(), seed, Duration::from_millis(1), 5).losing(lost_percent);
    never_wrong(Arc::new(faulty.retrying_after(Duration::from_millis(3))), 200, seed).await;
}

/// How long a level that is presented lasts: the usual hold of a neuron.
const HOLD: Duration = Duration::from_secs(5);

/// Presents random patterns over a transport that loses, as the case before this says.
async fn never_wrong(transport: Arc<dyn Transport>, patterns: usize, seed: u64) {
    let network = Network::from_toml(XOR).expect("the file is right");
    let host = Host::start(network, transport).await.expect("the host starts");
    let controller = host.controller();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut watch = controller.watch("z").await.expect("z can be watched");
    // The levels of x and y from each tag on. A member that was held up for too long gets a tag of
    // its own.
    let mut levels = [BTreeMap::from([(Tag::ORIGIN, 0.0)]), BTreeMap::from([(Tag::ORIGIN, 0.0)])];
    let level_at = |levels: &BTreeMap<Tag, f64>, tag: Tag| {
        let (from, level) = levels.range(..=tag).next_back().expect("from the origin on");
        // The next wave may come later than that, if many messages in a row are lost.
        if tag < from.after(HOLD) { *level } else { 0.0 }
    };
    let xor_at = |levels: &[BTreeMap<Tag, f64>; 2], tag: Tag| {
        let [x, y] = levels.each_ref().map(|levels| level_at(levels, tag));
        if x == y { 0.0 } else { 1.0 }
    };
    let mut plain = 0;
    let mut marked = 0;
    for _ in 0..patterns {
        let pattern = [("x", f64::from(rng.u8(0..2))), ("y", f64::from(rng.u8(0..2)))];
        let wave = controller.present(&pattern).await.expect("the wave enters");
        for ((name, level), levels) in pattern.iter().zip(&mut levels) {
            levels.insert(wave.late.get(*name).copied().unwrap_or(wave.tag), *level);
        }
        for tag in wave.late.values().copied().chain([wave.tag]) {
            let z = match controller.output_at("z", tag).await {
                Err(ControlError::Refused { refusal: Refusal::Unknown(_), .. }) => {
                    marked += 1;
                    continue;
                }
                answer => answer.expect("z answers"),
            };
            if z.missing == Missing::NONE {
                assert_eq!(z.level, xor_at(&levels, tag), "seed {seed}: {pattern:?} at {tag}");
                plain += 1;
            } else {
                marked += 1;
            }
        }
        while let Some(Change { level, tag, missing, .. }) = watch.try_next() {
            assert!(missing != Missing::NONE || level == xor_at(&levels, tag), "seed {seed}: z changed at {tag}");
        }
    }
    assert!(plain > marked, "seed {seed}: {plain} answers were plain, {marked} were marked");
    drop(watch);
    host.stop().await;
}

async fn xor(transport: Arc<dyn Transport>, patterns: usize, seed: u64) {
    let network = Network::from_toml(XOR).expect("the file is right");
    let host = Host::start(network, transport).await.expect("the host starts");
    let controller = host.controller();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut watch = controller.watch("z").await.expect("z can be watched");
    let mut expected = BTreeMap::from([(Tag::ORIGIN, 0.0)]);
    for pattern in 0..patterns {
        let [x, y] = match pattern {
            0..4 => [(pattern & 1) as f64, (pattern >> 1) as f64],
            _ => [f64::from(rng.u8(0..2)), f64::from(rng.u8(0..2))],
        };
        let wave = controller.present(&[("x", x), ("y", y)]).await.expect("the wave enters");
        assert!(wave.late.is_empty(), "seed {seed}: a wave was torn apart");
        let xor = if x == y { 0.0 } else { 1.0 };
        expected.insert(wave.tag, xor);
        let z = controller.output_at("z", wave.tag).await.expect("z answers");
        assert_eq!((z.level, z.missing), (xor, Missing::NONE), "seed {seed}: ({x}, {y}) at {}", wave.tag);
        while let Some(Change { level, tag, missing, missed }) = watch.try_next() {
            assert_eq!((missing, missed), (Missing::NONE, 0));
            let (_, xor) = expected.range(..=tag).next_back().expect("from the origin on");
            assert_eq!(level, *xor, "seed {seed}: z changed at {tag}");
        }
    }
    drop(watch);
    host.stop().await;
}
