//! Many messages in flight with nothing but the client of a broker. Each message that is received
//! is published to the next channel, and the client may write any number at once.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use tokio::{runtime::Runtime, sync::mpsc};

use super::{FRAME, runtime};

/// The channels. No other contestant uses them, so nothing is received twice.
const CHANNELS: [&str; 3] = ["flood.ctl.x", "flood.sig.h", "flood.sig.z"];

type Pass = Pin<Box<dyn Future<Output = ()>>>;

/// A connected client that passes on many messages.
pub(crate) struct Flood {
    runtime: Runtime,
    /// Passes on the first number of messages, with the second number in flight.
    pass: Box<dyn Fn(usize, usize) -> Pass>,
}

impl Flood {
    fn new<F, P>(connect: impl Future<Output = P>) -> Self
    where
        F: Future<Output = ()> + 'static,
        P: Fn(usize, usize) -> F + 'static,
    {
        let runtime = runtime();
        let pass = runtime.block_on(connect);
        Self { runtime, pass: Box::new(move |hops, in_flight| Box::pin(pass(hops, in_flight))) }
    }

    /// Returns how long it takes to receive `hops` messages.
    pub(crate) fn measure(&self, hops: usize, in_flight: usize) -> Duration {
        let pass = (self.pass)(hops, in_flight);
        let begin = Instant::now();
        self.runtime.block_on(pass);
        begin.elapsed()
    }
}

/// How many messages are still to receive and to publish.
struct Course {
    left: usize,
    to_publish: usize,
}

impl Course {
    fn new(hops: usize, in_flight: usize) -> Self {
        Self { left: hops, to_publish: hops.saturating_sub(in_flight) }
    }

    /// Counts a message that was received and returns whether to publish it again.
    fn count_received(&mut self) -> bool {
        self.left -= 1;
        let goes_on = self.to_publish > 0;
        self.to_publish -= usize::from(goes_on);
        goes_on
    }

    fn is_over(&self) -> bool {
        self.left == 0
    }
}

fn after(channel: &str) -> &'static str {
    let index = CHANNELS.iter().position(|known| *known == channel).expect("one of ours");
    CHANNELS[(index + 1) % CHANNELS.len()]
}

/// One connection, RESP3. All messages that have been received are published in one pipeline.
pub(crate) fn redis_pubsub(url: &str) -> Flood {
    let url = format!("{url}/?protocol=resp3");
    Flood::new(async move {
        let (pushes, mut pushed) = mpsc::unbounded_channel();
        let config = redis::AsyncConnectionConfig::new().set_push_sender(pushes);
        let client = redis::Client::open(url).expect("an address");
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&config).await.expect("the server is there");
        connection.subscribe(&CHANNELS).await.expect("it may subscribe");
        while let Ok(push) = pushed.try_recv() {
            drop(push); // the confirmations
        }
        let pushed = super::shared(pushed);
        move |hops, in_flight| {
            let mut connection = connection.clone();
            let pushed = pushed.clone();
            async move {
                let pushed = &mut *pushed.lock().await;
                let mut course = Course::new(hops, in_flight);
                let mut next = vec![CHANNELS[0]; in_flight.min(hops)];
                let mut come = Vec::new();
                while !course.is_over() {
                    let mut pipeline = redis::pipe();
                    for channel in next.drain(..) {
                        pipeline.cmd("PUBLISH").arg(channel).arg(&FRAME[..]).ignore();
                    }
                    if !pipeline.is_empty() {
                        pipeline.exec_async(&mut connection).await.expect("they are published");
                    }
                    pushed.recv_many(&mut come, in_flight).await;
                    for push in come.drain(..).filter(|push| push.kind == redis::PushKind::Message) {
                        let channel: String = redis::from_redis_value(push.data[0].clone()).expect("a channel");
                        if course.count_received() {
                            next.push(after(&channel));
                        }
                    }
                }
            }
        }
    })
}

/// XREAD of all entries in all channels, then XADD in one pipeline.
pub(crate) fn redis_streams(url: &str) -> Flood {
    let url = url.to_owned();
    Flood::new(async move {
        let client = redis::Client::open(url).expect("an address");
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let writer = client.get_multiplexed_async_connection().await.expect("the server is there");
        let reader = client.get_multiplexed_async_connection_with_config(&config).await.expect("the server is there");
        let reader = super::shared((reader, vec!["0".to_owned(); 3]));
        move |hops, in_flight| {
            let mut writer = writer.clone();
            let reader = reader.clone();
            async move {
                let (reader, places) = &mut *reader.lock().await;
                let mut course = Course::new(hops, in_flight);
                let mut next = vec![CHANNELS[0]; in_flight.min(hops)];
                while !course.is_over() {
                    let mut pipeline = redis::pipe();
                    for channel in next.drain(..) {
                        let add = pipeline.cmd("XADD").arg(channel).arg("MAXLEN").arg("~").arg(10_000);
                        add.arg("*").arg("f").arg(&FRAME[..]).ignore();
                    }
                    if !pipeline.is_empty() {
                        pipeline.exec_async(&mut writer).await.expect("they are added");
                    }
                    let mut read = redis::cmd("XREAD");
                    read.arg("COUNT").arg(in_flight).arg("BLOCK").arg(0).arg("STREAMS").arg(&CHANNELS);
                    let reply: redis::streams::StreamReadReply =
                        read.arg(&*places).query_async(reader).await.expect("it is read");
                    for key in reply.keys {
                        let index = CHANNELS.iter().position(|channel| *channel == key.key).expect("one of ours");
                        places[index] = key.ids.last().expect("an entry").id.clone();
                        next.extend(key.ids.iter().filter(|_| course.count_received()).map(|_| after(CHANNELS[index])));
                    }
                }
            }
        }
    })
}

/// One client, one subscription for each channel.
pub(crate) fn nats_core(url: &str) -> Flood {
    let url = url.to_owned();
    Flood::new(async move {
        let client = async_nats::connect(url).await.expect("the server is there");
        let mut inboxes = Vec::new();
        for channel in CHANNELS {
            inboxes.push(client.subscribe(channel).await.expect("it may subscribe"));
        }
        client.flush().await.expect("the server is there");
        passing(client, stream::select_all(inboxes).map(|message| message.subject))
    })
}

/// A stream in memory, a push consumer for each channel, nothing acknowledged.
pub(crate) fn nats_jetstream(url: &str) -> Flood {
    let url = url.to_owned();
    Flood::new(async move {
        let client = async_nats::connect(url).await.expect("the server is there");
        let inboxes = super::consumers(&client, "flood", CHANNELS).await;
        let messages = stream::select_all(inboxes);
        passing(client, messages.map(|message| message.expect("it is a message").message.subject))
    })
}

/// Returns what passes messages on: the client publishes while it receives more.
fn passing(
    client: async_nats::Client,
    received: impl futures_util::Stream<Item = async_nats::Subject> + Unpin + 'static,
) -> impl Fn(usize, usize) -> Pass {
    let received = super::shared(received);
    move |hops, in_flight| {
        let client = client.clone();
        let received = received.clone();
        Box::pin(async move {
            let received = &mut *received.lock().await;
            let mut course = Course::new(hops, in_flight);
            for _ in 0..in_flight.min(hops) {
                client.publish(CHANNELS[0], FRAME[..].into()).await.expect("it is published");
            }
            while !course.is_over() {
                let channel = received.next().await.expect("the connection stands");
                if course.count_received() {
                    client.publish(after(&channel), FRAME[..].into()).await.expect("it is published");
                }
            }
        })
    }
}
