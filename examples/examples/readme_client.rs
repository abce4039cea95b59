//! Reads the end of a remote file as if it were local.
use std::io::SeekFrom;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

#[tokio::main]
async fn main() -> farlens::Result<()> {
    let link = farlens::connect(&std::env::args().nth(1).expect("a ticket or URL")).await?;
    let mut ct = link.open("/ct.raw").await?;
    ct.seek(SeekFrom::End(-512)).await?;
    let mut tail = Vec::new();
    ct.read_to_end(&mut tail).await?; // a cut link is an error here, never an end
    println!("{} bytes from {}", tail.len(), link.peer());
    Ok(())
}
