//! Files that streams change, in place or all at once.

use super::*;
use crate::data::{FileData, StreamerData, live::LiveFile};
use farlens_proto::{Chunk, Purpose, Rules};
use farlens_wire::Pos;
use std::{fs, io::Write};
use tempfile::TempDir;

/// Files as they are published and opened for one stream.
pub(super) enum Live {
    InPlace,
    /// Whether a stream may write inside is up to the rules of each change.
    AppendOnly,
    /// Other programs append, too.
    Followed,
    Created,
    /// What is to take the place of another file.
    Replacement,
}

impl Live {
    fn publish(&self, folder: &TempDir) -> FileData {
        let data = FileData::read_write(folder.path().join("file")).create(true);
        match self {
            Self::AppendOnly => data.append_only(),
            Self::Followed => data.follow(true),
            Self::InPlace | Self::Created | Self::Replacement => data,
        }
    }
}

impl Subject for Live {
    type Data = LiveFile;
    type Keep = TempDir;

    async fn make(&self, elements: u64) -> (LiveFile, TempDir) {
        let folder = TempDir::new().expect("temporary folders can be made");
        let content = bytes(0..elements);
        let purpose = match self {
            Self::InPlace | Self::AppendOnly | Self::Followed => {
                fs::write(folder.path().join("file"), &content).expect("it is small");
                Purpose::Use
            }
            Self::Created => Purpose::Create,
            Self::Replacement => Purpose::Replace { create: true },
        };
        let data = self.publish(&folder).open_live(true, purpose).expect("it can be opened");
        if purpose != Purpose::Use && elements > 0 {
            let chunk = Chunk::Bytes(content.into());
            data.write_at(Pos::END, chunk, &Rules::all()).await.expect("it is small");
        }
        (data, folder)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }

    async fn grow(&self, _: &LiveFile, folder: &mut TempDir, numbers: Range<u64>) -> bool {
        if !matches!(self, Self::Followed) {
            return false;
        }
        let file = fs::OpenOptions::new().append(true).open(folder.path().join("file"));
        file.expect("it is there").write_all(&bytes(numbers)).expect("it is small");
        true
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_are_changed_in_place_conform() {
    for live in [Live::InPlace, Live::AppendOnly, Live::Followed] {
        assert!(passed(&check_on_disk(&live).await) >= 45);
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_are_new_conform() {
    for live in [Live::Created, Live::Replacement] {
        assert!(passed(&check_on_disk(&live).await) >= 45);
    }
}
