//! What was agreed upon at first.

use farlens::Result;
use serde::{Deserialize, Serialize};

/// Where a tool is.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Pose {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Has a default, so that it can be given up some day.
    #[serde(default)]
    pub(crate) note: String,
    pub(crate) state: State,
}

/// How well that is known.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) enum State {
    Tracked,
    Lost,
}

/// A moment, in milliseconds.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(crate) struct Tick {
    pub(crate) at: u32,
}

/// Follows tools.
#[farlens::remote]
pub(crate) trait Tracker {
    /// Where a tool is.
    async fn locate(&self, tool: String, camera: u8) -> Result<Pose>;

    /// Chooses a camera.
    async fn choose(&self, camera: u8) -> Result<()>;
}

/// Counts tools.
#[farlens::remote]
pub(crate) trait Counter {
    /// How many there are.
    async fn count(&self) -> Result<u32>;
}

/// An old device.
pub(crate) struct Device;

impl Tracker for Device {
    async fn locate(&self, tool: String, camera: u8) -> Result<Pose> {
        Ok(Pose { x: f64::from(camera), y: -0.5, note: tool, state: State::Tracked })
    }

    async fn choose(&self, _camera: u8) -> Result<()> {
        Ok(())
    }
}

impl Counter for Device {
    async fn count(&self) -> Result<u32> {
        Ok(3)
    }
}

/// What an old program publishes.
pub(crate) fn poses() -> Vec<Pose> {
    let pose = |x, state| Pose { x, y: 2.0 * x, note: "old".into(), state };
    vec![pose(1.0, State::Tracked), pose(2.0, State::Lost)]
}
