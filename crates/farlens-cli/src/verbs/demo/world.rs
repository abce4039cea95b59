//! What the demo publishes: a file, a typed sequence, a log that grows and a live sequence.

use super::wrong;
use farlens::{
    Entity, Error, FileData, FixedData, Identity, Result, Server, Spool,
    data::{SpoolData, SpoolWriter},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Write},
    path::PathBuf,
};
use tempfile::TempDir;

/// Length of the file.
pub(super) const FILE_BYTES: u64 = 64 << 20;
/// Entities of the typed sequence.
pub(super) const POSES: u64 = 100_000;

/// Where a tool was at some moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
pub(super) struct Pose {
    pub(super) index: u64,
    tool: String,
    t_ns: u64,
    position: [f32; 3],
    valid: bool,
}

impl Pose {
    /// The pose with this index.
    pub(super) fn at(index: u64) -> Self {
        let angle = index as f32 / 100.0;
        Self {
            index,
            tool: format!("needle-{}", index % 3),
            t_ns: index * 16_666_667,
            position: [angle.cos(), angle.sin(), angle],
            valid: !index.is_multiple_of(97),
        }
    }
}

/// Bytes that say where they are: each is made from its position alone.
pub(super) fn pattern(from: u64, length: usize) -> Vec<u8> {
    let byte = |at: u64| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8;
    (from..from + length as u64).map(byte).collect()
}

/// The published things and what moves them. Dropping it removes the folder.
pub(super) struct World {
    folder: TempDir,
    live: SpoolData,
    writer: Option<SpoolWriter>,
    log_len: u64,
}

impl World {
    /// Entities that the live sequence brings.
    pub(super) const LIVE_ITEMS: u64 = 1000;

    /// Makes the files, in a folder that nobody else can open.
    pub(super) async fn make() -> Result<Self> {
        let made = tokio::task::spawn_blocking(|| {
            let folder = tempfile::Builder::new().prefix("farlens-demo-").tempdir()?;
            let mut file = BufWriter::new(File::create_new(folder.path().join("scan.raw"))?);
            for at in (0..FILE_BYTES).step_by(1 << 20) {
                file.write_all(&pattern(at, 1 << 20))?;
            }
            file.flush()?;
            std::fs::write(folder.path().join("log"), FIRST_LINE)?;
            Ok(folder)
        });
        let folder = made.await.map_err(|_| wrong("no files could be made"))?.map_err(storage)?;
        let (writer, live) = Spool::items();
        let log_len = FIRST_LINE.len() as u64;
        Ok(Self { folder, live, writer: Some(writer), log_len })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Publishes it all on loopback, with a key made for the purpose.
    pub(super) async fn serve(&self) -> Result<Server> {
        Server::builder()
            .identity(Identity::generate()?)
            .publish("/scan.raw", FileData::read_only(self.path("scan.raw")))
            .publish("/poses", FixedData::items((0..POSES).map(Pose::at))?)
            .publish("/log", FileData::read_only(self.path("log")).follow(true))
            .publish("/fixed", FixedData::bytes("does not change"))
            .publish("/live", self.live.clone())
            .bind("127.0.0.1:0")
            .await
    }

    /// Lets the log grow, and the live sequence come and end.
    pub(super) fn go_on(&mut self) -> Result<()> {
        let mut log = OpenOptions::new().append(true).open(self.path("log")).map_err(storage)?;
        log.write_all(SECOND_LINE).map_err(storage)?;
        self.log_len += SECOND_LINE.len() as u64;
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        for index in 0..Self::LIVE_ITEMS {
            let mut body = Vec::new();
            self.live_item(index).encode(&mut body).map_err(|_| wrong("an entity is unfit"))?;
            writer.push(&body)?;
        }
        writer.finish();
        Ok(())
    }

    /// The live entity with this index.
    pub(super) fn live_item(&self, index: u64) -> Entity {
        Entity::map([("n", Entity::from(index)), ("square", Entity::from(index * index))])
    }

    /// Bytes that the log has by now.
    pub(super) const fn log_len(&self) -> u64 {
        self.log_len
    }
}

const FIRST_LINE: &[u8] = b"the log begins\n";
const SECOND_LINE: &[u8] = b"and goes on while it is watched\n";

fn storage(error: std::io::Error) -> Error {
    Error::new(farlens::Code::STORAGE_IO, "the demo's files cannot be written").with_source(error)
}
