//! The data and the keys of a run.

use crate::{
    Result,
    data::{self, Data, Origin},
    live::Live,
    peer::Stage,
    runtimes::Runtimes,
    tls::Tls,
    workloads::Amounts,
};
use std::{io::Write, sync::Arc};
use tempfile::NamedTempFile;

/// A stage together with its files, which go when the run is over.
pub(crate) struct Set {
    pub(crate) stage: Stage,
    _files: [NamedTempFile; 2],
}

impl Set {
    /// Makes the data.
    ///
    /// # Errors
    /// When there is no room for the file.
    pub(crate) fn build(runtimes: &Runtimes, amounts: Amounts) -> Result<Self> {
        let mut file = NamedTempFile::with_prefix("farlens-bench-")?;
        let written = NamedTempFile::with_prefix("farlens-bench-")?;
        let reopened = [Arc::new(file.reopen()?), Arc::new(written.reopen()?)];
        let data = Data {
            block: data::block(),
            file: Arc::clone(&reopened[0]),
            written: Arc::clone(&reopened[1]),
        };
        for chunk in data.chunks(Origin::Memory, amounts.bytes, 1 << 20) {
            file.write_all(&chunk?)?;
        }
        let stage = Stage {
            server: runtimes.server(),
            client: runtimes.client(),
            data,
            tls: Tls::new()?,
            path: file.path().to_owned(),
            written: written.path().to_owned(),
            bytes: amounts.bytes,
            entities: amounts.entities,
            live: Live::default(),
            streams: Stage::USUAL.0,
            window: Stage::USUAL.1,
        };
        Ok(Self { stage, _files: [file, written] })
    }
}
