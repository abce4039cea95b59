//! Files that no stream changes.

use super::*;
use crate::data::{FileData, OpenFile};
use std::io::Write;
use tempfile::NamedTempFile;

/// A file, followed or not.
pub(super) struct OnDisk {
    pub(super) follow: bool,
}

impl Subject for OnDisk {
    type Data = OpenFile;
    type Keep = NamedTempFile;

    async fn make(&self, elements: u64) -> (OpenFile, NamedTempFile) {
        let mut file = NamedTempFile::new().expect("temporary files can be made");
        file.write_all(&bytes(0..elements)).expect("it is small");
        let data = FileData::read_only(file.path()).follow(self.follow);
        (data.open().expect("it is there"), file)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }

    async fn grow(&self, _: &OpenFile, file: &mut NamedTempFile, numbers: Range<u64>) -> bool {
        if self.follow {
            file.write_all(&bytes(numbers)).expect("it is small");
        }
        self.follow
    }
}

#[tokio::test(start_paused = true)]
async fn files_conform() {
    for follow in [false, true] {
        assert!(passed(&check_on_disk(&OnDisk { follow }).await) >= 20);
    }
}
