//! Things of one process that reach another by way of a third: A has them, B is linked with both,
//! C uses them.

use crate::{House, SEED, code, drain, guarded, nothing_open, settled};
use farlens::{
    AtEnd, ByteStream, CallContext, Client, Code, Delivery, Entity, EntityStream, FixedData, Flags,
    Grant, Keep, Link, MemData, Mode, ModeOffer, OpenOptions, Pattern, Pos, Position, RemotePath,
    RemoteStreamer, Server, Streamer, Topic, Verb,
    data::{DataState, Fetched, ReadBudget, StreamerData},
};
use farlens_tests::{certs::Key, pattern};
use futures::{Stream, TryStreamExt, stream};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::AbortHandle,
};

const BYTES: usize = 3_000_000;

#[farlens::remote]
pub trait Bell {
    async fn rung(&self, times: u32) -> farlens::Result<u32>;
}

/// What A has.
#[farlens::remote]
pub trait Tower {
    async fn add(&self, a: u64, b: u64) -> farlens::Result<u64>;
    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32>;
    async fn same(&self, bell: BellRef) -> farlens::Result<BellRef>;
    async fn call(&self) -> farlens::Result<(u32, bool)>;
    async fn stuck(&self) -> farlens::Result<()>;
    #[farlens(one_way)]
    async fn toll(&self) -> farlens::Result<()>;
    async fn read(&self, book: ByteStream) -> farlens::Result<u64>;
    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<u32>> + Send;
    fn bells(&self) -> impl Stream<Item = farlens::Result<BellRef>> + Send;
    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64>;
}

/// What B has.
#[farlens::remote]
pub trait Middle {
    async fn tower(&self) -> farlens::Result<TowerRef>;
    async fn streamer(&self, path: String) -> farlens::Result<RemoteStreamer>;
    async fn keep(&self, tower: TowerRef) -> farlens::Result<()>;
    async fn drop_kept(&self) -> farlens::Result<()>;
}

#[derive(Default)]
struct Seen {
    tolled: Notify,
    stuck: AtomicUsize,
    begun: Notify,
}

struct Stone(Arc<Seen>);

struct Stuck(Arc<Seen>);

