//! A workload of a system, set up once and then run round by round.

use crate::{
    Result,
    data::Origin,
    measure::Measured,
    peer::{Meter, Peer, Stage},
    workloads::{Amounts, Workload},
};
use std::{future::Future, iter::StepBy, ops::Range, pin::Pin, sync::Arc};
use tokio::{
    sync::{Barrier, mpsc, oneshot},
    task::{JoinHandle, LocalSet, spawn_local},
};

/// A workload of a system that is ready to run.
pub(crate) trait Cell {
    /// Runs one round.
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<Measured>> + '_>>;
}

/// A server and a client that is connected to it.
pub(crate) struct Stand<P: Peer> {
    pub(crate) stage: Stage,
    pub(crate) peer: P,
    pub(crate) server: P::Server,
    pub(crate) tasks: Tasks<P>,
}

/// What a round does in tasks of their own: functions, since only where the type of a system has a
/// name is it known whether its futures may move between threads.
pub(crate) struct Tasks<P: Peer> {
    /// Reads bulk data from memory.
    pub(crate) bulk: fn(Arc<Stand<P>>, Meter) -> JoinHandle<Result<()>>,
    /// [`Peer::calls`].
    pub(crate) calls: fn(Arc<Stand<P>>, StepBy<Range<u64>>) -> JoinHandle<Result<u64>>,
    /// [`Peer::follow`].
    pub(crate) follow: fn(P, u64, Arc<Barrier>, u64) -> JoinHandle<Result<u64>>,
    /// [`Peer::write_log`], where servers run.
    pub(crate) write_log: fn(Arc<Stand<P>>, u64) -> JoinHandle<Result<()>>,
}

/// A cell whose rounds are tasks on the clients' workers.
pub(crate) struct OnWorkers<F>(pub(crate) F);

impl<F: FnMut() -> JoinHandle<Result<Measured>>> Cell for OnWorkers<F> {
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<Measured>> + '_>> {
        let task = self.0();
        Box::pin(async { task.await? })
    }
}

/// Sets up a cell on the clients' workers. It is a macro because only a type with a name can show
/// that its futures may move between threads.
macro_rules! on_workers {
    ($peer:ty, $workload:expr, $stage:expr, $amounts:expr) => {{
        let (workload, stage, amounts) = ($workload, $stage.clone(), $amounts);
        let set_up = async move {
            let place = stage.clone();
            let serving = stage.server.spawn(async move { <$peer>::serve(&place).await });
            let server = serving.await??;
            let peer = <$peer>::connect(&stage, &server).await?;
            let tasks = $crate::cell::Tasks::<$peer> {
                bulk: |stand, meter| {
                    let origin = $crate::data::Origin::Memory;
                    tokio::spawn(async move { stand.peer.bulk(origin, &meter).await })
                },
                calls: |stand, calls| tokio::spawn(async move { stand.peer.calls(calls).await }),
                follow: |peer, readers, ready, bytes| {
                    tokio::spawn(async move { peer.follow(readers, &ready, bytes).await })
                },
                write_log: |stand, bytes| {
                    stand.stage.server.clone().spawn(async move {
                        <$peer>::write_log(&stand.stage, &stand.server, bytes).await
                    })
                },
            };
            let stand = $crate::cell::Stand::<$peer> { stage, peer, server, tasks };
            $crate::Result::Ok(std::sync::Arc::new(stand))
        };
        let client = $stage.client.clone();
        let stand = client.spawn(set_up).await??;
        Box::new($crate::cell::OnWorkers(move || {
            client.spawn(workload.round(std::sync::Arc::clone(&stand), amounts))
        })) as Box<dyn $crate::cell::Cell>
    }};
}
pub(crate) use on_workers;

/// A cell whose client lives on a thread of its own, since its values cannot leave it.
pub(crate) struct OnThread {
    asked: mpsc::Sender<oneshot::Sender<Result<Measured>>>,
}

impl OnThread {
    /// Starts the thread; the first round waits until everything on it is set up.
    pub(crate) fn start<P: Peer>(workload: Workload, stage: &Stage, amounts: Amounts) -> Self {
        let (asked, mut asks) = mpsc::channel::<oneshot::Sender<Result<Measured>>>(1);
        let (client, stage) = (stage.client.clone(), stage.clone());
        // A thread of the clients' runtime is pinned where its workers are.
        client.spawn_blocking(move || {
            let run = async move {
                let mut stand = None;
                while let Some(answer) = asks.recv().await {
                    let measured = async {
                        let stand = match &mut stand {
                            Some(stand) => Arc::clone(stand),
                            none => Arc::clone(none.insert(set_up_here::<P>(&stage).await?)),
                        };
                        workload.round(stand, amounts).await
                    };
                    // Nobody waits for the answer any more once the run is given up.
                    let _ = answer.send(measured.await);
                }
            };
            match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(LocalSet::new().run_until(run)),
                Err(error) => eprintln!("a thread got no runtime: {error}"),
            }
        });
        Self { asked }
    }
}

async fn set_up_here<P: Peer>(stage: &Stage) -> Result<Arc<Stand<P>>> {
    let server = P::serve(stage).await?;
    let peer = P::connect(stage, &server).await?;
    let tasks = Tasks {
        bulk: |stand: Arc<Stand<P>>, meter: Meter| {
            spawn_local(async move { stand.peer.bulk(Origin::Memory, &meter).await })
        },
        calls: |stand: Arc<Stand<P>>, calls| {
            spawn_local(async move { stand.peer.calls(calls).await })
        },
        follow: |peer: P, readers, ready, bytes| {
            spawn_local(async move { peer.follow(readers, &ready, bytes).await })
        },
        write_log: |stand: Arc<Stand<P>>, bytes| {
            spawn_local(async move { P::write_log(&stand.stage, &stand.server, bytes).await })
        },
    };
    Ok(Arc::new(Stand { stage: stage.clone(), peer, server, tasks }))
}

impl Cell for OnThread {
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<Measured>> + '_>> {
        Box::pin(async {
            let (answer, measured) = oneshot::channel();
            self.asked.send(answer).await?;
            measured.await?
        })
    }
}
