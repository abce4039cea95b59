//! The one task of a link that runs what its peer asked for.
//!
//! It is woken once for a batch of requests and polls each handler for the first time in the order
//! of arrival. One that is not ready then moves to a task of its own, so nobody waits behind it.

use super::{
    driver::{panicked, to_fault, to_wire},
    shared::{Shared, Work},
    source::Release,
    trash::discard,
};
use crate::{data::DataState, data::erased::ErasedData, host::Guest};
use farlens_proto::Called;
use farlens_wire::{CallId, Reference, StreamId, frame::stream::Open, schema::SchemaDoc};
use futures::{FutureExt, future::BoxFuture};
use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};
use tokio::task::{AbortHandle, JoinSet};

/// Runs the requests of a link's peer until the link is over.
pub(crate) async fn run(shared: Arc<Shared>, guest: Guest) {
    let guest = Arc::new(guest);
    let mut tasks = JoinSet::new();
    let mut calls: HashMap<CallId, AbortHandle> = HashMap::new();
    loop {
        let batch = std::future::poll_fn(|cx| shared.poll_work(cx)).await;
        for work in batch {
            let call = match &work {
                Work::Over => return,
                Work::Cancel { call } => {
                    if let Some(task) = calls.remove(call) {
                        task.abort();
                    }
                    continue;
                }
                Work::Call { called, .. } => Some(called.call),
                Work::Admit { .. } | Work::Open { .. } => None,
            };
            let mut handler = handle(Arc::clone(&shared), Arc::clone(&guest), work);
            if futures::poll!(&mut handler).is_pending() {
                let task = tasks.spawn(handler);
                calls.extend(call.map(|call| (call, task)));
            }
        }
        while tasks.try_join_next().is_some() {}
        calls.retain(|_, task| !task.is_finished());
    }
}

fn handle(shared: Arc<Shared>, guest: Arc<Guest>, work: Work) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        match work {
            Work::Admit { invite } => admit(&shared, &guest, invite).await,
            Work::Open { stream, open, on } => {
                open_stream(&shared, &guest, stream, &open, on.as_ref()).await;
            }
            Work::Call { called, interface } => {
                answer_call(&shared, &guest, *called, interface).await;
            }
            Work::Cancel { .. } | Work::Over => {}
        }
    })
}

async fn admit(shared: &Shared, guest: &Guest, invite: Option<Vec<u8>>) {
    let judged = guest.admit(invite).await;
    let now = shared.now();
    shared.with(|state| {
        match judged {
            Ok(()) => state.proto.admit(now),
            Err(error) => state.proto.refuse_peer(to_fault(&error)),
        }
        state.wake_driver();
    });
}

async fn open_stream(
    shared: &Arc<Shared>,
    guest: &Guest,
    stream: StreamId,
    open: &Open,
    on: Option<&Reference>,
) {
    let (source, accepted) = match guest.open(stream, open, on).await {
        Ok(found) => found,
        Err(error) => {
            return shared.with(|state| state.proto.refuse(stream, to_fault(&error)));
        }
    };
    let source = source.releasing(Release::new(shared, stream));
    let (data, moving, leased) = (Arc::clone(&source.data), source.moving, source.leased);
    let seen = DataState {
        bounds: accepted.state.bounds,
        version: accepted.state.version.clone().into(),
        ended: accepted.state.ended,
    };
    let unwanted = shared.with(|state| {
        if !state.proto.accept(stream, accepted) {
            return Some(source);
        }
        state.proto.hold_stream(stream);
        state.add_source(stream, source);
        None
    });
    let wanted = unwanted.is_none();
    // What is not wanted is dropped outside the lock.
    discard(unwanted);
    if wanted && (moving || leased) {
        let follow = follow(Arc::clone(shared), stream, data, seen, leased);
        let task = tokio::spawn(follow).abort_handle();
        shared.with(|state| state.set_changes_task(stream, task));
    }
}

/// Tells the peer of each change of the data until the end is final or the data has failed, as it
/// does when it is taken back.
async fn follow(
    shared: Arc<Shared>,
    stream: StreamId,
    data: Arc<dyn ErasedData>,
    mut seen: DataState,
    leased: bool,
) {
    while leased || !seen.ended {
        let change = AssertUnwindSafe(async {
            let changed = data.changed(seen).await;
            // A change for the worse, as when a file was cut, is no state but a failure.
            data.state().await.map(|_| changed)
        });
        seen = match change.catch_unwind().await {
            Ok(Ok(changed)) => changed,
            Ok(Err(error)) => {
                return shared.with(|inner| inner.proto.refuse(stream, to_fault(&error)));
            }
            Err(_) => return shared.with(|inner| inner.proto.refuse(stream, panicked())),
        };
        let state = to_wire(seen.clone());
        shared.with(|inner| inner.proto.handle_state(stream, state));
    }
}

async fn answer_call(
    shared: &Shared,
    guest: &Guest,
    called: Called,
    interface: Option<Arc<SchemaDoc>>,
) {
    let call = called.call;
    let outcome = guest.call(called, interface).await.map_err(|error| to_fault(&error));
    shared.with(|state| state.proto.answer(call, outcome));
}
