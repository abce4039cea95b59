//! Servers with the pinned key that break the protocol: each operation of our client ends with one
//! error that says why.

use crate::{code, drain, guarded, inner};
use farlens::{Client, Code, Entity, EntityStream, Identity, Kind, Link, Result};
use farlens_tests::{
    certs::{self, ALPN, Key},
    hostile::{self, Peer, control, data, items},
    pattern,
    rng::Rng,
};
use farlens_wire::{
    CallId, Epoch, Position,
    frame::{
        CallFrame, Fault, Frame, LinkFrame,
        call::Return,
        link::Bye,
        put_header,
        stream::{Broken, End, Failed, UpToDate},
    },
    schema::SchemaDoc,
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A link to a server that does as `script` says, once hands are shaken.
async fn against<S: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(Peer) -> S + Send + 'static,
) -> Result<Link> {
    let key = Key::fresh();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("farlens://{}/#{}", listener.local_addr().unwrap(), key.id());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let peer = Peer::accept(socket, &certs::server(&key, &[ALPN])).await.unwrap();
        script(peer).await;
    });
    let client = Client::builder().identity(Identity::generate().unwrap());
    guarded(client.connect(&url)).await
}

/// A link to a server that greets, waits for the first stream, and sends this. It then waits for
/// the client to leave.
async fn answering(bytes: impl FnOnce(u64) -> Vec<u8> + Send + 'static) -> Link {
    let linked = against(|mut peer| async move {
        peer.greet().await.unwrap();
        let (id, _) = peer.opened().await;
        let _ = peer.send(&bytes(id)).await;
        peer.farewell().await;
    });
    linked.await.unwrap()
}

/// What becomes of reading a byte stream that is answered so: what came, and the failure.
async fn read(bytes: impl FnOnce(u64) -> Vec<u8> + Send + 'static) -> (Vec<u8>, Code) {
    let link = answering(bytes).await;
    match guarded(link.open("/x")).await {
        Err(error) => (Vec::new(), error.code()),
        Ok(mut stream) => {
            let (got, outcome) = drain(&mut stream).await;
            let error = stream.read(&mut [0]).await.unwrap_err();
            let code = code(outcome);
            assert_eq!(inner(&error).code(), code, "an error stays");
            (got, code)
        }
    }
}

fn bytes_stream(id: u64, length: u64) -> Vec<u8> {
    control(id, &hostile::opened(Kind::Bytes, length))
}

