//! The shared suite on the in-process transport.

use std::sync::Arc;

use neuron_core::transport::Transport;
use transport_conformance::Harness;
use transport_local::LocalTransport;

struct Local(LocalTransport);

impl Harness for Local {
    async fn open() -> Option<Self> {
        Some(Self(LocalTransport::new()))
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.0.clone())
    }

    async fn with_capacity(capacity: usize) -> Option<Self> {
        Some(Self(LocalTransport::with_capacity(capacity)))
    }
}

transport_conformance::tests!(Local);
