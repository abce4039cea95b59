//! One hook that sees whatever a peer asks for, and refuses what it likes.

use crate::{
    House, code, guarded,
    objects::{BellRef, Counted, Plain, Tower, TowerRef},
    settled,
};
use farlens::{
    Client, Code, Error, FixedData, Flags, Identity, KeyId, Link, MemData, Server, Verb,
    middleware::{self, Asks, BoxFuture, Completion, Middleware, Request, Timing},
};
use farlens_tests::certs::Key;
use farlens_wire::{FrameDecoder, frame::FrameError};
use futures::StreamExt;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Writes down what was asked, by whom, and what came of it.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Vec<(KeyId, String)>>>);

impl Book {
    /// What was written since the last look.
    fn news(&self) -> Vec<(KeyId, String)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Middleware for Book {
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, farlens::Result<()>> {
        self.0.lock().unwrap().push((request.peer, shown(request)));
        Box::pin(std::future::ready(Ok(())))
    }
}

fn shown(request: &Request<'_>) -> String {
    match &request.asks {
        Asks::Link { invited, .. } => format!("link, invited: {invited}"),
        Asks::Lookup(lookup) => format!("{} {}", lookup.kind.name(), lookup.path),
        Asks::Call(call) => {
            let (object, interface, method) = (&call.object, call.interface, call.method);
            let way = if call.one_way { "tell" } else { "call" };
            format!("{way} {interface}.{method} of {object}, {}", call.depth)
        }
        Asks::Open(open) => {
            let ranges: Vec<_> = open.ranges().collect();
            format!("open {} for {}, {ranges:?}", open.target, open.wanted)
        }
        other => format!("{other:?}"),
    }
}

/// Refuses everything while it is shut, and lets links in.
#[derive(Clone, Default)]
struct Shutter(Arc<AtomicBool>);

impl Middleware for Shutter {
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, farlens::Result<()>> {
        let shut = self.0.load(Ordering::SeqCst) && request.kind() != "link";
        let refusal = || Error::new(Code::NOT_PERMITTED, "the shutter is down");
        Box::pin(std::future::ready(if shut { Err(refusal()) } else { Ok(()) }))
    }
}

async fn link(house: &House, client: farlens::ClientBuilder, verbs: &[Verb]) -> Link {
    let ticket = house.server.invite_to("/", verbs).unwrap().to_string();
    guarded(client.connect(&ticket)).await.unwrap()
}

fn tower(towers: &Arc<AtomicUsize>) -> TowerRef {
    TowerRef::new(Plain(Arc::clone(towers)))
}

const EVERYTHING: &[Verb] = &[Verb::Read, Verb::Write, Verb::Call];

#[tokio::test]
async fn whatever_a_peer_asks_for_passes_the_hook_with_the_key_of_the_peer() {
    let book = Book::default();
    let builder = Server::builder()
        .middleware(book.clone())
        .publish("/tower", tower(&Arc::default()))
        .publish("/mem", MemData::new(*b"abc"));
    let house = House::open(builder).await;
    let key = Key::fresh();
    let client = Client::builder().identity(key.identity());
    let link = link(&house, client, EVERYTHING).await;
    let said = |expected: &[&str]| {
        let news = book.news();
        assert!(news.iter().all(|(peer, _)| *peer == key.id()), "{news:?}");
        let news: Vec<_> = news.into_iter().map(|(_, what)| what).collect();
        assert_eq!(news, expected);
    };
    said(&["link, invited: true"]);
    guarded(link.list("/")).await.unwrap();
    guarded(link.stat("/mem")).await.unwrap();
    said(&["list /", "stat /mem"]);
    drop(guarded(link.open("/mem")).await.unwrap());
    let options = farlens::OpenOptions::new().read(false).write(true);
    drop(guarded(link.open_with("/mem", options)).await.unwrap());
    guarded(link.read_at("/mem", 1..3)).await.unwrap();
    let (read, write) = (Flags::READABLE, Flags::WRITABLE);
    said(&[
        &format!("open /mem for {read}, []"),
        &format!("open /mem for {write}, []"),
        &format!("open /mem for {read}, [1..3]"),
    ]);
    let streamer = guarded(link.streamer("/mem")).await.unwrap();
    drop(guarded(streamer.connect()).await.unwrap());
    said(&["streamer /mem", &format!("open a reference for {read}, []")]);
    let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
    guarded(tower.add(1, 2)).await.unwrap();
    guarded(tower.note(1)).await.unwrap();
    guarded(farlens::Remote::from(link.gateway()).describe()).await.unwrap();
    said(&[
        "object /tower",
        "call Tower.add of /tower, 1",
        "tell Tower.note of /tower, 1",
        "call Gateway.farlens.describe of the root object, 1",
    ]);
    let high = tower.pipeline().higher();
    drop(guarded(high.pipeline().log().connect()).await.unwrap());
    said(&[
        "call Tower.higher of /tower, 1",
        "call Tower.log of a reference, 1",
        &format!("open a reference for {read}, []"),
    ]);
    assert_eq!(guarded(tower.count(3).collect::<Vec<_>>()).await.len(), 3);
    said(&["call Tower.count of /tower, 1", &format!("open a reference for {read}, []")]);
}

/// Kinds of frames and how they come to the hook, if they ask for anything.
const FRAMES: &[(u8, &str)] = &[
    (0x01, "Hello: Link"),
    (0x02, "Ping: answered by the machine"),
    (0x03, "Pong: an answer"),
    (0x04, "GoAway: news"),
    (0x05, "Bye: news"),
    (0x06, "Interface: names what calls mean, and is no call"),
    (0x07, "OneWayLimit: credit"),
    (0x10, "Call: Lookup or Call"),
    (0x11, "Return: an answer"),
    (0x12, "CallFailed: an answer"),
    (0x13, "Cancel: of what was granted"),
    (0x14, "CallPart: the rest of a Call, which waits for it"),
    (0x15, "Release: gives back"),
    (0x20, "Open: Open"),
    (0x21, "Opened: an answer"),
    (0x22, "Data: within an Open"),
    (0x23, "Items: within an Open"),
    (0x24, "ItemPart: within an Open"),
    (0x25, "Limit: credit"),
    (0x26, "Seek: within an Open"),
    (0x27, "Sought: an answer"),
    (0x28, "SeekFailed: an answer"),
    (0x29, "State: news"),
    (0x2a, "UpToDate: news"),
    (0x2b, "End: news"),
    (0x2c, "Broken: news"),
    (0x2d, "Close: within an Open"),
    (0x2e, "Closed: an answer"),
    (0x2f, "Failed: an answer"),
    (0x30, "Write: within an Open for writing"),
    (0x31, "Truncate: within an Open for writing"),
    (0x32, "Sync: within an Open for writing"),
    (0x33, "WriteLimit: credit"),
    (0x34, "Written: an answer"),
    (0x35, "WriteFailed: an answer"),
    (0x36, "Ranges: within an Open"),
    (0x37, "RangeData: an answer"),
    (0x38, "RangeEnd: an answer"),
    (0x39, "Gap: news"),
    (0x3a, "Table: within an Open"),
];

#[test]
fn every_kind_of_frame_is_known_to_come_to_the_hook_or_to_ask_for_nothing() {
    let is_frame = |kind: &u8| {
        let mut decoder = FrameDecoder::new(1 << 10);
        decoder.push(vec![*kind, 1, 0].into());
        !matches!(decoder.next(), Err(FrameError::UnknownKind(_)))
    };
    let kinds: Vec<_> = (0..farlens_wire::frame::FIRST_IGNORABLE).filter(is_frame).collect();
    let known: Vec<_> = FRAMES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, known, "say of a new kind how it comes to the hook");
}

