//! What both ends know: the traits, and the types that they mention.

use farlens::{RemoteStreamer, Result};
use futures::Stream;
use serde::{Deserialize, Serialize};

/// Where a tool is, as a matrix of three rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub struct Pose {
    pub tool: String,
    pub t_ns: u64,
    pub m: [f32; 12],
}

/// What keeps a dataset from being opened.
#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub enum DatasetError {
    /// There is none of this name.
    NoSuchSet { name: String },
    /// The link or the library failed, with this number.
    System { code: u16 },
}

impl From<farlens::Error> for DatasetError {
    fn from(error: farlens::Error) -> Self {
        Self::System { code: error.code().number() }
    }
}

/// Hears of what happens.
#[farlens::remote]
pub trait Alarm {
    async fn fired(&self, what: String) -> Result<()>;
}

/// Something that was recorded.
#[farlens::remote]
pub trait Dataset {
    /// Its length in bytes.
    async fn size(&self) -> Result<u64>;
    /// Its bytes.
    async fn bytes(&self) -> Result<RemoteStreamer>;
}

/// A tracked tool in the hand of its user.
#[farlens::remote]
pub trait Probe {
    /// Takes n samples and returns the RMS error.
    async fn calibrate(&self, n: u32) -> Result<f64>;
    /// Where the tool is, so many times a second.
    fn poses(&self, hz: u16) -> impl Stream<Item = Result<Pose>> + Send;
    /// Tells an alarm of everything that it should know.
    async fn watch(&self, cb: AlarmRef) -> Result<()>;
    /// A recording: `ct` or `empty`.
    async fn dataset(&self, name: String) -> Result<DatasetRef, DatasetError>;
}
