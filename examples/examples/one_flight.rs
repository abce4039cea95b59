//! How often one has to wait for a peer that is far away: a proxy in this process holds back all
//! that passes it, 50 ms each way. Checks itself: exits with 1 if a reader waits for more than the
//! one round trip that it needs, or gets a wrong byte.
use farlens::{
    Address, Client, Code, Error, FixedData, Identity, Link, RemotePath, Result, Server, Ticket,
};
use std::{future::Future, io, ops::Range, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep_until},
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

fn wrong(text: String) -> Error {
    Error::new(Code::INTERNAL, text)
}

/// Passes on what one end sends to the other, `DELAY` later.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let (push, mut pull) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    let take = async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let due = Instant::now() + DELAY;
            if push.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let give = async move {
        while let Some((due, bytes)) = pull.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(take, give);
}

/// Puts a long way before a server; gives the address at its near end.
async fn far_away(server: &Server) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let near = listener.local_addr()?.to_string();
    let server = server.local_addr();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(server).await else { return };
            let nodelay = client.set_nodelay(true).and(server.set_nodelay(true));
            if nodelay.is_err() {
                return;
            }
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(carry(from_client, to_server));
            tokio::spawn(carry(from_server, to_client));
        }
    });
    Ok(near)
}

/// A link with a server behind a long way.
async fn connect(server: &Server) -> Result<Link> {
    let invited = server.invite("/data")?;
    let invite = invited.invite().ok_or_else(|| wrong("no invite".into()))?.clone();
    let near: Address = far_away(server).await?.parse()?;
    let ticket = Ticket::new(vec![near], server.key(), RemotePath::new("/data")?)?;
    let client = Client::builder().identity(Identity::generate()?);
    client.connect(&ticket.with_invite(invite).to_string()).await
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
    let link = connect(&server).await?;
    within("open and the first 64 KiB", 1.6, || open_and_read(&link)).await?;
    within("64 places of 4 KiB, opening and all", 1.6, || read_places(&link)).await?;
    within("64 reads in strides, one by one", 20.0, || read_strides(&link)).await
}
