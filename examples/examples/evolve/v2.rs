//! What became of it.

use farlens::Result;
use serde::{Deserialize, Serialize};

/// Where a tool is. The fields stand in another order, `note` is gone, `quality` is new.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Pose {
    pub(crate) state: State,
    /// Old programs do not say it.
    #[serde(default)]
    pub(crate) quality: Option<f32>,
    pub(crate) y: f64,
    pub(crate) x: f64,
}

/// How well that is known. A tool may be guessed now.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) enum State {
    Lost,
    Guessed { error: f64 },
    Tracked,
}

/// A moment, in milliseconds, that comes after 49 days, too.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Tick {
    pub(crate) at: u64,
}

/// Follows tools. `calibrate` is new, `locate` has a new parameter, and cameras have wider numbers.
#[farlens::remote]
pub(crate) trait Tracker {
    /// Makes it better.
    async fn calibrate(&self) -> Result<()>;

    /// Chooses a camera.
    async fn choose(&self, camera: u16) -> Result<()>;

    /// Where a tool is.
    async fn locate(&self, filter: Option<String>, camera: u8, tool: String) -> Result<Pose>;
}

/// Counts tools, as many as there may ever be.
#[farlens::remote]
pub(crate) trait Counter {
    /// How many there are.
    async fn count(&self) -> Result<u64>;
}

/// A new device.
pub(crate) struct Device;

impl Tracker for Device {
    async fn calibrate(&self) -> Result<()> {
        Ok(())
    }

    async fn choose(&self, _camera: u16) -> Result<()> {
        Ok(())
    }

    async fn locate(&self, filter: Option<String>, camera: u8, _tool: String) -> Result<Pose> {
        let quality = filter.is_some().then_some(0.9);
        Ok(Pose { state: State::Tracked, quality, y: -0.5, x: f64::from(camera) })
    }
}

impl Counter for Device {
    async fn count(&self) -> Result<u64> {
        Ok(3)
    }
}

/// What a new program publishes.
pub(crate) fn poses() -> Vec<Pose> {
    let pose = |x, state| Pose { state, quality: Some(0.5), y: 2.0 * x, x };
    let guessed = State::Guessed { error: 0.1 };
    vec![pose(1.0, State::Tracked), pose(2.0, State::Lost), pose(3.0, guessed)]
}
