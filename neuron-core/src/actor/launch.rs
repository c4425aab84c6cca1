//! Waiting for neurons to be ready.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use tokio::sync::Notify;

use super::HostError;

/// Neurons that were started together, and somebody who waits until all are ready, or one cannot be.
#[derive(Debug)]
pub(super) struct Launch {
    unready: Cell<usize>,
    failed: RefCell<Option<HostError>>,
    news: Notify,
}

impl Launch {
    pub(super) fn of(neurons: usize) -> Rc<Self> {
        Rc::new(Self { unready: Cell::new(neurons), failed: RefCell::default(), news: Notify::new() })
    }

    pub(super) fn one_is_ready(&self) {
        self.unready.set(self.unready.get().saturating_sub(1));
        if self.unready.get() == 0 {
            self.news.notify_one();
        }
    }

    /// One never will be. The first reason counts.
    pub(super) fn fail(&self, error: HostError) {
        self.failed.borrow_mut().get_or_insert(error);
        self.news.notify_one();
    }

    pub(super) async fn all_are_ready(&self) -> Result<(), HostError> {
        loop {
            if let Some(error) = self.failed.borrow_mut().take() {
                return Err(error);
            }
            if self.unready.get() == 0 {
                return Ok(());
            }
            self.news.notified().await;
        }
    }
}
