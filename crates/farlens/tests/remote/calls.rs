use farlens::Code;
use futures::Stream;
use serde::{Deserialize, Serialize};

#[farlens::remote]
pub trait Alarm {
    async fn fired(&self, what: String) -> farlens::Result<()>;
}

#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub struct Pose {
    x: f32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub enum ProbeError {
    NoSuchSet(String),
    System(String),
}

impl From<farlens::Error> for ProbeError {
    fn from(error: farlens::Error) -> Self {
        Self::System(error.to_string())
    }
}

#[farlens::remote]
pub trait Dataset {
    async fn len(&self) -> farlens::Result<u64>;
}

/// Measures.
#[farlens::remote]
pub trait Probe {
    /// Takes n samples and returns the RMS error.
    async fn calibrate(&self, n: u32) -> farlens::Result<f64>;
    async fn watch(&self, cb: AlarmRef) -> farlens::Result<()>;
    async fn dataset(&self, name: String) -> Result<DatasetRef, ProbeError>;
    fn poses(&self, hz: u16) -> impl Stream<Item = farlens::Result<Pose>> + Send;
    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u64>> + Send + 'static,
    ) -> farlens::Result<u64>;
    #[farlens(one_way)]
    async fn note(&self, text: String) -> farlens::Result<()>;
    async fn version(&self) -> farlens::Result<u32> {
        Ok(1)
    }
}
