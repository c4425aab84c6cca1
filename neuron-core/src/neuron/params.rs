//! What stays as it was configured.

use std::{sync::Arc, time::Duration};

use super::{Config, Mode, Rule};
use crate::transport::Guarantees;

/// What stays as it was configured. Most neurons of a host have the same, and share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Params {
    pub(crate) hold: Duration,
    pub(crate) linger: Duration,
    pub(crate) mode: Mode,
    pub(crate) rule: Rule,
    pub(crate) patience: Duration,
    pub(crate) lease: Duration,
    /// How long a level lasts after it was heard last: the lease, and a patience.
    pub(crate) lapse: Duration,
    pub(crate) carrier: Guarantees,
}

impl Params {
    pub(crate) fn of(config: &Config, carrier: Guarantees) -> Arc<Self> {
        Arc::new(Self {
            hold: config.hold,
            linger: config.linger,
            mode: config.mode,
            rule: config.rule,
            patience: config.patience,
            lease: config.lease,
            lapse: config.lease.saturating_add(config.patience),
            carrier,
        })
    }

    /// Shares those of another neuron, if they are the same.
    #[cfg(any(feature = "actor", test))]
    pub(crate) fn intern(this: &mut Arc<Self>, others: &Arc<Self>) {
        if this == others {
            this.clone_from(others);
        }
    }
}