impl Drop for Stuck {
    fn drop(&mut self) {
        self.0.stuck.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tower for Stone {
    async fn add(&self, a: u64, b: u64) -> farlens::Result<u64> {
        Ok(a + b)
    }

    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32> {
        bell.rung(times).await
    }

    async fn same(&self, bell: BellRef) -> farlens::Result<BellRef> {
        Ok(bell)
    }

    async fn call(&self) -> farlens::Result<(u32, bool)> {
        let context = CallContext::current();
        Ok((context.depth(), context.deadline().is_some()))
    }

    async fn stuck(&self) -> farlens::Result<()> {
        self.0.stuck.fetch_add(1, Ordering::SeqCst);
        let _stuck = Stuck(Arc::clone(&self.0));
        self.0.begun.notify_one();
        std::future::pending().await
    }

    async fn toll(&self) -> farlens::Result<()> {
        self.0.tolled.notify_one();
        Ok(())
    }

    async fn read(&self, mut book: ByteStream) -> farlens::Result<u64> {
        let mut all = Vec::new();
        book.read_to_end(&mut all).await?;
        Ok(all.len() as u64)
    }

    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<u32>> + Send {
        stream::iter((0..to).map(Ok))
    }

    fn bells(&self) -> impl Stream<Item = farlens::Result<BellRef>> + Send {
        stream::iter((0..10).map(|_| Ok(BellRef::new(Bronze(Arc::default())))))
    }

    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64> {
        items.try_fold(0, async |sum, item| Ok(sum + u64::from(item))).await
    }
}

struct Between {
    /// To A. What it gives holds that link, too.
    link: Link,
    kept: Mutex<Vec<TowerRef>>,
}

impl Middle for Between {
    async fn tower(&self) -> farlens::Result<TowerRef> {
        self.link.object("/tower").await
    }

    async fn streamer(&self, path: String) -> farlens::Result<RemoteStreamer> {
        self.link.streamer(&path).await
    }

    async fn keep(&self, tower: TowerRef) -> farlens::Result<()> {
        self.kept.lock().unwrap().push(tower);
        Ok(())
    }

    async fn drop_kept(&self) -> farlens::Result<()> {
        self.kept.lock().unwrap().clear();
        Ok(())
    }
}

struct Bronze(Arc<AtomicUsize>);

impl Bell for Bronze {
    async fn rung(&self, times: u32) -> farlens::Result<u32> {
        self.0.fetch_add(times as usize, Ordering::SeqCst);
        Ok(times * 2)
    }
}

/// Three processes' worth.
struct Three {
    a: House,
    b: House,
    /// B's end of the link with A.
    to_a: Link,
    /// C's end of the link with B.
    to_b: Link,
    middle: MiddleRef,
    seen: Arc<Seen>,
    /// Cuts the link with A.
    cut: AbortHandle,
}

/// A way to A that can be cut.
async fn way(to: SocketAddr) -> (SocketAddr, AbortHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(to).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    (address, task.abort_handle())
}

impl Three {
    async fn new(topic: Option<Topic<u64>>) -> Self {
        let seen = Arc::new(Seen::default());
        let tower = TowerRef::new(Stone(Arc::clone(&seen)));
        let board = MemData::new(pattern::bytes(SEED, 0, 10_000));
        let a = Server::builder()
            .publish("/tower", tower)
            .publish("/long", FixedData::bytes(pattern::bytes(SEED, 0, BYTES)))
            .publish("/board", board)
            .publish("/numbers", FixedData::items(0..20_000u64).unwrap());
        let a = match topic {
            Some(topic) => a.publish("/topic", topic),
            None => a,
        };
        let key = Key::fresh();
        let all = Pattern::beneath(&RemotePath::root());
        let grant = |verb| Grant { verb, pattern: all.clone() };
        let a = a.authorize(key.id(), [Verb::Read, Verb::Write, Verb::Call].map(grant).to_vec());
        let a = House::open(a).await;
        let (address, cut) = way(a.address()).await;
        let url = format!("farlens://{address}/#{}", a.server.key());
        let client = Client::builder().identity(key.identity());
        let to_a = guarded(client.connect(&url)).await.unwrap();
        let between = Between { link: to_a.clone(), kept: Mutex::default() };
        let b = House::open(Server::builder().publish("/middle", MiddleRef::new(between))).await;
        let to_b = b.link_to(&[Verb::Read, Verb::Call]).await;
        let middle = guarded(to_b.object("/middle")).await.unwrap();
        Self { a, b, to_a, to_b, middle, seen, cut }
    }

    /// Nothing of A is held by B and nothing of B by C, but for the root of it all.
    async fn ends_clean(self) {
        drop(self.middle);
        nothing_open(&self.to_b).await;
        nothing_open(&self.to_a).await;
        for link in [&self.to_a, &self.to_b] {
            let held = || link.stats().exports + link.stats().imports;
            let settle = async {
                while held() > 0 {
                    tokio::task::yield_now().await;
                }
            };
            let settled = tokio::time::timeout(farlens_tests::hostile::PATIENCE, settle).await;
            assert!(settled.is_ok(), "{:?} {:?}", self.to_a.stats(), self.to_b.stats());
        }
        drop((self.to_a, self.to_b));
        self.b.is_well().await;
        drop(self.b);
        self.a.is_well().await;
    }
}

#[tokio::test]
async fn j11_an_object_is_called_by_way_of_another_process_and_calls_back() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    assert_eq!(guarded(tower.add(2, 3)).await.unwrap(), 5);
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = BellRef::new(Bronze(Arc::clone(&rung)));
    assert_eq!(guarded(tower.ring(bell.clone(), 21)).await.unwrap(), 42);
    assert_eq!(rung.load(Ordering::SeqCst), 21);
    let home = guarded(tower.same(bell.clone())).await.unwrap();
    let number = |bell: &BellRef| farlens::Remote::from(bell.clone()).reference().number();
    assert_eq!(number(&home), number(&bell), "it is the very object");
    drop((home, bell, tower));
    settled("the bell is given back", || Arc::strong_count(&rung) == 1).await;
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_what_goes_with_a_call_goes_on_with_it() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    assert_eq!(guarded(tower.call()).await.unwrap(), (2, false), "one more than without B");
    let timely = tower.with_timeout(Duration::from_secs(3));
    assert_eq!(guarded(timely.call()).await.unwrap(), (2, true));
    guarded(tower.toll()).await.unwrap();
    guarded(three.seen.tolled.notified()).await;
    let mut stuck = Box::pin(tower.stuck());
    tokio::select! {
        _ = &mut stuck => panic!("it is stuck"),
        () = three.seen.begun.notified() => {}
    }
    drop(stuck);
    settled("its handler is dropped", || three.seen.stuck.load(Ordering::SeqCst) == 0).await;
    let late = tower.with_timeout(Duration::from_millis(50));
    assert_eq!(code(guarded(late.stuck()).await), Code::DEADLINE_EXCEEDED);
    settled("its handler is dropped", || three.seen.stuck.load(Ordering::SeqCst) == 0).await;
    drop((tower, timely, late));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_what_comes_back_is_what_it_was() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    guarded(three.middle.keep(tower.clone())).await.unwrap();
    // Called before it is known, and passed before it is known.
    let promised = three.middle.pipeline().tower();
    guarded(three.middle.keep(promised.clone())).await.unwrap();
    assert_eq!(guarded(promised.add(20, 1)).await.unwrap(), 21);
    assert_eq!(three.to_a.stats().imports, 1, "one object, however it came");
    drop((tower, promised));
    guarded(three.middle.drop_kept()).await.unwrap();
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_bytes_are_read_sought_and_written_by_way_of_another_process() {
    let three = Three::new(None).await;
    let long = guarded(three.middle.streamer("/long".into())).await.unwrap();
    let mut stream = guarded(long.connect()).await.unwrap();
    let (all, outcome) = drain(&mut stream).await;
    outcome.unwrap();
    assert_eq!((all.len(), pattern::first_wrong_byte(SEED, 0, &all)), (BYTES, None));
    for at in [2_000_000, 17, 1_234_567, 1_234_570, BYTES as u64 - 3] {
        guarded(stream.seek_to(Position::new(at).unwrap())).await.unwrap();
        let mut some = vec![0; 1_000.min(BYTES - at as usize)];
        guarded(stream.read_exact(&mut some)).await.unwrap();
        assert_eq!(pattern::first_wrong_byte(SEED, at, &some), None, "at {at}");
    }
    let places: Vec<_> = (0..100u64).map(|n| n * 29_000..n * 29_000 + 100).collect();
    let pieces = guarded(stream.read_ranges(&places)).await.unwrap();
    for (piece, place) in pieces.iter().zip(&places) {
        assert_eq!(pattern::first_wrong_byte(SEED, place.start, piece), None);
    }

    let board = guarded(three.middle.streamer("/board".into())).await.unwrap();
    let write = OpenOptions::new().write(true);
    let mut one = guarded(board.connect_with(write)).await.unwrap();
    let other = guarded(board.connect_with(write)).await.unwrap();
    guarded(one.write_at(Position::from(100), &b"hello"[..])).await.unwrap();
    assert_eq!(guarded(other.read_at(98..107)).await.unwrap()[2..7], b"hello"[..]);
    assert_eq!(guarded(other.append(&b"more"[..])).await.unwrap(), Position::from(10_000));
    assert_eq!(guarded(one.seek_to(Pos::FromEnd(-4))).await.unwrap(), Position::from(10_000));
    let mut end = Vec::new();
    guarded(one.read_to_end(&mut end)).await.unwrap();
    assert_eq!(end, b"more");
    let to = guarded(other.truncate(farlens::Edge::After, Position::from(200))).await.unwrap();
    assert_eq!(to, Position::from(200));
    let beyond = guarded(other.read_at(300..400)).await;
    assert_eq!(code(beyond), Code::OUT_OF_RANGE);
    guarded(one.close()).await.unwrap();
    guarded(other.close()).await.unwrap();
    assert_eq!(guarded(three.to_a.stat("/board")).await.unwrap().bounds.len(), Some(200));
    drop((long, board, stream));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_entities_are_read_and_sought_by_way_of_another_process() {
    let three = Three::new(None).await;
    let numbers = guarded(three.middle.streamer("/numbers".into())).await.unwrap();
    let mut one: EntityStream<u64> = guarded(numbers.entities()).await.unwrap();
    let mut other: EntityStream<Entity> = guarded(numbers.entities()).await.unwrap();
    assert_eq!(guarded(other.try_next()).await.unwrap(), Some(Entity::Int(0)));
    let mut all = Vec::new();
    while let Some(number) = guarded(one.try_next()).await.unwrap() {
        all.push(number);
    }
    assert_eq!(all, (0..20_000).collect::<Vec<_>>());
    for at in [19_000u32, 5, 12_345] {
        guarded(one.seek(Position::from(at))).await.unwrap();
        assert_eq!(guarded(one.try_next()).await.unwrap(), Some(u64::from(at)));
    }
    let wrong = guarded(numbers.entities::<String>()).await;
    assert_eq!(code(wrong), Code::SCHEMA_MISMATCH);
    assert_eq!(code(guarded(numbers.connect()).await), Code::WRONG_KIND);
    drop((numbers, one, other));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_live_entities_their_gaps_and_their_end_come_through() {
    let topic = Topic::new(Keep::new().count(10));
    for n in 0..5u64 {
        topic.send(n).unwrap();
    }
    let three = Three::new(Some(topic.clone())).await;
    let streamer = guarded(three.middle.streamer("/topic".into())).await.unwrap();
    let follow = OpenOptions::new().at_end(AtEnd::Follow).window(1 << 16, 1);
    let mut live: EntityStream<u64> = guarded(streamer.entities_with(follow)).await.unwrap();
    for n in 0..5 {
        assert_eq!(guarded(live.try_next()).await.unwrap(), Some(n));
    }
    topic.send(5).unwrap();
    assert_eq!(guarded(live.try_next()).await.unwrap(), Some(5));
    let latest = OpenOptions::new().delivery(Delivery::Latest);
    let latest = guarded(streamer.entities_with::<u64>(latest)).await;
    assert_eq!(code(latest), Code::MODE_FORBIDS, "who skips for a reader is who has them");
    for n in 6..1_000u64 {
        topic.send(n).unwrap();
    }
    topic.close();
    let (mut skipped, mut got, mut last) = (0, 0, 5);
    loop {
        match guarded(live.try_next()).await {
            Ok(Some(n)) => (got, last) = (got + 1, n),
            Ok(None) => break,
            Err(error) => {
                assert_eq!(error.code(), Code::EVICTED, "{error}");
                skipped += error.skipped().unwrap();
            }
        }
    }
    assert_eq!((last, got + skipped), (999, 994), "each was read or is known to be lost");
    drop((streamer, live));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_an_open_stream_is_passed_on_by_way_of_another_process() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    let book = FixedData::bytes(pattern::bytes(SEED, 0, 70_000));
    let mut book = guarded(ByteStream::of(Streamer::new(book))).await.unwrap();
    guarded(book.seek_to(Position::from(10_000))).await.unwrap();
    assert_eq!(guarded(tower.read(book)).await.unwrap(), 60_000, "from where it stood");
    let long = guarded(three.middle.streamer("/long".into())).await.unwrap();
    let open = guarded(long.connect()).await.unwrap();
    assert_eq!(guarded(tower.read(open)).await.unwrap(), BYTES as u64, "and home again");
    drop((tower, long));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_objects_inside_of_elements_are_called_by_way_of_another_process() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    let mut bells: Vec<BellRef> = guarded(tower.bells().try_collect()).await.unwrap();
    assert_eq!(bells.len(), 10);
    for bell in bells.drain(..) {
        assert_eq!(guarded(bell.rung(4)).await.unwrap(), 8);
    }
    drop((tower, bells));
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_streams_of_a_method_go_both_ways_by_way_of_another_process() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    let counted: Vec<u32> = guarded(tower.count(3_000).try_collect()).await.unwrap();
    assert_eq!(counted, (0..3_000).collect::<Vec<_>>());
    assert_eq!(guarded(tower.sum(stream::iter((0..1_000).map(Ok)))).await.unwrap(), 499_500);
    let broken = stream::iter([Ok(1), Err(farlens::Error::new(Code::BUSY, "no more"))]);
    let error = guarded(tower.sum(broken)).await.unwrap_err();
    assert!(error.message().contains("no more"), "{error}");
    drop(tower);
    three.ends_clean().await;
}

#[tokio::test]
async fn j11_a_link_that_is_cut_behind_another_process_fails_what_came_over_it() {
    let three = Three::new(None).await;
    let tower = guarded(three.middle.tower()).await.unwrap();
    let long = guarded(three.middle.streamer("/long".into())).await.unwrap();
    let options = OpenOptions::new().window(100_000, 1);
    let mut reading = guarded(long.connect_with(options)).await.unwrap();
    let mut some = [0; 1_000];
    guarded(reading.read_exact(&mut some)).await.unwrap();
    let mut stuck = Box::pin(tower.stuck());
    tokio::select! {
        _ = &mut stuck => panic!("it is stuck"),
        () = three.seen.begun.notified() => {}
    }
    let told = |error: farlens::Error| {
        assert!(error.message().contains("where this comes from"), "{error}");
        assert_eq!(error.kind(), farlens::ErrorKind::Link, "{error}");
    };
    three.cut.abort();
    told(guarded(stuck).await.unwrap_err());
    let (got, outcome) = drain(&mut reading).await;
    told(outcome.expect_err("a cut is no end"));
    assert_eq!(pattern::first_wrong_byte(SEED, 1_000, &got), None, "what came is good");
    told(guarded(tower.add(1, 2)).await.unwrap_err());
    told(guarded(long.connect()).await.unwrap_err());
    // The link with B is as good as ever.
    assert!(!three.to_b.is_closed());
    guarded(three.middle.drop_kept()).await.unwrap();
    drop((reading, tower, long));
    nothing_open(&three.to_b).await;
    drop((three.middle, three.to_a, three.to_b));
    three.b.is_well().await;
    drop(three.b);
    three.a.is_well().await;
}

/// Bytes that any mode fits.
struct Clay;

impl StreamerData for Clay {
    fn kind(&self) -> farlens::Kind {
        farlens::Kind::Bytes
    }

    fn offers(&self) -> ModeOffer {
        ModeOffer { required: Flags::NONE, possible: Flags::from_bits(u16::MAX) }
    }

    async fn state(&self) -> farlens::Result<DataState> {
        Ok(DataState::default())
    }

    async fn read_at(&self, _: Position, _: ReadBudget) -> farlens::Result<Fetched> {
        Ok(Fetched::Nothing)
    }
}

#[farlens::remote]
pub trait Mirror {
    async fn modes(&self, streamers: Vec<RemoteStreamer>) -> farlens::Result<Vec<u16>>;
    async fn same(&self, streamers: Vec<RemoteStreamer>) -> farlens::Result<Vec<RemoteStreamer>>;
    async fn made(&self, modes: Vec<u16>) -> farlens::Result<Vec<RemoteStreamer>>;
}

struct Glass;

fn shown(streamers: &[RemoteStreamer]) -> Vec<u16> {
    let mode = |streamer: &RemoteStreamer| streamer.mode().map(|mode| mode.flags().bits());
    streamers.iter().map(|streamer| mode(streamer).unwrap_or(0)).collect()
}

fn made(modes: &[u16]) -> farlens::Result<Vec<RemoteStreamer>> {
    let of = |&bits: &u16| Streamer::new(Clay).flags(Flags::from_bits(bits));
    modes.iter().map(of).map(RemoteStreamer::new).collect()
}

impl Mirror for Glass {
    async fn modes(&self, streamers: Vec<RemoteStreamer>) -> farlens::Result<Vec<u16>> {
        Ok(shown(&streamers))
    }

    async fn same(&self, streamers: Vec<RemoteStreamer>) -> farlens::Result<Vec<RemoteStreamer>> {
        Ok(streamers)
    }

    async fn made(&self, modes: Vec<u16>) -> farlens::Result<Vec<RemoteStreamer>> {
        made(&modes)
    }
}

#[tokio::test]
async fn a8_a_streamer_that_is_passed_shows_exactly_its_mode() {
    let house = House::open(Server::builder().publish("/mirror", MirrorRef::new(Glass))).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let mirror: MirrorRef = guarded(link.object("/mirror")).await.unwrap();
    let valid = |&bits: &u16| Mode::new(Flags::from_bits(bits)).is_ok();
    let modes: Vec<u16> = (0..=u16::MAX).filter(valid).collect();
    assert!(modes.len() > 1_000, "{}", modes.len());
    for modes in modes.chunks(100) {
        let own = made(modes).unwrap();
        assert_eq!(guarded(mirror.modes(own.clone())).await.unwrap(), modes);
        assert_eq!(shown(&guarded(mirror.same(own)).await.unwrap()), modes);
        assert_eq!(shown(&guarded(mirror.made(modes.to_vec())).await.unwrap()), modes);
    }
    drop(mirror);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}
