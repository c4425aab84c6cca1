//! placeholder
use std::sync::Arc;
use neuron_core::{NetworkId, transport::{Address, Inbox, TransportError}};
use tokio::sync::oneshot;
use transport_broker::ConnectError;
use crate::{config::Config, connection::Connection};
#[derive(Debug)]
pub(crate) struct JetStream { connection: Arc<Connection> }
impl JetStream {
    pub(crate) async fn new(connection: Arc<Connection>, _: &Config, _: &NetworkId) -> Result<Self, ConnectError> { Ok(Self { connection }) }
    pub(crate) fn connection(&self) -> &Arc<Connection> { &self.connection }
    pub(crate) fn subscribe(self: &Arc<Self>, _: Address, _: oneshot::Sender<Result<Inbox, TransportError>>) {}
    pub(crate) fn dropped(&self, _: &Address) {}
    pub(crate) async fn restore(&self) {}
    pub(crate) async fn is_there(&self) -> bool { true }
}
