//! What the client hands over for the server to push into.

use super::bench_capnp::{bytes, sample, samples};
use crate::{live::Taken, peer::Meter};
use capnp::Error;
use std::{
    cell::{Cell, RefCell},
    hint::black_box,
    rc::Rc,
};
use tokio::sync::Notify;

/// Counts bytes.
pub(super) struct Bytes(pub(super) Meter);

impl bytes::Server for Bytes {
    async fn write(self: Rc<Self>, params: bytes::WriteParams) -> Result<(), Error> {
        self.0.add(params.get()?.get_bytes()?.len());
        Ok(())
    }

    async fn end(
        self: Rc<Self>,
        _: bytes::EndParams,
        mut results: bytes::EndResults,
    ) -> Result<(), Error> {
        results.get().set_count(self.0.total());
        Ok(())
    }
}

/// Takes the first bytes and never answers for them.
#[derive(Default)]
pub(crate) struct Stuck(Notify);

impl Stuck {
    /// Waits for these bytes.
    pub(super) async fn begun(&self) {
        self.0.notified().await;
    }
}

impl bytes::Server for Stuck {
    async fn write(self: Rc<Self>, _: bytes::WriteParams) -> Result<(), Error> {
        self.0.notify_one();
        std::future::pending().await
    }
}

/// Takes what is written to the live log.
#[derive(Default)]
pub(crate) struct Log {
    taken: RefCell<Taken>,
    ended: Notify,
}

impl Log {
    /// Waits for its end; says how many bytes came.
    pub(super) async fn ended(&self) -> u64 {
        self.ended.notified().await;
        self.taken.borrow().bytes()
    }
}

impl bytes::Server for Log {
    async fn write(self: Rc<Self>, params: bytes::WriteParams) -> Result<(), Error> {
        let piece = params.get()?.get_bytes()?;
        self.taken.borrow_mut().take(piece).map_err(|error| Error::failed(error.to_string()))
    }

    async fn end(self: Rc<Self>, _: bytes::EndParams, _: bytes::EndResults) -> Result<(), Error> {
        self.ended.notify_one();
        Ok(())
    }
}

/// Adds up the ids of entities.
#[derive(Default)]
pub(super) struct Ids(Cell<u64>);

impl Ids {
    /// Of all that came.
    pub(super) fn sum(&self) -> u64 {
        self.0.get()
    }

    /// Every field is looked at: elsewhere they are decoded before they can be.
    fn take(&self, sample: sample::Reader<'_>) -> Result<(), Error> {
        let label = sample.get_label()?.to_str()?;
        black_box((sample.get_time_ns(), sample.get_value(), label, sample.get_valid()));
        self.0.set(self.0.get().wrapping_add(sample.get_id()));
        Ok(())
    }
}

impl samples::Server for Ids {
    async fn one(self: Rc<Self>, params: samples::OneParams) -> Result<(), Error> {
        self.take(params.get()?.get_sample()?)
    }

    async fn many(self: Rc<Self>, params: samples::ManyParams) -> Result<(), Error> {
        params.get()?.get_samples()?.iter().try_for_each(|sample| self.take(sample))
    }

    async fn end(
        self: Rc<Self>,
        _: samples::EndParams,
        _: samples::EndResults,
    ) -> Result<(), Error> {
        Ok(())
    }
}
