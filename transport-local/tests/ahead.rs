//! Waves whose tag lies far ahead of the clock: the caller is told, and answered.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    Network, Tag, Time,
    actor::Host,
    command::{Command, Request, Stimulus},
    transport::{Envelope, Transport},
};
use tokio::time::timeout;
use transport_local::LocalTransport;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_wave_an_hour_ahead_says_so_and_is_answered_at_once() {
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new());
    let network = Network::from_toml(include_str!("../../examples/xor.toml")).expect("it is right");
    let host = Host::start(network, transport.clone()).await.expect("it starts");
    let controller = host.controller();
    let wave = controller.present(&[("x", 0.0), ("y", 0.0)]).await.expect("it enters");
    assert!(wave.ahead < HOUR / 2, "{:?}", wave.ahead);
    // Another controller gives x a tag of the future.
    let at = Some(Tag::at(Time::from_micros(wave.tag.time().as_micros() + HOUR.as_micros() as u64)));
    let stimulus = Stimulus { sensor: None, level: Some(0.0), hold: None };
    let command = Command::Stimulate { stimulus, at, within: Duration::ZERO };
    let request = Box::new(Request::new(1, command));
    let (from, to) = ("other".parse().expect("a name"), "x".parse().expect("a name"));
    transport.send(Envelope::Request { from, to, request }).await.expect("x has an inbox");
    let present = async {
        loop {
            let wave = controller.present(&[("x", 1.0), ("y", 0.0)]).await.expect("it enters");
            if wave.ahead > HOUR / 2 {
                return wave;
            }
        }
    };
    let wave = timeout(Duration::from_secs(10), present).await.expect("x has taken the tag");
    let answer = timeout(Duration::from_secs(60), controller.output_at("z", wave.tag)).await;
    assert_eq!(answer.expect("it does not wait for an hour").expect("z answers").level, 1.0);
    host.stop().await;
}
