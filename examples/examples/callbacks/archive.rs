//! An object that answers with objects, which answer with streams.

use farlens::{Code, Error, FixedData, RemoteStreamer, Result};

/// What is in a dataset.
pub(crate) const CONTENT: [u8; 1_000] = [7; 1_000];

/// Where datasets lie.
#[farlens::remote]
pub(crate) trait Archive {
    /// Opens a dataset by its name.
    async fn open_dataset(&self, name: String) -> Result<DatasetRef>;
}

/// A dataset that was opened.
#[farlens::remote]
pub(crate) trait Dataset {
    /// What it is called.
    async fn title(&self) -> Result<String>;

    /// What is in it.
    async fn bytes(&self) -> Result<RemoteStreamer>;
}

/// An archive with one dataset.
pub(crate) struct Shelf;

impl Archive for Shelf {
    async fn open_dataset(&self, name: String) -> Result<DatasetRef> {
        if name != "ct" {
            return Err(Error::new(Code::NOT_FOUND, format!("there is no dataset {name}")));
        }
        Ok(DatasetRef::new(Scan { name }))
    }
}

struct Scan {
    name: String,
}

impl Dataset for Scan {
    async fn title(&self) -> Result<String> {
        Ok(self.name.clone())
    }

    async fn bytes(&self) -> Result<RemoteStreamer> {
        RemoteStreamer::new(FixedData::bytes(CONTENT.to_vec()))
    }
}
