//! Objects over a link: called both ways, built upon before they are there, and given back.

use crate::{House, guarded, nothing_open};
use farlens::{CallContext, Code, RemoteStreamer, Server, Verb};
use futures::{Stream, StreamExt, stream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[farlens::remote]
pub trait Bell {
    async fn rung(&self, times: u32) -> farlens::Result<u32>;
}

#[farlens::remote]
pub trait Tower {
    async fn add(&self, a: u64, b: u64) -> farlens::Result<u64>;
    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32>;
    async fn keep(&self, bell: BellRef) -> farlens::Result<BellRef>;
    #[farlens(one_way)]
    async fn note(&self, what: u32) -> farlens::Result<()>;
    async fn stuck(&self) -> farlens::Result<()>;
    async fn higher(&self) -> farlens::Result<TowerRef>;
    async fn log(&self) -> farlens::Result<RemoteStreamer>;
    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<u32>> + Send;
    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64>;
}

pub(crate) struct Plain(pub(crate) Arc<AtomicUsize>);

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tower for Plain {
    async fn add(&self, a: u64, b: u64) -> farlens::Result<u64> {
        assert!(CallContext::current().peer().is_some());
        Ok(a + b)
    }

    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32> {
        bell.rung(times).await
    }

    async fn keep(&self, bell: BellRef) -> farlens::Result<BellRef> {
        Ok(bell)
    }

    async fn note(&self, _: u32) -> farlens::Result<()> {
        Ok(())
    }

    async fn stuck(&self) -> farlens::Result<()> {
        std::future::pending().await
    }

    async fn higher(&self) -> farlens::Result<TowerRef> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(TowerRef::new(Self(Arc::clone(&self.0))))
    }

    async fn log(&self) -> farlens::Result<RemoteStreamer> {
        RemoteStreamer::new(farlens::Streamer::new(farlens::FixedData::bytes(vec![7; 1000])))
    }

    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<u32>> + Send {
        stream::iter((0..to).map(Ok))
    }

    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64> {
        let mut items = std::pin::pin!(items);
        let mut sum = 0;
        while let Some(item) = items.next().await {
            sum += u64::from(item?);
        }
        Ok(sum)
    }
}

pub(crate) struct Counted(pub(crate) Arc<AtomicUsize>);

impl Bell for Counted {
    async fn rung(&self, times: u32) -> farlens::Result<u32> {
        self.0.fetch_add(times as usize, Ordering::SeqCst);
        Ok(times * 2)
    }
}

async fn tower() -> (House, farlens::Link, TowerRef, Arc<AtomicUsize>) {
    let towers = Arc::new(AtomicUsize::new(1));
    let tower = TowerRef::new(Plain(Arc::clone(&towers)));
    let house = House::open(Server::builder().publish("/tower", tower)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let tower = guarded(link.object("/tower")).await.unwrap();
    (house, link, tower, towers)
}

#[tokio::test]
async fn a_method_is_called_over_a_link() {
    let (house, link, tower, _) = tower().await;
    assert_eq!(guarded(tower.add(2, 3)).await.unwrap(), 5);
    drop((tower, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_callback_is_called_back_and_comes_home_as_itself() {
    let (house, link, tower, _) = tower().await;
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = BellRef::new(Counted(Arc::clone(&rung)));
    assert_eq!(guarded(tower.ring(bell.clone(), 21)).await.unwrap(), 42);
    assert_eq!(rung.load(Ordering::SeqCst), 21);
    let home = guarded(tower.keep(bell.clone())).await.unwrap();
    let same = |bell: &BellRef| farlens::Remote::from(bell.clone()).reference().clone();
    assert_eq!(same(&home), same(&bell), "it is the very object");
    drop((home, bell));
    assert_eq!(guarded(tower.add(1, 1)).await.unwrap(), 2);
    let settled = async {
        while Arc::strong_count(&rung) > 1 {
            tokio::task::yield_now().await;
        }
    };
    guarded(settled).await;
    drop((tower, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_call_is_made_on_an_answer_that_is_not_there() {
    let (house, link, tower, towers) = tower().await;
    let high = tower.pipeline().higher().pipeline().higher();
    assert_eq!(guarded(high.add(4, 5)).await.unwrap(), 9);
    drop(high);
    let settled = async {
        while towers.load(Ordering::SeqCst) > 1 {
            tokio::task::yield_now().await;
        }
    };
    guarded(settled).await;
    let mut log = guarded(tower.pipeline().log().connect()).await.unwrap();
    let mut all = Vec::new();
    guarded(tokio::io::AsyncReadExt::read_to_end(&mut log, &mut all)).await.unwrap();
    assert_eq!(all, vec![7; 1000]);
    drop((log, tower));
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn a_stream_is_opened_though_its_answer_has_just_come() {
    let (house, link, tower, _) = tower().await;
    // In a task of its own, which is woken in the order of the answers.
    let mine = tower.clone();
    let opens = tokio::spawn(async move {
        for _ in 0..50 {
            // Both answers come at once, and the first wakes this task before the other is taken in.
            let mut adding = std::pin::pin!(mine.add(2, 3));
            assert!(futures::poll!(&mut adding).is_pending());
            let log = mine.pipeline().log();
            assert_eq!(adding.await.unwrap(), 5);
            let mut log = log.connect().await.unwrap();
            let mut all = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut log, &mut all).await.unwrap();
            assert_eq!(all, vec![7; 1000]);
        }
    });
    guarded(opens).await.unwrap();
    drop(tower);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn streams_go_both_ways() {
    let (house, link, tower, _) = tower().await;
    let counted: Vec<_> = guarded(tower.count(1000).collect()).await;
    let counted: farlens::Result<Vec<u32>> = counted.into_iter().collect();
    assert_eq!(counted.unwrap(), (0..1000).collect::<Vec<_>>());
    let sum = guarded(tower.sum(stream::iter((0..1000).map(Ok)))).await.unwrap();
    assert_eq!(sum, 499_500);
    drop(tower);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

#[tokio::test]
async fn j22_a_method_that_does_not_return_keeps_nobody_else_waiting() {
    let (house, link, tower, _) = tower().await;
    let other = house.link_to(&[Verb::Read, Verb::Call]).await;
    let stuck = tokio::spawn({
        let tower = tower.clone();
        async move { tower.stuck().await }
    });
    while link.stats().calls_out == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(guarded(tower.add(2, 3)).await.unwrap(), 5);
    let elsewhere: TowerRef = guarded(other.object("/tower")).await.unwrap();
    assert_eq!(guarded(elsewhere.add(4, 5)).await.unwrap(), 9);
    stuck.abort();
    assert!(stuck.await.is_err());
    drop((tower, elsewhere, link, other));
    house.is_well().await;
}

#[tokio::test]
async fn a_deadline_frees_the_slot() {
    let (house, link, tower, _) = tower().await;
    let error = guarded(tower.with_timeout(Duration::from_millis(50)).stuck()).await.unwrap_err();
    assert_eq!(error.code(), Code::DEADLINE_EXCEEDED);
    assert_eq!(link.stats().calls_out, 0);
    drop((tower, link));
    house.is_well().await;
}
