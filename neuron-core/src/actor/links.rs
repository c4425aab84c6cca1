//! Keeps the links to other hosts alive: moves the time of [`HostLinks`], and carries out what it
//! wants done.

use std::{
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix::Addr;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{Either, join_all, select},
};
use tokio::sync::Notify;

use super::scheduler::{HostContext, LinkEvents, Scheduler};
use crate::{
    hosts::{HostLinks, HostMessage, LinkOutput},
    id::HostId,
    transport::{Address, Envelope, Inbox, Sending, TransportErrorKind},
};

/// How long the last messages of a host may take to leave its thread.
const GOODBYE_TIME: Duration = Duration::from_millis(20);

/// The first and the longest pause before the inbox of a host is opened again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After how many messages of other hosts the thread's other tasks run.
const YIELD_INTERVAL: usize = 64;

/// The links of a host, shared by its scheduler, its controller and the task that keeps them alive.
#[derive(Debug)]
pub(super) struct SharedLinks {
    links: Mutex<HostLinks>,
    /// Notified when the task has something to do earlier than it knows.
    woken: Notify,
}

impl SharedLinks {
    /// Returns the links of a host that starts now.
    pub(super) fn new(host: HostId) -> Arc<Self> {
        let life = RandomState::new().hash_one(&host) as u32;
        Arc::new(Self { links: Mutex::new(HostLinks::new(host, life)), woken: Notify::new() })
    }

    /// Reads or changes the links, and wakes the task if that has made something due.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut HostLinks) -> T) -> T {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let before = links.wake_at();
        let result = act(&mut links);
        let is_earlier = links.wake_at().is_some_and(|after| before.is_none_or(|before| after < before));
        drop(links);
        if is_earlier {
            self.woken.notify_one();
        }
        result
    }
}

/// Keeps the links of a host alive. If its inbox ends, because another host takes its name or the
/// broker does not let it be read, it is opened again.
pub(super) async fn run_links(mut inbox: Inbox, context: Rc<HostContext>, scheduler: Addr<Scheduler>) {
    let mut pause = FIRST_PAUSE;
    loop {
        exchange(&mut inbox, &context, &scheduler).await;
        let host = context.links.with(|links| links.host().clone());
        tracing::error!(%host, "this host hears no other: another one has its name, or the inbox has ended");
        inbox = loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match context.transport.subscribe(&Address::Host(host.clone())).await {
                Ok(inbox) => break inbox,
                Err(error) if error.kind() == TransportErrorKind::Closed => return,
                Err(error) => tracing::warn!(%host, %error, "this host hears no other yet"),
            }
        };
    }
}

/// Exchanges signs of life until the inbox ends.
async fn exchange(inbox: &mut Inbox, context: &Rc<HostContext>, scheduler: &Addr<Scheduler>) {
    let links = &context.links;
    for count in 1_usize.. {
        let now = context.clock.steady();
        let due = links.with(|links| links.wake_at());
        let outputs = if due.is_some_and(|due| due <= now) {
            links.with(|links| links.poll(now))
        } else {
            let sleep = pin!(tokio::time::sleep(due.map_or(Duration::MAX, |due| due.since(now))));
            let woken = pin!(links.woken.notified());
            match select(inbox.next(), select(woken, sleep)).await {
                Either::Left((Some(Envelope::Host { from, message, .. }), _)) => {
                    links.with(|links| links.receive(&from, *message, context.clock.steady()))
                }
                Either::Left((Some(_), _)) | Either::Right(_) => Vec::new(),
                Either::Left((None, _)) => return,
            }
        };
        let mut events = Vec::new();
        for output in outputs {
            match output {
                // A sign of life that finds no room is followed by the next one.
                LinkOutput::Send { to, message } => drop(send(context, to, message).now_or_never()),
                event => events.push(event),
            }
        }
        if !events.is_empty() {
            scheduler.do_send(LinkEvents(events));
        }
        if count.is_multiple_of(YIELD_INTERVAL) {
            tokio::task::yield_now().await;
        }
    }
}

/// Tells other hosts that this one stops.
pub(super) async fn say_goodbye(context: &HostContext) {
    let (host, messages) = context.links.with(|links| (links.host().clone(), links.goodbye()));
    // That of a host which gives way to one of its name would be taken for that of the other.
    let is_replaced = context.end.rival().is_some_and(|rival| rival.host == host);
    if messages.is_empty() || is_replaced {
        return;
    }
    let sending = messages.into_iter().map(|(to, message)| send(context, to, message));
    // The connection to a broker may work on this very thread, and needs a moment to write.
    let leaving = async {
        join_all(sending).await;
        std::future::pending::<()>().await;
    };
    let _ = tokio::time::timeout(GOODBYE_TIME, leaving).await;
}

fn send(context: &HostContext, to: HostId, message: HostMessage) -> Sending {
    let from = context.links.with(|links| links.host().clone());
    context.transport.send(Envelope::Host { from, to, message: Box::new(message) })
}
