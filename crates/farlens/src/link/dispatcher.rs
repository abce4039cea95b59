//! The one task of a link that runs what its peer asked for.
//!
//! It is woken once for a batch of requests and polls each handler for the first time in the order
//! of arrival. One that is not ready then moves to a task of its own, so nobody waits behind it.

mod handlers;

use super::{
    driver::{panicked, to_fault, to_wire},
    shared::{Shared, Work},
    source::Release,
    trash::discard,
};
use crate::{data::DataState, data::erased::ErasedData, host::Guest};
use farlens_wire::{Reference, StreamId, frame::stream::Open};
use futures::FutureExt;
use handlers::Handlers;
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::Arc,
};
use tokio::task::JoinSet;

/// Runs the requests of a link's peer until the link is over.
pub(crate) async fn run(shared: Arc<Shared>, guest: Guest) {
    let guest = Arc::new(guest);
    let mut others = JoinSet::new();
    let mut calls = Handlers::new(Arc::clone(&shared));
    let mut batch = VecDeque::new();
    loop {
        poll_fn(|cx| {
            calls.start_batch(cx);
            shared.poll_work(&mut batch, cx)
        })
        .await;
        while let Some(work) = batch.pop_front() {
            match work {
                Work::Over => return,
                Work::Cancel { call } => calls.cancel(call),
                Work::Call { called, interface } => {
                    let (call, guest) = (called.call, Arc::clone(&guest));
                    calls.begin(call, || async move {
                        guest.call(called, interface).await.map_err(|error| to_fault(&error))
                    });
                    if calls.are_due() && !batch.is_empty() {
                        calls.hand_over().await;
                    }
                }
                Work::Admit { invite } => {
                    let (shared, guest) = (Arc::clone(&shared), Arc::clone(&guest));
                    begin(&mut others, async move { admit(&shared, &guest, invite).await }).await;
                }
                Work::Open { stream, open, on } => {
                    let (shared, guest) = (Arc::clone(&shared), Arc::clone(&guest));
                    let opening = async move {
                        open_stream(&shared, &guest, stream, &open, on.as_ref()).await;
                    };
                    begin(&mut others, opening).await;
                }
            }
        }
        calls.end_batch();
        while others.try_join_next().is_some() {}
    }
}

/// Begins something; if that is not ready at once it goes on in a task of its own.
async fn begin(tasks: &mut JoinSet<()>, work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    if futures::poll!(&mut work).is_pending() {
        tasks.spawn(work);
    }
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
            let looked = match data.state_now() {
                Some(state) => state,
                None => data.state().await,
            };
            looked.map(|_| changed)
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