#[tokio::test]
async fn what_is_refused_is_not_run() {
    let (shutter, towers) = (Shutter::default(), Arc::default());
    let builder = Server::builder().middleware(shutter.clone()).publish("/tower", tower(&towers));
    let house = House::open(builder).await;
    let link = house.link_to(EVERYTHING).await;
    let (tower, streamer) = (
        guarded(link.object::<TowerRef>("/tower")).await.unwrap(),
        guarded(link.streamer("/data")).await.unwrap(),
    );
    shutter.0.store(true, Ordering::SeqCst);
    let no = Code::NOT_PERMITTED;
    assert_eq!(code(guarded(link.list("/")).await), no);
    assert_eq!(code(guarded(link.stat("/data")).await), no);
    assert_eq!(code(guarded(link.object::<TowerRef>("/tower")).await), no);
    assert_eq!(code(guarded(link.streamer("/data")).await), no);
    assert_eq!(code(guarded(link.open("/data")).await), no);
    assert_eq!(code(guarded(link.read_at("/data", 0..9)).await), no);
    assert_eq!(code(guarded(streamer.connect()).await), no);
    assert_eq!(code(guarded(tower.higher()).await), no);
    assert_eq!(code(guarded(farlens::Remote::from(link.gateway()).describe()).await), no);
    let high = tower.pipeline().higher();
    assert_eq!(code(guarded(high.add(1, 1)).await), no);
    assert_eq!(towers.load(Ordering::SeqCst), 0, "no handler has run");
    shutter.0.store(false, Ordering::SeqCst);
    drop((guarded(tower.add(1, 1)).await.unwrap(), high, tower, streamer, link));
    house.is_well().await;
}

