//! A log that is kept for a while: a producer sends 10,000 values a second into a topic that keeps
//! 10,000. Three readers over TLS:
//!
//! - *late* comes when some have been dropped, begins at the first that is kept and goes live;
//! - *slow* wants every value but stands still for a while: what it missed comes as a gap;
//! - *latest* sleeps for 10 ms after each value and wants the newest each time.
//!
//! Every reader accounts for every value: what it got and what it was told it missed add up. Prints
//! how old the values of *latest* were. Exits with 1 if something does not add up, or, with
//! `--max-age MILLISECONDS`, if a value of *latest* was older than that.
use farlens::{
    AtEnd, Client, Code, Delivery, Error, Identity, Link, OpenOptions, Position, Result, Server,
    StreamEvent, StreamEvents, Topic,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use std::{
    thread,
    time::{Duration, Instant},
};
use tokio::time::sleep;

const RATE: u64 = 10_000;
const KEPT: u64 = 10_000;
const VALUES: u64 = 4 * RATE;
const PAUSE: Duration = Duration::from_millis(10);

/// A value, and when it was made: microseconds since the program began.
#[derive(Serialize, Deserialize, farlens::Schema)]
struct Value {
    index: u64,
    made_us: u64,
}

/// What a reader got, from the first index that it saw anything of.
#[derive(Default)]
struct Account {
    first: Option<u64>,
    next: u64,
    got: u64,
    skipped: u64,
    gaps: u64,
    oldest: Duration,
}

impl Account {
    fn take(&mut self, event: StreamEvent<Value>, began: Instant) -> Result<bool> {
        match event {
            StreamEvent::Item(value) => {
                if self.first.is_some() && value.index != self.next {
                    let text = format!("value {} came where {} was next", value.index, self.next);
                    return Err(wrong(text));
                }
                self.first.get_or_insert(value.index);
                self.next = value.index + 1;
                self.got += 1;
                let age = began.elapsed().saturating_sub(Duration::from_micros(value.made_us));
                self.oldest = self.oldest.max(age);
            }
            StreamEvent::Gap { skipped } => {
                // Where it began is known once the first value has come.
                if self.first.is_some() {
                    self.next += skipped;
                    self.skipped += skipped;
                }
                self.gaps += 1;
            }
            StreamEvent::End(at) => {
                if at.get() != self.next {
                    return Err(wrong(format!(
                        "the end at {at} came where {} was next",
                        self.next
                    )));
                }
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    /// Whether what was got and what was missed make up everything from the first value on.
    fn close(&self, name: &str) -> Result<()> {
        let first = self.first.ok_or_else(|| wrong(format!("{name} got nothing")))?;
        let Self { got, skipped, gaps, .. } = self;
        if got + skipped != VALUES - first {
            return Err(wrong(format!("{name}: {got} + {skipped} of {}", VALUES - first)));
        }
        println!("{name}: from {first} on {got} values and {gaps} gaps of {skipped}, nothing lost");
        Ok(())
    }
}

async fn open(link: &Link, options: OpenOptions) -> Result<StreamEvents<Value>> {
    Ok(link.entities_with("/values", options.at_end(AtEnd::Follow)).await?.events())
}

async fn late(link: Link, began: Instant) -> Result<Account> {
    sleep(Duration::from_millis(1_500)).await;
    let mut account = Account::default();
    let mut events = open(&link, OpenOptions::new()).await?;
    while let Some(event) = events.next().await {
        if !account.take(event?, began)? {
            break;
        }
    }
    if account.gaps != 0 || account.first == Some(0) {
        return Err(wrong("late is late, and fast enough for all that follows".into()));
    }
    Ok(account)
}

async fn slow(link: Link, began: Instant) -> Result<Account> {
    let mut account = Account::default();
    let mut events = open(&link, OpenOptions::new().window(16 << 10, 500)).await?;
    while let Some(event) = events.next().await {
        if !account.take(event?, began)? {
            break;
        }
        if account.got == 1_000 {
            sleep(Duration::from_millis(1_800)).await;
        }
    }
    if account.gaps == 0 {
        return Err(wrong("slow stood still for longer than values are kept".into()));
    }
    Ok(account)
}

async fn latest(link: Link, began: Instant) -> Result<Account> {
    let mut account = Account::default();
    let options = OpenOptions::new().delivery(Delivery::Latest).window(64 << 10, 4);
    let mut events = open(&link, options).await?;
    while let Some(event) = events.next().await {
        let event = event?;
        let is_item = matches!(event, StreamEvent::Item(_));
        if !account.take(event, began)? {
            break;
        }
        if is_item {
            sleep(PAUSE).await;
        }
    }
    Ok(account)
}

/// Sends every value when its time has come.
fn produce(values: &Topic<Value>, began: Instant) -> Result<()> {
    let started = Instant::now();
    for index in 0..VALUES {
        let due = started + Duration::from_secs(index) / RATE as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let made_us = began.elapsed().as_micros() as u64;
        if values.send(Value { index, made_us })? != Position::try_from(index).unwrap_or_default() {
            return Err(wrong("a value went elsewhere".into()));
        }
    }
    values.close();
    Ok(())
}

fn wrong(text: String) -> Error {
    Error::new(Code::INTERNAL, text)
}

/// The age that values of *latest* may have, if one is given.
fn max_age() -> Result<Option<Duration>> {
    let mut args = std::env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (None, _) => Ok(None),
        (Some("--max-age"), Some(age)) => match age.parse() {
            Ok(age) => Ok(Some(Duration::from_millis(age))),
            Err(_) => Err(Error::new(Code::USAGE, "--max-age takes milliseconds")),
        },
        _ => Err(Error::new(Code::USAGE, "the only option is --max-age MILLISECONDS")),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let max_age = max_age()?;
    let began = Instant::now();
    let values = Topic::<Value>::keep_last(KEPT);
    let server = Server::builder()
        .identity(Identity::generate()?)
        .publish("/values", values.clone())
        .bind("127.0.0.1:0")
        .await?;
    let mut links = Vec::new();
    for _ in 0..3 {
        let client = Client::builder().identity(Identity::generate()?);
        links.push(client.connect(&server.invite("/values")?.to_string()).await?);
    }
    let (a, b, c) = (links[0].clone(), links[1].clone(), links[2].clone());
    let readers = async { tokio::try_join!(late(a, began), slow(b, began), latest(c, began)) };
    let producer = tokio::task::spawn_blocking(move || produce(&values, began));
    let (late, slow, latest) = readers.await?;
    producer.await.map_err(|_| wrong("the producer panicked".into()))??;
    late.close("late")?;
    slow.close("slow")?;
    latest.close("latest")?;
    println!("latest: no value was older than {:.1?}", latest.oldest);
    match max_age {
        Some(max) if latest.oldest > max => Err(wrong(format!("that is more than {max:?}"))),
        _ => Ok(()),
    }
}