#[tokio::test]
async fn noise_in_place_of_a_hello_is_one_error() {
    for seed in 0..20 {
        let linked = against(move |mut peer| async move {
            let mut rng = Rng::new(seed);
            let noise: Vec<u8> = (0..64 << 10).map(|_| rng.draw() as u8).collect();
            let _ = peer.send(&noise).await;
            let _ = peer.io().shutdown().await;
            peer.farewell().await;
        });
        let code = code(linked.await);
        assert!(code.family() == 9 || code == Code::LINK_LOST, "seed {seed}: {code}");
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_link_and_is_not_delivered() {
    type Answer = fn(u64) -> Vec<u8>;
    let cases: Vec<(&str, Answer, usize, Code)> = vec![
        ("data before it is open", |id| data(id, 0, b"early"), 0, Code::PROTOCOL_VIOLATION),
        (
            "no mode",
            |id| {
                let mut frame = bytes_stream(id, 10);
                // The mode follows kind, id, length and the kind of elements.
                frame.splice(4..6, [0]);
                frame[2] -= 1;
                frame
            },
            0,
            Code::MALFORMED,
        ),
        (
            "a mode that cannot be",
            |id| {
                let mut frame = bytes_stream(id, 10);
                // READABLE | WRITABLE | FIXED_DATA.
                frame.splice(4..6, [0x83, 0x20]);
                frame
            },
            0,
            Code::MALFORMED,
        ),
        (
            "open at a place outside",
            |id| {
                let mut opened = hostile::opened(Kind::Bytes, 10);
                opened.at = Position::new(11).unwrap();
                control(id, &opened)
            },
            0,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "entities where bytes were wanted",
            |id| control(id, &hostile::opened(Kind::Items, 10)),
            0,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "a gap",
            |id| [bytes_stream(id, 10), data(id, 0, b"abc"), data(id, 4, b"e")].concat(),
            3,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "an overlap",
            |id| [bytes_stream(id, 10), data(id, 0, b"abc"), data(id, 2, b"c")].concat(),
            3,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "an end before the end",
            |id| {
                let end = End { epoch: Epoch(0), at: Position::new(2).unwrap() };
                [bytes_stream(id, 10), data(id, 0, b"abc"), control(id, &end)].concat()
            },
            3,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "an epoch that was not asked for",
            |id| {
                let end = UpToDate { epoch: Epoch(1), at: Position::ZERO };
                [bytes_stream(id, 10), control(id, &end)].concat()
            },
            0,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "a frame too large",
            |id| {
                let mut out = [bytes_stream(id, 10), data(id, 0, b"abc")].concat();
                put_header(&mut out, 0x22, id, (64 << 10) + 1);
                out
            },
            3,
            Code::FRAME_TOO_LARGE,
        ),
        (
            "a stream that nobody opened",
            |id| [bytes_stream(id, 10), data(id + 2, 0, b"abc")].concat(),
            0,
            Code::PROTOCOL_VIOLATION,
        ),
        (
            "reading failed",
            |id| {
                let fault = Fault::new(Code::STORAGE_IO, "read");
                let broken = Broken { epoch: Epoch(0), at: Position::new(3).unwrap(), fault };
                [bytes_stream(id, 10), data(id, 0, b"abc"), control(id, &broken)].concat()
            },
            3,
            Code::STORAGE_IO,
        ),
    ];
    for (what, answer, length, expected) in cases {
        let (got, code) = read(answer).await;
        assert_eq!((got.len(), code), (length, expected), "{what}");
        assert!(b"abc".starts_with(&got), "{what}");
    }
}

#[tokio::test]
async fn m1_data_beyond_the_credit_ends_the_link() {
    // The credit that a stream begins with is 256 KiB; not a byte beyond is delivered.
    let (got, code) = read(|id| {
        let mut out = bytes_stream(id, 1 << 30);
        for at in (0..10 << 20).step_by(60_000) {
            out.extend(data(id, at, &pattern::bytes(1, at, 60_000)));
        }
        out
    })
    .await;
    assert!(matches!(code, Code::FLOW_CONTROL | Code::LINK_LOST), "{code}");
    assert!(got.len() < 10 << 20);
    assert_eq!(pattern::first_wrong_byte(1, 0, &got), None);

    // A reader that takes nothing gives no more credit.
    let linked = answering(|id| {
        let full = pattern::bytes(1, 0, (256 << 10) + 1);
        let mut out = bytes_stream(id, 1 << 30);
        for (n, part) in full.chunks(1 << 15).enumerate() {
            out.extend(data(id, (n << 15) as u64, part));
        }
        out
    });
    let link = linked.await;
    let mut stream = link.open("/x").await.unwrap();
    assert_eq!(guarded(link.closed()).await.code(), Code::FLOW_CONTROL);
    let (got, outcome) = drain(&mut stream).await;
    assert_eq!((got.len(), self::code(outcome)), (256 << 10, Code::FLOW_CONTROL));
}

#[tokio::test]
async fn a18_a_connection_that_ends_is_never_the_end_of_a_stream() {
    for proper in [true, false] {
        let linked = against(move |mut peer| async move {
            peer.greet().await.unwrap();
            let (id, _) = peer.opened().await;
            let bytes = [bytes_stream(id, 10), data(id, 0, b"abc")].concat();
            peer.send(&bytes).await.unwrap();
            if proper {
                peer.io().shutdown().await.unwrap();
            } else {
                peer.io().get_mut().0.shutdown().await.unwrap();
            }
            peer.farewell().await;
        });
        let link = linked.await.unwrap();
        let mut stream = link.open("/x").await.unwrap();
        let (got, outcome) = drain(&mut stream).await;
        assert_eq!((&got[..], code(outcome)), (&b"abc"[..], Code::LINK_LOST), "proper: {proper}");
    }
}

#[tokio::test]
async fn the_text_of_a_failure_is_shown_escaped() {
    let text = "\x1b[2Jgone\nERROR root: \u{202e}";
    let link =
        answering(move |id| control(id, &Failed { fault: Fault::new(Code::STORAGE_IO, text) }));
    let error = link.await.open("/x").await.unwrap_err();
    assert!(!error.to_string().chars().any(|c| c.is_control() || c == '\u{202e}'), "{error}");
    let linked = against(move |mut peer| async move {
        let mut bye = Vec::new();
        LinkFrame::Bye(Bye::new(Fault::new(Code::OVERLOADED, text))).put(&mut bye);
        peer.send(&bye).await.unwrap();
        peer.farewell().await;
    });
    let error = linked.await.unwrap_err();
    assert!(!error.to_string().chars().any(char::is_control), "{error}");
}

/// Appends a varint.
fn varint(n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    farlens_wire::varint::put(&mut out, n);
    out
}

fn encoded(entity: &Entity) -> Vec<u8> {
    let mut out = Vec::new();
    entity.encode(&mut out).unwrap();
    out
}

/// The tag with which an entity like this begins.
fn tag(entity: &Entity) -> u8 {
    encoded(entity)[0]
}

/// Entities whose bytes promise more than there is, or nest without end.
fn lying_entities() -> Vec<Vec<u8>> {
    let empty = [
        Entity::Text(String::new()),
        Entity::Bytes(bytes::Bytes::new()),
        Entity::List(Vec::new()),
        Entity::Map(Vec::new()),
    ];
    let mut all: Vec<Vec<u8>> =
        empty.iter().map(|entity| [&[tag(entity)][..], &varint(1 << 62)].concat()).collect();
    let list = tag(&Entity::List(Vec::new()));
    for depth in [65, 1_000, 500_000] {
        all.push([list, 1].repeat(depth));
    }
    all.push([&[list][..], &varint(1 << 20), &[0; 1 << 17]].concat());
    all.push(vec![0xff]);
    all.push(Vec::new());
    all
}

/// An entity, in one frame or in parts, and a good one behind it where the credit reaches so far.
fn lie_and(id: u64, lie: &[u8], good: &[u8]) -> Vec<u8> {
    match lie.len() {
        0 => items(id, 0, &[lie, good]),
        1..200_000 => [hostile::item_parts(id, 0, lie), items(id, 1, &[good])].concat(),
        _ => hostile::item_parts(id, 0, lie),
    }
}

/// Reads the lie, and the good one if it was sent.
async fn both<T: farlens::Element>(stream: &mut EntityStream<T>, lie: usize) -> (Code, Option<T>) {
    let code = code(guarded(stream.next()).await.unwrap());
    if lie >= 200_000 {
        return (code, None);
    }
    (code, Some(guarded(stream.next()).await.unwrap().unwrap()))
}

#[tokio::test]
async fn c1_c3_a_lying_entity_is_an_error_and_the_next_one_is_read() {
    for body in lying_entities() {
        let (start, length) = (body[..body.len().min(8)].to_vec(), body.len());
        let link = answering(move |id| {
            let opened = control(id, &hostile::opened(Kind::Items, 2));
            [opened, lie_and(id, &body, &encoded(&Entity::Int(5)))].concat()
        })
        .await;
        let mut stream = link.entities::<Entity>("/x").await.unwrap();
        let (code, good) = both(&mut stream, length).await;
        assert!(matches!(code, Code::DECODE_LIMIT | Code::MALFORMED), "{start:02x?}: {code}");
        assert!(good.is_none_or(|good| good == Entity::Int(5)), "{start:02x?}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, farlens::Schema)]
struct Tree {
    children: Vec<Tree>,
}

#[tokio::test]
async fn c1_c3_a_lying_recursive_value_is_an_error_and_the_next_one_is_read() {
    let deep = |depth| vec![1u8; depth];
    let wide = varint(1 << 62);
    for body in [deep(65), deep(10_000), deep(1_000_000), wide, varint(1 << 20), vec![]] {
        let length = body.len();
        let link = answering(move |id| {
            let schema = SchemaDoc::of::<Tree>();
            let mut encoded = Vec::new();
            schema.encode(&mut encoded);
            let mut opened = hostile::opened(Kind::Items, 2);
            opened.fingerprint = Some(schema.fingerprint().0);
            opened.schema = Some(encoded);
            [control(id, &opened), lie_and(id, &body, &[0])].concat()
        })
        .await;
        let mut stream = link.entities::<Tree>("/x").await.unwrap();
        let (code, good) = both(&mut stream, length).await;
        assert!(matches!(code, Code::DECODE_LIMIT | Code::MALFORMED), "{length}: {code}");
        assert!(good.is_none_or(|good| good.children.is_empty()));

        // The same bytes, read by the schema that came with them.
        let body = deep(length);
        let link = answering(move |id| {
            let mut encoded = Vec::new();
            SchemaDoc::of::<Tree>().encode(&mut encoded);
            let mut opened = hostile::opened(Kind::Items, 1);
            opened.schema = Some(encoded);
            [control(id, &opened), lie_and(id, &body, &[0])].concat()
        })
        .await;
        let mut stream = link.entities::<Entity>("/x").await.unwrap();
        assert!(guarded(stream.next()).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_schema_made_of_noise_is_refused_or_read_in_bounds() {
    let mut encoded = Vec::new();
    SchemaDoc::of::<Tree>().encode(&mut encoded);
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let mut schema = encoded.clone();
        for _ in 0..rng.between(1, 4) {
            let place = rng.below(schema.len() as u64) as usize;
            schema[place] = rng.small(255) as u8;
        }
        let link = answering(move |id| {
            let mut opened = hostile::opened(Kind::Items, 1);
            opened.schema = Some(schema);
            [control(id, &opened), items(id, 0, &[&[1, 1, 1, 0]])].concat()
        })
        .await;
        if let Ok(mut stream) = guarded(link.entities::<Entity>("/x")).await {
            let _ = guarded(stream.next()).await;
        }
    }
}

#[tokio::test]
async fn a_listing_without_end_is_an_error() {
    #[derive(Serialize)]
    struct Page {
        entries: Vec<(String, u8, Option<u64>)>,
        next: Option<String>,
    }
    let page = Page { entries: vec![("same".to_owned(), 0, None)], next: Some("same".to_owned()) };
    let mut value = Vec::new();
    farlens_wire::typed::encode(&page, &mut value).unwrap();
    let linked = against(move |mut peer| async move {
        peer.greet().await.unwrap();
        while let Some(frame) = peer.next().await {
            if let Frame::Call(CallId(id), CallFrame::Call(_)) = frame
                && peer.put(id, &Return::new(value.clone())).await.is_err()
            {
                return;
            }
        }
    });
    let link = linked.await.unwrap();
    assert_eq!(code(guarded(link.list("/")).await), Code::PROTOCOL_VIOLATION);
    assert!(link.list("relative").await.is_err());
}

#[tokio::test]
async fn answers_that_are_noise_fail_their_call_alone() {
    let linked = against(|mut peer| async move {
        peer.greet().await.unwrap();
        while let Some(frame) = peer.next().await {
            if let Frame::Call(CallId(id), CallFrame::Call(_)) = frame {
                let _ = peer.put(id, &Return::new(vec![0xff; id as usize])).await;
            }
        }
    });
    let link = linked.await.unwrap();
    for _ in 0..20 {
        assert_eq!(code(guarded(link.list("/")).await), Code::MALFORMED);
        assert_eq!(code(guarded(link.stat("/")).await), Code::MALFORMED);
    }
}
