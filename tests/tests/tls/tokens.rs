//! A hundred thousand references, made, passed, returned and dropped by both sides in random order.

use crate::{House, guarded, settled};
use farlens::{Server, Verb};
use farlens_tests::rng::Rng;
use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Tokens that each side makes.
const TOKENS: u64 = 50_000;
/// Tokens that are passed at once, at most.
const HANDFUL: u64 = 40;
/// Tokens that one side keeps.
const KEPT: usize = 400;

#[farlens::remote]
pub trait Token {
    async fn number(&self) -> farlens::Result<u64>;
}

#[farlens::remote]
pub trait Market {
    /// Keeps what is given, and gives about as much of what it has.
    async fn trade(&self, given: Vec<TokenRef>) -> farlens::Result<Vec<TokenRef>>;
    /// Trades with `other` until it has made its tokens, and keeps none.
    async fn visit(&self, other: MarketRef) -> farlens::Result<()>;
}

/// How many tokens were made and how many destructors have run.
#[derive(Default)]
struct Counts {
    made: AtomicU64,
    gone: AtomicU64,
}

struct Coin {
    number: u64,
    counts: Arc<Counts>,
}

impl Drop for Coin {
    fn drop(&mut self) {
        self.counts.gone.fetch_add(1, Ordering::SeqCst);
    }
}

impl Token for Coin {
    async fn number(&self) -> farlens::Result<u64> {
        Ok(self.number)
    }
}

struct Bag {
    counts: Arc<Counts>,
    rng: Mutex<Rng>,
    held: Mutex<Vec<TokenRef>>,
}

impl Bag {
    fn open(seed: u64) -> (MarketRef, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        let rng = Mutex::new(Rng::new(seed));
        let bag = Self { counts: Arc::clone(&counts), rng, held: Mutex::default() };
        (MarketRef::new(bag), counts)
    }

    fn below(&self, bound: u64) -> u64 {
        self.rng.lock().unwrap().below(bound)
    }

    /// Some tokens, new ones and others that were kept; none of them for ever.
    fn handful(&self) -> Vec<TokenRef> {
        let wanted = self.below(HANDFUL) + 1;
        (0..wanted).map(|_| if self.below(3) == 0 { self.old() } else { self.new_one() }).collect()
    }

    fn new_one(&self) -> TokenRef {
        let number = self.counts.made.fetch_add(1, Ordering::SeqCst);
        TokenRef::new(Coin { number, counts: Arc::clone(&self.counts) })
    }

    /// One that is kept, which it then is no longer, or still is.
    fn old(&self) -> TokenRef {
        let mut held = self.held.lock().unwrap();
        if held.is_empty() {
            drop(held);
            return self.new_one();
        }
        let index = self.below(held.len() as u64) as usize;
        if self.below(2) == 0 { held.swap_remove(index) } else { held[index].clone() }
    }

    /// Keeps tokens, and drops some others that are kept.
    fn keep(&self, tokens: Vec<TokenRef>) {
        let mut dropped = Vec::new();
        let mut held = self.held.lock().unwrap();
        held.extend(tokens);
        while held.len() > KEPT || self.below(4) == 0 && !held.is_empty() {
            let index = self.below(held.len() as u64) as usize;
            dropped.push(held.swap_remove(index));
        }
        drop(held);
    }
}

impl Market for Bag {
    async fn trade(&self, given: Vec<TokenRef>) -> farlens::Result<Vec<TokenRef>> {
        self.keep(given);
        Ok(self.handful())
    }

    async fn visit(&self, other: MarketRef) -> farlens::Result<()> {
        while self.counts.made.load(Ordering::SeqCst) < TOKENS {
            let got = other.trade(self.handful()).await?;
            if let Some(token) = got.first().filter(|_| self.below(8) == 0) {
                token.number().await?;
            }
            self.keep(got);
        }
        drop(mem::take(&mut *self.held.lock().unwrap()));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_references_leave_nothing_behind() {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seed = fresh.as_nanos() as u64;
    println!("seed {seed}");
    let (theirs, their_counts) = Bag::open(seed);
    let (ours, our_counts) = Bag::open(seed ^ 1);
    let house = House::open(Server::builder().publish("/market", theirs)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let market: MarketRef = guarded(link.object("/market")).await.unwrap();
    let visits = async { tokio::join!(ours.visit(market.clone()), market.visit(ours.clone())) };
    let (there, back) = tokio::time::timeout(Duration::from_secs(120), visits).await.unwrap();
    assert!(there.is_ok() && back.is_ok(), "{there:?}, {back:?}");
    // What one side was given after it had left is still there.
    guarded(ours.visit(market.clone())).await.unwrap();
    guarded(market.visit(ours.clone())).await.unwrap();
    guarded(ours.visit(market.clone())).await.unwrap();
    drop((ours, market));
    settled("nothing is held", || {
        let stats = link.stats();
        stats.imports == 0 && stats.exports == 0
    })
    .await;
    for counts in [&our_counts, &their_counts] {
        let made = counts.made.load(Ordering::SeqCst);
        settled("every destructor runs", || counts.gone.load(Ordering::SeqCst) == made).await;
        assert!(made >= TOKENS);
    }
    drop(link);
    house.is_well().await;
    for counts in [&our_counts, &their_counts] {
        let (made, gone) = (&counts.made, &counts.gone);
        assert_eq!(gone.load(Ordering::SeqCst), made.load(Ordering::SeqCst), "each runs once");
    }
}
