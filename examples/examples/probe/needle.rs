//! What only the server knows: an object that has the trait.

use crate::object::{Alarm, AlarmRef, Dataset, DatasetError, DatasetRef, Pose, Probe};
use farlens::{CallContext, FixedData, RemoteStreamer, Result, Streamer};
use futures::{Stream, stream};

impl Pose {
    /// The pose with this index, of so many in a second.
    pub fn at(index: u64, hz: u16) -> Self {
        let x = index as f32 / 100.0;
        let m = [1.0, 0.0, 0.0, x, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let t_ns = START_NS + index * 1_000_000_000 / u64::from(hz.max(1));
        Self { tool: "needle".into(), t_ns, m }
    }
}

/// When the first pose was taken, since the beginning of 1970.
const START_NS: u64 = 1_763_712_001_000;
/// Poses of one measurement.
pub(crate) const POSES: u64 = 300;

/// A probe that always measures the same.
pub(crate) struct Needle;

impl Probe for Needle {
    async fn calibrate(&self, n: u32) -> Result<f64> {
        // The error of a mean gets smaller with the root of the number of samples.
        Ok(0.022 / f64::from(n.max(1)).sqrt())
    }

    fn poses(&self, hz: u16) -> impl Stream<Item = Result<Pose>> + Send {
        stream::iter((0..POSES).map(move |index| Ok(Pose::at(index, hz))))
    }

    async fn watch(&self, cb: AlarmRef) -> Result<()> {
        // It has a deadline only if its caller set one.
        let deadline = CallContext::current().deadline();
        let what = if deadline.is_some() { "hurry" } else { "needle out of volume" };
        cb.fired(what.into()).await
    }

    async fn dataset(&self, name: String) -> Result<DatasetRef, DatasetError> {
        let length = match name.as_str() {
            "ct" => 1 << 20,
            "empty" => 0,
            _ => return Err(DatasetError::NoSuchSet { name }),
        };
        Ok(DatasetRef::new(Recording { length }))
    }
}

/// Bytes that say where they are.
struct Recording {
    length: u64,
}

impl Dataset for Recording {
    async fn size(&self) -> Result<u64> {
        Ok(self.length)
    }

    async fn bytes(&self) -> Result<RemoteStreamer> {
        let bytes: Vec<u8> = (0..self.length).map(|at| (at >> 8) as u8 ^ at as u8).collect();
        RemoteStreamer::new(Streamer::new(FixedData::bytes(bytes)))
    }
}
