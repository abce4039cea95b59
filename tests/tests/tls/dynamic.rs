//! Objects that are called by nothing but their description, and that are made of one.

use crate::{House, SECOND, guarded, nothing_open};
use bytes::Bytes;
use farlens::{
    Code, DynamicAnswer, DynamicObject, Element, Entity, FixedData, IterData, Limits, Link, Remote,
    RemoteStreamer, Server, Streamer, Verb,
    schema::{Definition, Interface, Method, SchemaDoc, Shape, Type, decode_with},
};
use farlens_wire::Budget;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::io::AsyncReadExt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct Metres(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
enum Kind {
    Dot,
    Length(Metres),
    Line(u8, i8),
    Many { of: Vec<Kind>, next: Option<Box<Kind>> },
}

/// A value of every type that there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct All {
    unit: (),
    flag: bool,
    unsigned: (u8, u16, u32, u64, u128),
    signed: (i8, i16, i32, i64, i128),
    floats: (f32, f64),
    letter: char,
    text: String,
    bytes: Bytes,
    raw: Vec<u8>,
    any: Entity,
    nothing: Option<u8>,
    nested: Option<Option<u8>>,
    list: Vec<u16>,
    array: [f32; 3],
    map: BTreeMap<String, Marker>,
    pairs: BTreeMap<(u8, u8), u64>,
    newtype: Metres,
    kinds: Vec<Kind>,
}

impl All {
    fn largest() -> Self {
        let line = Kind::Line(u8::MAX, i8::MIN);
        let many = Kind::Many { of: vec![Kind::Dot, line], next: Some(Box::new(Kind::Dot)) };
        Self {
            unit: (),
            flag: true,
            unsigned: (u8::MAX, u16::MAX, u32::MAX, u64::MAX, i128::MAX as u128),
            signed: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN),
            floats: (f32::MIN_POSITIVE, f64::MAX),
            letter: 'ß',
            text: "Grüße".into(),
            bytes: Bytes::from_static(b"\0\xff"),
            raw: vec![1, 2, 3],
            any: Entity::map([("a", Entity::List(vec![Entity::Null, Entity::Bool(true)]))]),
            nothing: None,
            nested: Some(None),
            list: vec![0, 300],
            array: [0.5, -1.0, 2.0],
            map: [("a".to_owned(), Marker), (String::new(), Marker)].into(),
            pairs: [((1, 2), 3), ((4, 5), 6)].into(),
            newtype: Metres(1.5),
            kinds: vec![Kind::Dot, Kind::Length(Metres(0.25)), many],
        }
    }
}

#[derive(Debug, Serialize, Deserialize, farlens::Schema)]
enum ZooError {
    Closed { until: u8 },
    System(u16),
}

impl From<farlens::Error> for ZooError {
    fn from(error: farlens::Error) -> Self {
        Self::System(error.code().number())
    }
}

#[derive(Debug, Serialize, Deserialize, farlens::Schema)]
struct Kept {
    first: BellRef,
    others: Vec<BellRef>,
}

#[farlens::remote]
trait Bell {
    async fn rung(&self, times: u32, kind: Kind) -> farlens::Result<u32>;
}

#[farlens::remote]
trait Zoo {
    async fn echo(&self, all: All) -> farlens::Result<All>;
    async fn flat(
        &self,
        a: bool,
        b: i128,
        c: Option<String>,
        d: Kind,
    ) -> farlens::Result<(bool, i128, Option<String>, Kind)>;
    async fn nothing(&self) -> farlens::Result<()>;
    #[farlens(one_way)]
    async fn note(&self, text: String) -> farlens::Result<()>;
    async fn enter(&self, age: u8) -> Result<u8, ZooError>;
    async fn busy(&self) -> farlens::Result<()>;
    async fn stuck(&self) -> farlens::Result<()>;
    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32>;
    async fn keep(
        &self,
        first: BellRef,
        others: Vec<BellRef>,
        none: Option<BellRef>,
    ) -> farlens::Result<Kept>;
    async fn give(&self, any: Remote) -> farlens::Result<Remote>;
    async fn other(&self) -> Result<ZooRef, ZooError>;
    async fn log(&self) -> farlens::Result<RemoteStreamer>;
    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<Kind>> + Send;
    fn any(&self) -> impl Stream<Item = farlens::Result<Entity>> + Send;
    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64>;
}

/// It counts how often it was called.
struct Counting(Arc<AtomicUsize>);

