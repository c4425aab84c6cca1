//! Three hops with nothing but the client of a broker.

pub(crate) mod flood;

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

/// A message with as many bytes as a signal has.
const FRAME: [u8; 70] = [7; 70];
/// The channels that the message passes through.
const CHANNELS: [&str; 3] = ["bare.ctl.x", "bare.sig.h", "bare.sig.z"];

type Hops = Box<dyn FnMut() -> Pin<Box<dyn Future<Output = ()>>>>;

/// A connected client that makes three hops.
pub(crate) struct Bare {
    runtime: Runtime,
    hops: std::cell::RefCell<Hops>,
}

impl Bare {
    fn new<F, H>(connect: impl Future<Output = H>, runtime: Runtime) -> Self
    where
        F: Future<Output = ()> + 'static,
        H: FnMut() -> F + 'static,
    {
        let mut hops = runtime.block_on(connect);
        let hops: Hops = Box::new(move || Box::pin(hops()));
        Self { runtime, hops: std::cell::RefCell::new(hops) }
    }

    pub(crate) fn measure(&self, count: usize, times: &mut Vec<Duration>) {
        self.runtime.block_on(async {
            for _ in 0..count {
                let hops = (self.hops.borrow_mut())();
                let begin = Instant::now();
                hops.await;
                times.push(begin.elapsed());
            }
        });
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A client that one future at a time uses.
type Shared<T> = std::rc::Rc<tokio::sync::Mutex<T>>;

fn shared<T>(client: T) -> Shared<T> {
    std::rc::Rc::new(tokio::sync::Mutex::new(client))
}

/// One connection, RESP3: what is published comes back as a push.
pub(crate) fn redis_pubsub(url: &str) -> Bare {
    let url = format!("{url}/?protocol=resp3");
    let connect = async move {
        let (pushes, mut pushed) = tokio::sync::mpsc::unbounded_channel();
        let config = redis::AsyncConnectionConfig::new().set_push_sender(pushes);
        let client = redis::Client::open(url).expect("an address");
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&config).await.expect("the server is there");
        connection.subscribe(&CHANNELS).await.expect("it may subscribe");
        while let Ok(push) = pushed.try_recv() {
            drop(push); // the confirmations
        }
        let client = shared((connection, pushed));
        move || {
            let client = client.clone();
            async move {
                let (connection, pushed) = &mut *client.lock().await;
                for channel in CHANNELS {
                    let mut publisher = connection.clone();
                    let mut publish = redis::cmd("PUBLISH");
                    publish.arg(channel).arg(&FRAME[..]);
                    let publishing = async move { publish.exec_async(&mut publisher).await.expect("it is published") };
                    let receiving = async {
                        while pushed.recv().await.expect("the connection stands").kind != redis::PushKind::Message {}
                    };
                    tokio::join!(publishing, receiving);
                }
            }
        }
    };
    Bare::new(connect, runtime())
}

/// XADD on one connection, a blocking XREAD on another.
pub(crate) fn redis_streams(url: &str) -> Bare {
    let url = url.to_owned();
    let connect = async move {
        let client = redis::Client::open(url).expect("an address");
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let writer = client.get_multiplexed_async_connection().await.expect("the server is there");
        let reader = client.get_multiplexed_async_connection_with_config(&config).await.expect("the server is there");
        let client = shared((writer, reader, vec!["0".to_owned(); 3]));
        move || {
            let client = client.clone();
            async move {
                let (writer, reader, places) = &mut *client.lock().await;
                for (channel, place) in CHANNELS.into_iter().zip(places) {
                    let mut read = redis::cmd("XREAD");
                    read.arg("BLOCK").arg(0).arg("STREAMS").arg(channel).arg(place.as_str());
                    let reading = read.query_async::<redis::streams::StreamReadReply>(reader);
                    let mut add = redis::cmd("XADD");
                    add.arg(channel).arg("MAXLEN").arg("~").arg(1000).arg("*").arg("f").arg(&FRAME[..]);
                    let (reply, added) = tokio::join!(reading, add.exec_async(writer));
                    added.expect("it is added");
                    let reply = reply.expect("it is read");
                    *place = reply.keys[0].ids.last().expect("an entry").id.clone();
                }
            }
        }
    };
    Bare::new(connect, runtime())
}

/// One client, one subscription for each channel.
pub(crate) fn nats_core(url: &str) -> Bare {
    let url = url.to_owned();
    let connect = async move {
        let client = async_nats::connect(url).await.expect("the server is there");
        let mut inboxes = Vec::new();
        for channel in CHANNELS {
            inboxes.push(client.subscribe(channel).await.expect("it may subscribe"));
        }
        client.flush().await.expect("the server is there");
        let client = shared((client, inboxes));
        move || {
            let client = client.clone();
            async move {
                let (client, inboxes) = &mut *client.lock().await;
                for (channel, inbox) in CHANNELS.into_iter().zip(inboxes) {
                    client.publish(channel, FRAME[..].into()).await.expect("it is published");
                    inbox.next().await.expect("it arrives");
                }
            }
        }
    };
    Bare::new(connect, runtime())
}

/// A stream in memory, a push consumer for each channel, nothing acknowledged.
pub(crate) fn nats_jetstream(url: &str) -> Bare {
    let url = url.to_owned();
    let connect = async move {
        let client = async_nats::connect(url).await.expect("the server is there");
        let inboxes = consumers(&client, "bare", CHANNELS).await;
        let client = shared((client, inboxes));
        move || {
            let client = client.clone();
            async move {
                let (client, inboxes) = &mut *client.lock().await;
                for (channel, inbox) in CHANNELS.into_iter().zip(inboxes) {
                    client.publish(channel, FRAME[..].into()).await.expect("it is published");
                    inbox.next().await.expect("it arrives").expect("it is a message");
                }
            }
        }
    };
    Bare::new(connect, runtime())
}

/// Creates a stream of that name in memory, and returns for each channel a push consumer that
/// acknowledges nothing.
async fn consumers(
    client: &async_nats::Client,
    name: &str,
    channels: [&str; 3],
) -> Vec<async_nats::jetstream::consumer::push::Ordered> {
    use async_nats::jetstream::{self, consumer, stream};

    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{name}.>")],
        storage: stream::StorageType::Memory,
        max_messages: 100_000,
        ..stream::Config::default()
    };
    let stream = jetstream::new(client.clone()).create_stream(config).await.expect("a stream");
    let mut inboxes = Vec::new();
    for channel in channels {
        let config = consumer::push::OrderedConfig {
            deliver_subject: client.new_inbox(),
            filter_subject: channel.to_owned(),
            ..consumer::push::OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.expect("a consumer");
        inboxes.push(consumer.messages().await.expect("its messages"));
    }
    inboxes
}