#[tokio::test]
async fn a_client_that_is_refused_keeps_its_invite() {
    let open = Arc::new(AtomicBool::new(false));
    let door = Arc::clone(&open);
    let judge =
        move |request: &Request<'_>| request.kind() != "link" || door.load(Ordering::SeqCst);
    let house = House::open(Server::builder().middleware(middleware::allow(judge))).await;
    let ticket = house.server.invite("/").unwrap().to_string();
    let connect = || Client::builder().identity(Identity::generate().unwrap()).connect(&ticket);
    assert_eq!(code(guarded(connect()).await), Code::NOT_PERMITTED);
    open.store(true, Ordering::SeqCst);
    drop(guarded(connect()).await.unwrap());
    assert_eq!(code(guarded(connect()).await), Code::BAD_INVITE);
    house.is_well().await;
}

/// Falls over whatever is called `add`, before or after it was run.
struct Clumsy {
    after: bool,
}

impl Middleware for Clumsy {
    fn before<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, farlens::Result<()>> {
        assert!(self.after || !shown(request).contains(".add"), "on purpose");
        Box::pin(std::future::ready(Ok(())))
    }

    fn after(&self, request: &Request<'_>, _: Completion<'_>, _: Duration) {
        assert!(!shown(request).contains(".add"), "on purpose");
    }
}

#[tokio::test]
async fn a_middleware_that_panics_fails_one_request_and_no_other() {
    for (after, outcome) in [(false, Err(Code::INTERNAL)), (true, Ok(3))] {
        let builder = Server::builder()
            .middleware(Clumsy { after })
            .publish("/tower", tower(&Arc::default()));
        let house = House::open(builder).await;
        let link = house.link_to(EVERYTHING).await;
        let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
        let added = guarded(tower.add(1, 2)).await;
        assert_eq!(added.map_err(|error| error.code()), outcome);
        drop(guarded(tower.higher()).await.unwrap());
        drop((tower, link));
        house.is_well().await;
    }
}

