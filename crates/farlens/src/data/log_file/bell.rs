//! What wakes a follower early: inotify, where the system grants it.
//!
//! It only says that looking may pay; what happened is read from the files themselves. On a file
//! system of another machine it tells of nothing that happened there, so looking goes on without.

use rustix::{
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::File,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::Arc,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Names that come and go in a directory.
const IN_DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ONLYDIR);

/// Growth and cuts of a file.
const IN_FILE: WatchFlags = WatchFlags::MODIFY;

/// Bytes for events: several with the longest names.
const EVENT_BYTES: usize = 4096;

/// Rings when something happened to the file or to its name.
pub(super) struct Bell {
    inotify: AsyncFd<Arc<OwnedFd>>,
    name: Option<OsString>,
}

impl Bell {
    /// A bell for a path, and what it listens to; nothing where the system refuses it.
    pub(super) fn new(path: &Path) -> Option<(Self, Watches)> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let fd = Arc::new(fd);
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for sources whose descriptor changes"
        )]
        let inotify = AsyncFd::with_interest(Arc::clone(&fd), Interest::READABLE).ok()?;
        let name = path.file_name().map(OsString::from);
        Some((Self { inotify, name }, Watches { inotify: fd, directory: None, file: None }))
    }

    /// Returns when it rang. Never returns once listening fails.
    pub(super) async fn rung(&self) {
        loop {
            let Ok(mut ready) = self.inotify.readable().await else { break };
            match ready.try_io(|inotify| self.drain(inotify.get_ref())) {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(_)) => break,
            }
        }
        std::future::pending::<()>().await;
    }

    /// Takes one buffer of events; whether one of them is about this file.
    fn drain(&self, inotify: &OwnedFd) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = Reader::new(inotify, &mut buffer);
        let mut ours = false;
        loop {
            match events.next() {
                Ok(event) => {
                    let name = self.name.as_ref().map(|name| name.as_bytes());
                    let about = event.file_name().map(std::ffi::CStr::to_bytes);
                    ours |= about.is_none() || about == name;
                }
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            if events.is_buffer_empty() {
                return Ok(ours);
            }
        }
    }
}

/// The files that a bell listens to.
pub(super) struct Watches {
    inotify: Arc<OwnedFd>,
    directory: Option<i32>,
    /// The serial of the generation with the watch on its file.
    file: Option<(u64, i32)>,
}

impl Watches {
    /// Listens to the directory of `path` and to `file`, which has a serial. Whether anything is
    /// listened to that was not before: it may have changed just before that. Blocks.
    pub(super) fn point_at(&mut self, path: &Path, file: Option<(u64, &File)>) -> bool {
        let before = (self.directory, self.file);
        let moved = file.map(|(serial, _)| serial) != self.file.map(|(serial, _)| serial);
        if moved || self.directory.is_none() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            let directory = inotify::add_watch(&self.inotify, parent, IN_DIRECTORY).ok();
            self.forget(self.directory, directory);
            self.directory = directory;
        }
        if moved {
            let watch = file.and_then(|(serial, file)| Some((serial, self.watch(file)?)));
            self.forget(before.1.map(|(_, watch)| watch), watch.map(|(_, watch)| watch));
            self.file = watch;
        }
        let now = (self.directory, self.file);
        now != before && (now.0.is_some() || now.1.is_some())
    }

    /// Whether nothing that matters goes unheard.
    pub(super) fn are_complete(&self) -> bool {
        self.directory.is_some() && self.file.is_some()
    }

    /// Through the descriptor, since the path may lead elsewhere by now.
    fn watch(&self, file: &File) -> Option<i32> {
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        inotify::add_watch(&self.inotify, path, IN_FILE).ok()
    }

    fn forget(&self, old: Option<i32>, new: Option<i32>) {
        if let Some(old) = old.filter(|_| old != new) {
            // It is gone already when what it was on is gone.
            let _ = inotify::remove_watch(&self.inotify, old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write};

    /// What the bell says to the events so far.
    fn heard(bell: &Bell) -> Option<bool> {
        bell.drain(bell.inotify.get_ref()).ok()
    }

    #[tokio::test]
    async fn a_bell_rings_for_its_file_and_its_name_only() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("log");
        let Some((bell, mut watches)) = Bell::new(&path) else { return };
        assert!(watches.point_at(&path, None), "the directory is new");
        assert!(!watches.are_complete());
        fs::write(dir.path().join("neighbour"), "x").expect("space");
        assert_eq!(heard(&bell), Some(false));
        let mut file = File::create(&path).expect("possible");
        bell.rung().await;
        assert_eq!(heard(&bell), None, "nothing more happened");
        assert!(watches.point_at(&path, Some((0, &file))), "the file is new");
        assert!(!watches.point_at(&path, Some((0, &file))), "nothing is new");
        assert!(watches.are_complete());
        file.write_all(b"x").expect("space");
        assert_eq!(heard(&bell), Some(true));
        fs::rename(&path, dir.path().join("old")).expect("same directory");
        assert_eq!(heard(&bell), Some(true));
        file.write_all(b"x").expect("space");
        assert_eq!(heard(&bell), Some(true), "the file is watched, wherever it is");
        file.set_len(0).expect("possible");
        bell.rung().await;
    }

    #[tokio::test]
    async fn a_bell_moves_to_the_next_file() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("log");
        let Some((bell, mut watches)) = Bell::new(&path) else { return };
        let mut files =
            ["log", "log.1"].map(|name| File::create(dir.path().join(name)).expect("possible"));
        watches.point_at(&path, Some((0, &files[1])));
        assert!(watches.point_at(&path, Some((1, &files[0]))));
        assert_eq!(heard(&bell), Some(true), "the old watch ends");
        files[1].write_all(b"x").expect("space");
        assert_eq!(heard(&bell), None);
        assert!(watches.point_at(&path, Some((2, &files[0]))), "cut, and the same file");
        files[0].write_all(b"x").expect("space");
        assert_eq!(heard(&bell), Some(true));
    }
}
