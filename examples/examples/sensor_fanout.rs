//! A sensor calls back 100,000 times a second from a plain thread; eight readers on links of their
//! own get every reading, in order. Then the same again where a reading that finds no room is left
//! out. Checks itself: exits with 1 if anything is missing or out of place.
use farlens::{
    Channel, Client, Code, EntityStream, Error, Identity, Link, Publisher, Result, Server,
    data::channel,
};
use futures::{TryStreamExt, future::try_join_all};
use serde::{Deserialize, Serialize};
use std::{
    thread,
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::JoinHandle};

const RATE: u64 = 100_000;
const READINGS: u64 = 3 * RATE;
const READERS: usize = 8;

/// What the sensor measured.
#[derive(Serialize, Deserialize, farlens::Schema)]
struct Reading {
    index: u64,
    force: [f32; 3],
}

impl Reading {
    fn at(index: u64) -> Self {
        let force = index as f32 / 1_000.0;
        Self { index, force: [force.sin(), force.cos(), force] }
    }
}

/// Some readings: how many, and a number that depends on which ones and on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    count: u64,
    digest: u64,
}

impl Tally {
    fn add(&mut self, reading: u64) {
        self.count += 1;
        self.digest = self.digest.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(reading + 1);
    }
}

/// Calls back with each reading when its time has come, as the driver of a device does.
fn sensor(mut callback: impl FnMut(Reading) -> Result<()>) -> Result<()> {
    let started = Instant::now();
    for index in 0..READINGS {
        let due = started + Duration::from_secs(index) / RATE as u32;
        if index % (RATE / 1_000) == 0 {
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        callback(Reading::at(index))?;
    }
    Ok(())
}

/// A server on loopback with the channel, and readers that got their streams before this returns.
async fn readers_of(
    readings: Channel<Reading>,
) -> Result<(Server, Vec<JoinHandle<Result<Tally>>>)> {
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/force", readings)
        .bind("127.0.0.1:0")
        .await?;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let client = Client::builder().identity(Identity::generate()?);
        let link = client.connect(&server.invite("/force")?.to_string()).await?;
        let readings = link.entities::<Reading>("/force").await?;
        readers.push(tokio::spawn(read_all(link, readings)));
    }
    Ok((server, readers))
}

/// Reads to the end. A cut link would be an error, so an end is the sensor's own.
async fn read_all(_link: Link, mut readings: EntityStream<Reading>) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut next = 0;
    while let Some(reading) = readings.try_next().await? {
        if reading.index < next || reading.force != Reading::at(reading.index).force {
            return Err(wrong(format!("reading {} came where {next} was next", reading.index)));
        }
        next = reading.index + 1;
        tally.add(reading.index);
    }
    Ok(tally)
}

/// Runs the sensor on a thread of its own, with `send` as its callback, which says whether the
/// reading was taken; what was taken, and how long that took.
fn run_sensor(
    publisher: Publisher<Reading>,
    send: fn(&Publisher<Reading>, Reading) -> Result<bool>,
) -> oneshot::Receiver<Result<(Tally, Duration)>> {
    let (done, sent) = oneshot::channel();
    thread::spawn(move || {
        let started = Instant::now();
        let mut taken = Tally::default();
        let outcome = sensor(|reading| {
            let index = reading.index;
            if send(&publisher, reading)? {
                taken.add(index);
            }
            Ok(())
        });
        // The publisher is dropped with this thread, and so the readers meet the end.
        let _ = done.send(outcome.map(|()| (taken, started.elapsed())));
    });
    sent
}

/// One round: eight readers must get what `send` had taken, and all of it.
async fn round(
    name: &str,
    capacity: u64,
    send: fn(&Publisher<Reading>, Reading) -> Result<bool>,
) -> Result<u64> {
    let (publisher, readings) = channel(capacity);
    let (server, readers) = readers_of(readings).await?;
    let started = Instant::now();
    let sent = run_sensor(publisher, send);
    let got = try_join_all(readers).await.map_err(|_| wrong("a reader panicked".into()))?;
    let whole = started.elapsed();
    let (taken, sending) = sent.await.map_err(|_| wrong("the sensor panicked".into()))??;
    for tally in got {
        let tally = tally?;
        if tally != taken {
            return Err(wrong(format!("a reader got {tally:?} of {taken:?}")));
        }
    }
    let refused = READINGS - taken.count;
    let rate = |time: Duration| taken.count as f64 / time.as_secs_f64();
    println!(
        "{name}: {} readings taken at {:.0}/s, {refused} refused; each of {READERS} readers got \
         all of them in order, at {:.0}/s",
        taken.count,
        rate(sending),
        rate(whole),
    );
    server.shutdown(Duration::from_secs(1)).await;
    Ok(refused)
}

fn wrong(text: String) -> Error {
    Error::new(Code::INTERNAL, text)
}

#[tokio::main]
async fn main() -> Result<()> {
    let waiting = |publisher: &Publisher<Reading>, reading| publisher.send(reading).map(|()| true);
    if round("send", 65_536, waiting).await? != 0 {
        return Err(wrong("a send that waits left readings out".into()));
    }
    round("try_send", 128, |publisher, reading| match publisher.try_send(reading) {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Code::OVERLOADED => Ok(false),
        Err(error) => Err(error),
    })
    .await?;
    Ok(())
}