#[tokio::test]
async fn a_client_judges_what_its_server_calls_back() {
    let (book, shutter) = (Book::default(), Shutter::default());
    let house = House::open(Server::builder().publish("/tower", tower(&Arc::default()))).await;
    let identity = Identity::generate().unwrap();
    let client = Client::builder().identity(identity);
    let client = client.middleware(book.clone()).middleware(shutter.clone());
    let link = link(&house, client, EVERYTHING).await;
    let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = BellRef::new(Counted(Arc::clone(&rung)));
    guarded(tower.ring(bell.clone(), 2)).await.unwrap();
    let expected = "call Bell.rung of a reference, 2".to_owned();
    assert_eq!(book.news(), [(house.server.key(), expected)]);
    shutter.0.store(true, Ordering::SeqCst);
    assert_eq!(code(guarded(tower.ring(bell, 2)).await), Code::NOT_PERMITTED);
    assert_eq!(rung.load(Ordering::SeqCst), 2);
    drop((tower, link));
    house.is_well().await;
}

#[tokio::test]
async fn timing_counts_what_was_done_and_what_was_given_up() {
    let timing = Timing::new();
    let builder = Server::builder()
        .middleware(timing.clone())
        .publish("/tower", tower(&Arc::default()))
        .publish("/fixed", FixedData::bytes(&b"abc"[..]));
    let house = House::open(builder).await;
    let link = house.link_to(EVERYTHING).await;
    let tower: TowerRef = guarded(link.object("/tower")).await.unwrap();
    for n in 0..5 {
        guarded(tower.add(n, n)).await.unwrap();
    }
    guarded(tower.with_timeout(Duration::from_millis(20)).stuck()).await.unwrap_err();
    drop(guarded(link.open("/fixed")).await.unwrap());
    guarded(link.open("/nothing")).await.unwrap_err();
    settled("the call was given up", || timing.snapshot().kinds["call"].count == 6).await;
    let snapshot = timing.snapshot();
    let figures = |count, errors| {
        move |name: &str, found: &middleware::Figures| {
            assert_eq!((found.count, found.errors), (count, errors), "{name}");
            assert!(found.min <= found.mean() && found.quantile(0.5) <= found.max, "{name}");
        }
    };
    figures(5, 0)("add", &snapshot.methods["Tower.add"]);
    figures(1, 0)("object", &snapshot.methods["Gateway.object"]);
    figures(6, 1)("call", &snapshot.kinds["call"]);
    figures(2, 1)("open", &snapshot.kinds["open"]);
    figures(1, 0)("link", &snapshot.kinds["link"]);
    drop((tower, link));
    house.is_well().await;
}

#[tokio::test]
async fn j1_what_is_not_published_or_not_granted_is_absent_and_not_run() {
    let towers = Arc::new(AtomicUsize::new(0));
    let house = House::open(Server::builder().publish("/tower", tower(&towers))).await;
    let link = house.link_to(EVERYTHING).await;
    let object: farlens::Remote = guarded(link.object("/tower")).await.unwrap();
    for method in ["hidden", "farlens.hidden", "drop", "Tower.higher", ""] {
        let called = guarded(object.call::<(), ()>(method, &())).await;
        assert_eq!(code(called), Code::NO_SUCH_METHOD, "{method}");
    }
    let root = farlens::Remote::from(link.gateway());
    for method in ["find", "admit", "farlens.hidden"] {
        let called = guarded(root.call::<(), ()>(method, &())).await;
        assert_eq!(code(called), Code::NO_SUCH_METHOD, "{method}");
    }
    for path in ["/", "/none", "/tower/higher", "/data/x"] {
        let looked_up = guarded(link.object::<TowerRef>(path)).await;
        assert_eq!(code(looked_up), Code::NOT_FOUND, "{path}");
    }
    let reader = house.link_to(&[Verb::Read, Verb::Write]).await;
    let hidden = guarded(reader.object::<TowerRef>("/tower")).await.unwrap_err();
    let absent = guarded(link.object::<TowerRef>("/tomer")).await.unwrap_err();
    assert_eq!(hidden.message(), absent.message().replace("/tomer", "/tower"));
    assert_eq!(towers.load(Ordering::SeqCst), 0, "nothing has run");
    drop((object, root, link, reader));
    house.is_well().await;
}
