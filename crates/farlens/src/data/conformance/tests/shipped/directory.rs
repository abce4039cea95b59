//! Files of a published directory.

use super::*;
use crate::data::{Directory, OpenFile, live::LiveFile};
use farlens_proto::Purpose;
use std::fs;
use tempfile::TempDir;

/// A folder with a file in a folder, published.
fn sample(elements: u64) -> (TempDir, Directory) {
    let folder = TempDir::new().expect("temporary folders can be made");
    fs::create_dir(folder.path().join("sub")).expect("it is new");
    fs::write(folder.path().join("sub/file"), bytes(0..elements)).expect("it is small");
    let directory = Directory::read_only(folder.path()).expect("it is there");
    (folder, directory)
}

struct Readable;

impl Subject for Readable {
    type Data = OpenFile;
    type Keep = TempDir;

    async fn make(&self, elements: u64) -> (OpenFile, TempDir) {
        let (folder, directory) = sample(elements);
        (directory.open(&["sub", "file"]).expect("it is there"), folder)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

struct Writable;

impl Subject for Writable {
    type Data = LiveFile;
    type Keep = TempDir;

    async fn make(&self, elements: u64) -> (LiveFile, TempDir) {
        let (folder, directory) = sample(elements);
        let directory = directory.writable(true);
        let file = directory.open_live(&["sub", "file"], true, Purpose::Use);
        (file.expect("it is there"), folder)
    }

    fn element(&self, n: u64) -> Vec<u8> {
        vec![byte_at(n)]
    }
}

#[tokio::test(start_paused = true)]
async fn files_of_a_directory_conform() {
    assert!(passed(&check_on_disk(&Readable).await) >= 20);
    assert!(passed(&check_on_disk(&Writable).await) >= 45);
}
