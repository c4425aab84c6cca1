//! The thread that a host's neurons run on.

use std::{rc::Rc, thread::JoinHandle};

use actix::Actor as _;
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::start::{self, Population};
use crate::{
    actor::{
        controller::ClientSpec,
        error::HostError,
        links::say_goodbye,
        scheduler::{Halt, HostContext, Scheduler},
    },
    id::NeuronId,
    neuron::Config,
    transport::check_descriptors,
};

/// What the thread starts with.
pub(super) struct ThreadSpec {
    pub(super) context: HostContext,
    pub(super) population: Population,
}

/// What the thread can be asked to do once it is ready. A caller that does not wait for the answer
/// any more is no reason not to do it.
#[derive(Debug)]
pub(super) enum ThreadCommand {
    /// Starts another neuron, in the incarnation after this one.
    Add { neuron: NeuronId, config: Box<Config>, incarnation: u32, ready: oneshot::Sender<Result<(), HostError>> },
    /// Stops a neuron. The answer is the number of its incarnation, `None` if it was not there; its
    /// inbox is closed by then.
    Remove { neuron: NeuronId, removed: oneshot::Sender<Option<u32>> },
}

/// A handle to the thread, which stops and is joined when this is dropped.
#[derive(Debug)]
pub(super) struct HostThread {
    /// Stops the thread when it is dropped.
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    handle: Option<JoinHandle<()>>,
    commands: mpsc::UnboundedSender<ThreadCommand>,
}

impl HostThread {
    /// Starts a thread and its neurons. Returns once all are ready, with what the controller needs.
    ///
    /// # Errors
    /// When there is no thread or no event loop, or a neuron cannot start. Then the thread has ended.
    pub(super) async fn start(name: String, spec: ThreadSpec) -> Result<(Self, ClientSpec), HostError> {
        let (ready, is_ready) = oneshot::channel();
        let (stop, on_stop) = oneshot::channel();
        let (commands, on_command) = mpsc::unbounded_channel();
        let (ended, stopped) = oneshot::channel();
        let run = move || {
            // Made here, because `System::new` panics if there is none.
            let build = |()| tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match check_descriptors().and_then(build) {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(HostError::EventLoop(error)));
                    return;
                }
            };
            let system = actix::System::with_tokio_rt(|| runtime);
            system.block_on(run(spec, ready, on_command, on_stop));
            drop(system);
            let _ = ended.send(());
        };
        let handle = std::thread::Builder::new().name(name).spawn(run).map_err(HostError::Thread)?;
        let thread = Self { stop: Some(stop), stopped: Some(stopped), handle: Some(handle), commands };
        let client = is_ready.await.unwrap_or(Err(HostError::Stopped))?;
        Ok((thread, client))
    }

    /// Returns where commands for the thread go.
    pub(super) fn commands(&self) -> mpsc::UnboundedSender<ThreadCommand> {
        self.commands.clone()
    }

    /// Stops the neurons and waits until they have stopped.
    pub(super) async fn stop(&mut self) {
        self.stop.take();
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
    }
}

impl Drop for HostThread {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

/// Runs the thread until the handle is dropped, and takes leave of the transport.
async fn run(
    ThreadSpec { context, population }: ThreadSpec,
    ready: oneshot::Sender<Result<ClientSpec, HostError>>,
    commands: mpsc::UnboundedReceiver<ThreadCommand>,
    stop: oneshot::Receiver<()>,
) {
    let context = Rc::new(context);
    serve(&context, population, ready, commands, stop).await;
    context.transport.detach_from_current_thread().await;
}

/// Starts the neurons, tells when all are ready, and carries out commands until the handle is
/// dropped.
async fn serve(
    context: &Rc<HostContext>,
    population: Population,
    ready: oneshot::Sender<Result<ClientSpec, HostError>>,
    mut commands: mpsc::UnboundedReceiver<ThreadCommand>,
    mut stop: oneshot::Receiver<()>,
) {
    let scheduler = Scheduler::new(context.clone()).start();
    let starting = Box::pin(start::start_all(population, &scheduler, context));
    let ended = Box::pin(context.end.wait());
    let answer = match select(&mut stop, select(starting, ended)).await {
        Either::Left(_) => return,
        Either::Right((Either::Left((answer, _)), _)) => answer,
        Either::Right((Either::Right((rival, _)), _)) => Err(rival.into()),
    };
    let has_failed = answer.is_err();
    if ready.send(answer).is_err() || has_failed {
        return;
    }
    let gives_way = loop {
        let ended = Box::pin(context.end.wait());
        let command = match select(&mut stop, select(Box::pin(commands.recv()), ended)).await {
            Either::Right((Either::Left((Some(command), _)), _)) => command,
            Either::Right((Either::Right(_), _)) => break true,
            Either::Right((Either::Left((None, _)), _)) | Either::Left(_) => break false,
        };
        let scheduler = scheduler.clone();
        let context = context.clone();
        actix::spawn(async move {
            match command {
                ThreadCommand::Add { neuron, config, incarnation, ready } => {
                    let _ = ready.send(start::add(neuron, *config, incarnation, &scheduler, &context).await);
                }
                ThreadCommand::Remove { neuron, removed } => {
                    let _ = removed.send(start::remove(&neuron, &scheduler, &context).await);
                }
            }
        });
    };
    // Commands that wait for an answer get none.
    drop(commands);
    // What a neuron says after the goodbye would contradict it.
    let _ = scheduler.send(Halt).await;
    say_goodbye(context).await;
    if gives_way {
        // The handle is still there, and so is the connection that may work on this thread.
        let _ = stop.await;
    }
}
