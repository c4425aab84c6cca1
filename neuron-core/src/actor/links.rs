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
    transport::{Envelope, Inbox, Sending},
};

/// How long the last messages of a host may take to leave its thread.
const GOODBYE_TIME: Duration = Duration::from_millis(20);

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

/// Keeps the links of a host alive until the inbox ends.
pub(super) async fn run_links(mut inbox: Inbox, context: Rc<HostContext>, scheduler: Addr<Scheduler>) {
    let links = &context.links;
    loop {
        let now = context.clock.now();
        let due = links.with(|links| links.wake_at());
        let sleep = pin!(tokio::time::sleep(due.map_or(Duration::MAX, |due| due.since(now))));
        let woken = pin!(links.woken.notified());
        let outputs = match select(inbox.next(), select(woken, sleep)).await {
            Either::Left((Some(Envelope::Host { from, message, .. }), _)) => {
                links.with(|links| links.receive(&from, *message, context.clock.now()))
            }
            Either::Left((Some(_), _)) | Either::Right((Either::Left(_), _)) => Vec::new(),
            Either::Left((None, _)) => {
                break tracing::error!("another host has taken the name of this one, or the transport has closed");
            }
            Either::Right((Either::Right(_), _)) => links.with(|links| links.poll(context.clock.now())),
        };
        let mut events = Vec::new();
        for output in outputs {
            match output {
                // A sign of life that finds no room is followed by the next one.
                LinkOutput::Send { to, message } => drop(send(&context, to, message).now_or_never()),
                event => events.push(event),
            }
        }
        if !events.is_empty() {
            scheduler.do_send(LinkEvents(events));
        }
    }
}

/// Tells other hosts that this one stops.
pub(super) async fn say_goodbye(context: &HostContext) {
    let messages = context.links.with(|links| links.goodbye());
    if messages.is_empty() {
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