impl Counting {
    fn ran(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Zoo for Counting {
    async fn echo(&self, all: All) -> farlens::Result<All> {
        self.ran();
        assert_eq!(all, All::largest());
        Ok(all)
    }

    async fn flat(
        &self,
        a: bool,
        b: i128,
        c: Option<String>,
        d: Kind,
    ) -> farlens::Result<(bool, i128, Option<String>, Kind)> {
        self.ran();
        Ok((a, b, c, d))
    }

    async fn nothing(&self) -> farlens::Result<()> {
        self.ran();
        Ok(())
    }

    async fn note(&self, _text: String) -> farlens::Result<()> {
        self.ran();
        Ok(())
    }

    async fn enter(&self, age: u8) -> Result<u8, ZooError> {
        if age < 6 { Err(ZooError::Closed { until: 6 - age }) } else { Ok(age) }
    }

    async fn busy(&self) -> farlens::Result<()> {
        Err(farlens::Error::new(Code::BUSY, "it is feeding time"))
    }

    async fn stuck(&self) -> farlens::Result<()> {
        std::future::pending().await
    }

    async fn ring(&self, bell: BellRef, times: u32) -> farlens::Result<u32> {
        self.ran();
        bell.rung(times, Kind::Line(1, -1)).await
    }

    async fn keep(
        &self,
        first: BellRef,
        others: Vec<BellRef>,
        none: Option<BellRef>,
    ) -> farlens::Result<Kept> {
        assert!(none.is_none());
        Ok(Kept { first, others })
    }

    async fn give(&self, any: Remote) -> farlens::Result<Remote> {
        Ok(any)
    }

    async fn other(&self) -> Result<ZooRef, ZooError> {
        Ok(ZooRef::new(Self(Arc::clone(&self.0))))
    }

    async fn log(&self) -> farlens::Result<RemoteStreamer> {
        RemoteStreamer::new(Streamer::new(FixedData::bytes(vec![7; 1000])))
    }

    fn count(&self, to: u32) -> impl Stream<Item = farlens::Result<Kind>> + Send {
        stream::iter((0..to).map(|at| Ok(Kind::Length(Metres(f64::from(at))))))
    }

    fn any(&self) -> impl Stream<Item = farlens::Result<Entity>> + Send {
        stream::iter([Ok(Entity::Null), Ok(Entity::from("x"))])
    }

    async fn sum(
        &self,
        items: impl Stream<Item = farlens::Result<u32>> + Send + 'static,
    ) -> farlens::Result<u64> {
        items.try_fold(0, async |sum, item| Ok(sum + u64::from(item))).await
    }
}

async fn zoo() -> (House, Link, Remote, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let zoo = ZooRef::new(Counting(Arc::clone(&runs)));
    let house = House::open(Server::builder().publish("/zoo", zoo)).await;
    let link = house.link_to(&[Verb::Read, Verb::Call]).await;
    let zoo = guarded(link.object("/zoo")).await.unwrap();
    (house, link, zoo, runs)
}

/// Everything is given back.
async fn leave(house: House, link: Link, zoo: Remote) {
    drop(zoo);
    nothing_open(&link).await;
    drop(link);
    house.is_well().await;
}

/// A value as whoever only has its schema sees it.
fn seen<T: Element + farlens::Schema>(value: &T) -> Entity {
    let mut bytes = Vec::new();
    Element::encode(value, &mut bytes).unwrap();
    let doc = SchemaDoc::of::<T>();
    decode_with(&doc, &bytes, &[], &mut Budget::new(&Limits::default())).unwrap()
}

async fn called<const N: usize>(
    zoo: &Remote,
    method: &str,
    args: [(&str, Entity); N],
) -> DynamicAnswer {
    guarded(zoo.call_dynamic(method, &Entity::map(args))).await.unwrap()
}

async fn value<const N: usize>(zoo: &Remote, method: &str, args: [(&str, Entity); N]) -> Entity {
    match called(zoo, method, args).await {
        DynamicAnswer::Value(value) => value,
        other => panic!("{method} gave {other:?}"),
    }
}

#[tokio::test]
async fn every_type_goes_both_ways() {
    let (house, link, zoo, runs) = zoo().await;
    let all = seen(&All::largest());
    assert_eq!(value(&zoo, "echo", [("all", all.clone())]).await, all);
    let flat = value(
        &zoo,
        "flat",
        [("d", "Dot".into()), ("b", Entity::Int(-7)), ("a", Entity::Bool(true))],
    );
    let due = [Entity::Bool(true), Entity::Int(-7), Entity::Null, "Dot".into()];
    assert_eq!(flat.await, Entity::List(due.into()), "what is an option may be left out");
    assert_eq!(value(&zoo, "nothing", []).await, Entity::Null);
    assert_eq!(value(&zoo, "note", [("text", "so".into())]).await, Entity::Null);
    // A call behind it is answered when it has run.
    assert_eq!(value(&zoo, "nothing", []).await, Entity::Null);
    assert_eq!(runs.load(Ordering::SeqCst), 5);
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn what_does_not_fit_is_not_even_sent() {
    let (house, link, zoo, runs) = zoo().await;
    guarded(zoo.describe()).await.unwrap();
    let text = || Entity::from("x");
    let flat = |b: Entity| Entity::map([("a", true.into()), ("b", b), ("d", "Dot".into())]);
    for (method, args, code, part, hint) in [
        ("nothing", Entity::map([("x", text())]), Code::USAGE, "no parameter `x`", "takes none"),
        ("note", Entity::map([("x", text())]), Code::USAGE, "no parameter `x`", "are: text"),
        ("note", Entity::Map(Vec::new()), Code::USAGE, "args.text: it is missing", "note("),
        ("note", Entity::map([("text", Entity::Int(1))]), Code::USAGE, "text is due", "note("),
        ("note", Entity::Int(1), Code::USAGE, "a record is due", "note("),
        ("flat", flat(text()), Code::USAGE, "args.b: an int is due", "b: i128"),
        (
            "ring",
            Entity::map([("bell", text()), ("times", 1u32.into())]),
            Code::USAGE,
            "args.bell: a reference is due",
            "bell: Bell",
        ),
        ("rang", Entity::Null, Code::NO_SUCH_METHOD, "Zoo has no method `rang`", "echo, flat"),
    ] {
        let error = guarded(zoo.call_dynamic(method, &args)).await.unwrap_err();
        assert_eq!(error.code(), code, "{method}: {error}");
        assert!(error.message().contains(part), "{method}: {error}");
        assert!(error.hint().unwrap().contains(hint), "{method}: {error:?}");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn j3_errors_of_the_object_are_told_from_those_of_the_way() {
    let (house, link, zoo, _) = zoo().await;
    assert_eq!(value(&zoo, "enter", [("age", 6u8.into())]).await, Entity::Int(6));
    let failed = called(&zoo, "enter", [("age", 4u8.into())]).await;
    let DynamicAnswer::Failed(Entity::Tagged { tag, value }) = &failed else {
        panic!("{failed:?}")
    };
    assert_eq!((tag.as_str(), value.get("until")), ("Closed", Some(&Entity::Int(2))));
    let busy = guarded(zoo.call_dynamic("busy", &Entity::Map(Vec::new()))).await.unwrap_err();
    assert_eq!((busy.code(), busy.message()), (Code::BUSY, "it is feeding time"));
    let hasty = zoo.with_timeout(Duration::from_millis(50));
    let late = guarded(hasty.call_dynamic("stuck", &Entity::Map(Vec::new()))).await.unwrap_err();
    assert_eq!(late.code(), Code::DEADLINE_EXCEEDED);
    drop(hasty);
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn streams_are_answers_and_parameters() {
    let (house, link, zoo, _) = zoo().await;
    let DynamicAnswer::Stream(count) = called(&zoo, "count", [("to", 300u32.into())]).await else {
        panic!("no stream")
    };
    let items = guarded(count.entities::<Entity>()).await.unwrap();
    let items: Vec<Entity> = guarded(items.try_collect()).await.unwrap();
    let due = (0..300u32).map(|at| seen(&Kind::Length(Metres(f64::from(at)))));
    assert_eq!(items, due.collect::<Vec<_>>());
    let DynamicAnswer::Stream(any) = called(&zoo, "any", []).await else { panic!("no stream") };
    let items: Vec<_> = guarded(guarded(any.entities::<Entity>()).await.unwrap().collect()).await;
    assert_eq!(items.len(), 2);
    let DynamicAnswer::Stream(log) = called(&zoo, "log", []).await else { panic!("no stream") };
    let mut all = Vec::new();
    let mut bytes = guarded(log.connect()).await.unwrap();
    guarded(bytes.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, vec![7; 1000]);
    let items = IterData::from_stream(stream::iter((0..100u32).map(Ok)));
    let items = RemoteStreamer::new(Streamer::from(items)).unwrap();
    let items = Entity::Reference(items.reference().clone());
    assert_eq!(value(&zoo, "sum", [("items", items)]).await, Entity::Int(4950));
    drop((count, any, log, bytes));
    leave(house, link, zoo).await;
}

/// The calls of an object: the method and its parameters.
type Heard = Arc<Mutex<Vec<(String, Entity)>>>;

/// Answers with twice the times, and remembers what it was called with.
fn bell(interface: SchemaDoc) -> (Remote, Heard) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    let bell = DynamicObject::new(Arc::new(interface), move |method, args| {
        let times = match args.get("times") {
            Some(Entity::Int(times)) => Ok(Entity::Int(times * 2)),
            _ => Err(farlens::Error::new(Code::INTERNAL, "no times")),
        };
        hear.lock().unwrap().push((method, args));
        async move { times }
    });
    (Remote::new(bell.unwrap()), heard)
}

fn reference(of: &Remote) -> Entity {
    Entity::Reference(of.reference().clone())
}

#[tokio::test]
async fn an_object_of_a_described_interface_is_called_back() {
    let (house, link, zoo, _) = zoo().await;
    let doc = guarded(zoo.describe()).await.unwrap();
    assert_eq!(*doc, *SchemaDoc::of::<ZooRef>());
    let methods = &doc.interface_of(doc.root()).unwrap().methods;
    let ring = methods.iter().find(|method| method.name == "ring").unwrap();
    let interface = doc.part(&ring.params[0].1);
    assert_eq!(interface, *SchemaDoc::of::<BellRef>(), "it is the very interface");
    let (bell, heard) = bell(interface);
    let args = [("bell", reference(&bell)), ("times", 21u32.into())];
    assert_eq!(value(&zoo, "ring", args).await, Entity::Int(42));
    let (method, args) = heard.lock().unwrap().pop().unwrap();
    assert_eq!((method.as_str(), args.get("times")), ("rung", Some(&Entity::Int(21))));
    assert_eq!(args.get("kind"), Some(&seen(&Kind::Line(1, -1))));
    let kept = [
        ("first", reference(&bell)),
        ("others", Entity::List(vec![reference(&bell), reference(&zoo)])),
    ];
    let kept = value(&zoo, "keep", kept).await;
    assert_eq!(kept.get("first"), Some(&reference(&bell)), "it comes home as itself");
    assert_eq!(kept.get("others"), Some(&Entity::List(vec![reference(&bell), reference(&zoo)])));
    let DynamicAnswer::Object(given) = called(&zoo, "give", [("any", reference(&bell))]).await
    else {
        panic!("no object")
    };
    assert_eq!(reference(&given), reference(&bell));
    drop((bell, given, kept));
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn a_caller_with_another_version_of_the_interface_is_understood() {
    let (house, link, zoo, _) = zoo().await;
    // A bell that knows less of what it is told, in another order, and more besides.
    let option = Type::Option(Box::new(Type::Text));
    let rung = Method {
        name: "rung".into(),
        doc: String::new(),
        params: vec![("loud".into(), option), ("times".into(), Type::U64)],
        result: Type::U16,
        one_way: false,
    };
    let shape = Shape::Interface(Interface { doc: String::new(), methods: vec![rung] });
    let bell_type = Definition { name: "Bell".into(), shape };
    let (bell, heard) = bell(SchemaDoc::from_parts(Type::Named(0), vec![bell_type]).unwrap());
    let args = [("bell", reference(&bell)), ("times", 21u32.into())];
    assert_eq!(value(&zoo, "ring", args).await, Entity::Int(42));
    assert_eq!(heard.lock().unwrap().pop().unwrap().1.get("times"), Some(&Entity::Int(21)));
    drop(bell);
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn an_answer_that_is_an_object_describes_itself() {
    let (house, link, zoo, runs) = zoo().await;
    let DynamicAnswer::Object(other) = called(&zoo, "other", []).await else { panic!("no object") };
    assert_eq!(*guarded(other.describe()).await.unwrap(), *SchemaDoc::of::<ZooRef>());
    assert_eq!(value(&other, "nothing", []).await, Entity::Null);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    // It is known from now on.
    let slow = other.with_timeout(SECOND);
    assert!(Arc::ptr_eq(&other.describe().await.unwrap(), &slow.describe().await.unwrap()));
    drop((other, slow));
    leave(house, link, zoo).await;
}

#[tokio::test]
async fn an_object_of_this_process_is_called_alike() {
    let runs = Arc::new(AtomicUsize::new(0));
    let zoo = Remote::from(ZooRef::new(Counting(Arc::clone(&runs))));
    let all = seen(&All::largest());
    assert_eq!(value(&zoo, "echo", [("all", all.clone())]).await, all);
    let (bell, _) = bell((*SchemaDoc::of::<BellRef>()).clone());
    let args = [("bell", reference(&bell)), ("times", 4u32.into())];
    assert_eq!(value(&zoo, "ring", args).await, Entity::Int(8));
    let no_interface = DynamicObject::new(SchemaDoc::of::<All>(), |_, args| async { Ok(args) });
    assert_eq!(no_interface.unwrap_err().code(), Code::USAGE);
}
