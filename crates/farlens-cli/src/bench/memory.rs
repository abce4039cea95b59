//! The most memory that server and client together take while a file streams.

use farlens::{Client, Code, Error, FileData, Identity, Result, Server};
use std::fs::File;

/// Streams a file of `bytes` and gives the peak of resident memory above that before, in bytes.
pub(super) async fn peak_above_idle(bytes: u64) -> Result<u64> {
    let failed = |error| Error::new(Code::STORAGE_IO, "no file can be made").with_source(error);
    let path = std::env::temp_dir().join(format!("farlens-bench-{}", std::process::id()));
    let file = File::create_new(&path).map_err(failed)?;
    let streamed = match file.set_len(bytes).map_err(failed) {
        Ok(()) => stream(&path, bytes).await,
        Err(error) => Err(error),
    };
    drop(std::fs::remove_file(&path));
    streamed
}

async fn stream(path: &std::path::Path, bytes: u64) -> Result<u64> {
    let server = Server::builder().identity(Identity::generate()?);
    let server = server.publish("/file", FileData::read_only(path)).bind("127.0.0.1:0").await?;
    let ticket = server.invite("/")?.to_string();
    let link = Client::builder().identity(Identity::generate()?).connect(&ticket).await?;
    // Writing 5 there forgets the peak so far; where that is not allowed the peak is an upper bound.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    let idle = status("VmRSS:")?;
    let mut stream = link.open("/file").await?;
    let mut received = 0;
    while let Some(chunk) = stream.next_chunk().await? {
        received += chunk.len() as u64;
    }
    if received != bytes {
        return Err(Error::new(Code::INTERNAL, format!("{received} of {bytes} bytes arrived")));
    }
    Ok(status("VmHWM:")?.saturating_sub(idle))
}

/// A figure of this process in `/proc`, in bytes.
fn status(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024)
        .ok_or_else(|| Error::new(Code::UNSUPPORTED, "memory is measured through /proc only"))
}
