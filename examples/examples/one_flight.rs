//! How often one has to wait for a peer that is far away: a proxy in this process holds back all
//! that passes it, 50 ms each way. Checks itself: exits with 1 if a reader waits for more than the
//! one round trip that it needs, or gets a wrong byte.
use farlens::{FixedData, Identity, Link, Result, Server};
use farlens_examples::{far_away, wrong};
use std::{future::Future, io, ops::Range, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt},
    time::Instant,
};

const DELAY: Duration = Duration::from_millis(50);
const SIZE: u64 = 64 << 20;
const PLACES: u64 = 64;
const PLACE_BYTES: u64 = 4 << 10;
/// Each is measured so many times and the best counts: a busy machine only adds to it.
const ATTEMPTS: usize = 5;

fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8
}

fn check(at: u64, bytes: &[u8], length: usize) -> Result<()> {
    let right = bytes.len() == length && (at..).zip(bytes).all(|(at, &found)| found == byte(at));
    if right { Ok(()) } else { Err(wrong(format!("not the {length} bytes from {at} on"))) }
}

/// Does something a few times; it must once take less than so many round trips.
async fn within<F>(what: &str, most: f64, job: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut best = f64::INFINITY;
    for _ in 0..ATTEMPTS {
        let started = Instant::now();
        job().await?;
        let took = started.elapsed();
        best = best.min(took.as_secs_f64() / (2 * DELAY).as_secs_f64());
    }
    println!("{what}: {best:.2} round trips of {} ms", (2 * DELAY).as_millis());
    if best < most { Ok(()) } else { Err(wrong(format!("{what}: {best:.2}, not below {most}"))) }
}

async fn open_and_read(link: &Link) -> Result<()> {
    let mut bytes = vec![0; 64 << 10];
    link.open("/data").await?.read_exact(&mut bytes).await?;
    check(0, &bytes, 64 << 10)
}

fn places() -> Vec<Range<u64>> {
    let scattered = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (SIZE - PLACE_BYTES);
    (0..PLACES).map(scattered).map(|at| at..at + PLACE_BYTES).collect()
}

async fn read_places(link: &Link) -> Result<()> {
    let places = places();
    let pieces = link.read_ranges("/data", &places).await?;
    let mut answers = places.iter().zip(&pieces);
    answers.try_for_each(|(place, piece)| check(place.start, piece, PLACE_BYTES as usize))
}

/// Goes through the data in strides, one read after the other.
async fn read_strides(link: &Link) -> Result<()> {
    let mut stream = link.open("/data").await?;
    let mut bytes = vec![0; PLACE_BYTES as usize];
    for at in (0..SIZE).step_by((SIZE / PLACES) as usize) {
        stream.seek(io::SeekFrom::Start(at)).await?;
        stream.read_exact(&mut bytes).await?;
        check(at, &bytes, PLACE_BYTES as usize)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let data: Vec<u8> = (0..SIZE).map(byte).collect();
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/data", FixedData::bytes(data))
        .bind("127.0.0.1:0")
        .await?;
    let link = far_away(&server, DELAY).await?;
    within("open and the first 64 KiB", 1.6, || open_and_read(&link)).await?;
    within("64 places of 4 KiB, opening and all", 1.6, || read_places(&link)).await?;
    within("64 reads in strides, one by one", 20.0, || read_strides(&link)).await
}
