//! Documents of derived types, and values read by them.

mod interfaces;
mod names;

use super::*;
use crate::{Budget, DecodeError, Entity, Limits, typed};
use farlens_macros::Schema;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
struct Pose {
    tool: String,
    t_ns: u64,
    m: [f32; 12],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
struct Metres(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
#[serde(transparent)]
struct Clear {
    inside: u16,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
struct Pair<T, U>(T, U);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
enum Colour {
    Red,
    Green,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
enum Tree {
    Leaf,
    Length(Metres),
    Both(Box<Tree>, Box<Tree>),
    Many { of: Vec<Tree>, kind: Option<Colour> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[farlens(crate = "crate::schema")]
struct Zoo {
    pose: Pose,
    clear: Clear,
    marker: Marker,
    pairs: (Pair<u8, i8>, Pair<Colour, char>),
    by_colour: BTreeMap<Colour, i128>,
    by_pair: BTreeMap<(u8, u8), Marker>,
    tree: Tree,
    any: Entity,
    raw: Vec<u8>,
}

fn zoo() -> Zoo {
    let m = std::array::from_fn(|index| index as f32);
    let leaf = || Box::new(Tree::Leaf);
    Zoo {
        pose: Pose { tool: "probe".into(), t_ns: 7, m },
        clear: Clear { inside: 300 },
        marker: Marker,
        pairs: (Pair(1, -1), Pair(Colour::Red, 'ß')),
        by_colour: [(Colour::Green, i128::MIN)].into(),
        by_pair: [((1, 2), Marker)].into(),
        tree: Tree::Many {
            of: vec![Tree::Both(leaf(), leaf()), Tree::Length(Metres(0.5))],
            kind: Some(Colour::Green),
        },
        any: Entity::Time(3),
        raw: vec![1, 2],
    }
}

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    typed::encode(value, &mut bytes).expect("the value is encodable");
    bytes
}

fn read<T: Schema>(bytes: &[u8]) -> Result<Entity, DecodeError> {
    decode_with(&SchemaDoc::of::<T>(), bytes, &[], &mut Budget::new(&Limits::default()))
}

fn encoded(doc: &SchemaDoc) -> Vec<u8> {
    let mut bytes = Vec::new();
    doc.encode(&mut bytes);
    bytes
}

fn decoded(bytes: &[u8]) -> Result<SchemaDoc, DecodeError> {
    SchemaDoc::decode(bytes, &mut Budget::new(&Limits::default()))
}

#[test]
fn documents_are_readable() {
    assert_eq!(SchemaDoc::of::<Pose>().to_string(), "Pose { tool: text, t_ns: u64, m: [f32; 12] }");
    assert_eq!(
        SchemaDoc::of::<Vec<Tree>>().to_string(),
        "[Tree]\n\
         enum Tree { Leaf, Length(Metres), Both(Tree, Tree), Many { of: [Tree], kind: Colour? } }\n\
         Metres(f64)\n\
         enum Colour { Red, Green }"
    );
    let zoo = SchemaDoc::of::<Zoo>().to_string();
    assert!(
        zoo.starts_with("Zoo { pose: Pose, clear: u16, marker: Marker, pairs: (Pair, Pair#2),")
    );
    assert!(zoo.contains("by_pair: {(u8, u8): Marker}, tree: Tree, any: any, raw: [u8] }"));
}

#[test]
fn values_are_read_by_the_schema_alone() {
    let zoo = zoo();
    let int = Entity::Int;
    let leaf = || Entity::from("Leaf");
    let tree = Entity::tagged(
        "Many",
        Entity::record(
            "Many",
            [
                (
                    "of",
                    Entity::List(vec![
                        Entity::tagged("Both", Entity::List(vec![leaf(), leaf()])),
                        Entity::tagged("Length", 0.5),
                    ]),
                ),
                ("kind", "Green".into()),
            ],
        ),
    );
    let pose = Entity::record(
        "Pose",
        [("tool", "probe".into()), ("t_ns", int(7)), ("m", Entity::list((0..12u8).map(f32::from)))],
    );
    let pairs = [Entity::list([1i8, -1]), Entity::list(["Red", "ß"])];
    let wanted = Entity::record(
        "Zoo",
        [
            ("pose", pose),
            ("clear", int(300)),
            ("marker", Entity::Null),
            ("pairs", Entity::list(pairs)),
            ("by_colour", Entity::map([("Green", i128::MIN)])),
            ("by_pair", Entity::list([Entity::list([Entity::list([1u8, 2]), Entity::Null])])),
            ("tree", tree),
            ("any", Entity::Time(3)),
            ("raw", vec![1u8, 2].into()),
        ],
    );
    let bytes = bytes_of(&zoo);
    assert_eq!(read::<Zoo>(&bytes), Ok(wanted));
    assert_eq!(typed::decode::<Zoo>(&bytes, &Limits::default()), Ok(zoo));
    for cut in 0..bytes.len() {
        assert!(read::<Zoo>(&bytes[..cut]).is_err());
    }
}

#[test]
fn documents_travel() {
    let camera = Arc::new(interfaces::camera());
    let zoo = SchemaDoc::of::<Zoo>();
    for doc in [zoo, SchemaDoc::of::<u8>(), SchemaDoc::of::<Option<Tree>>(), camera] {
        let bytes = encoded(&doc);
        let back = decoded(&bytes).expect("it decodes");
        assert_eq!((&back, encoded(&back)), (&*doc, bytes.clone()));
        assert_eq!(back.fingerprint(), doc.fingerprint());
        for cut in 0..bytes.len() {
            assert!(decoded(&bytes[..cut]).is_err());
        }
    }
    assert_ne!(SchemaDoc::of::<u8>(), SchemaDoc::of::<u16>());
    // Any change of this number makes old and new peers strangers.
    let fingerprint = SchemaDoc::of::<Pose>().fingerprint().to_string();
    assert_eq!(fingerprint, "e75f6cc7c24b57b4590c9154a640dbb9");
}

#[test]
fn bad_documents_are_refused() {
    for (bytes, error) in [
        (&[2, 0, 0][..], DecodeError::BadTag),
        (&[1, 0x15, 0], DecodeError::BadTag),
        (&[1, 0x27, 0], DecodeError::BadTag),
        (&[1, 0x25, 0, 0], DecodeError::BadTag),
        (&[1, 0x25, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], DecodeError::BadTag),
        (&[1, 0, 0, 0], DecodeError::Trailing),
        (&[1, 0, 9], DecodeError::LengthBeyondInput),
        (&[1, 0, 2, 1, b'A', 0, 0, 1, b'A', 0, 0], DecodeError::DuplicateKey),
        (&[1, 0, 1, 1, b'A', 0, 2, 2, 1, b'f', 0, 1, b'f', 0], DecodeError::DuplicateKey),
        (&[1, 0, 1, 1, b'A', 1, 2, 1, b'v', 0, 1, b'v', 0], DecodeError::DuplicateKey),
        (&[1, 0, 1, 1, b'A', 3], DecodeError::BadTag),
        (&[1, 0, 1, 1, b'A', 2, 0, 1, 1, b'm', 0, 2], DecodeError::BadBool),
        (
            &[1, 0, 1, 1, b'A', 2, 0, 2, 1, b'm', 0, 0, 0, 0, 1, b'm', 0, 0, 0, 0],
            DecodeError::DuplicateKey,
        ),
        (
            &[1, 0, 1, 1, b'A', 2, 0, 1, 1, b'm', 0, 0, 2, 1, b'p', 0, 1, b'p', 0, 0],
            DecodeError::DuplicateKey,
        ),
    ] {
        assert_eq!(decoded(bytes), Err(error), "{bytes:?}");
    }
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

#[test]
fn deep_documents_and_values_end_at_the_limit() {
    on_a_small_stack(|| {
        for depth in [65, 1_000, 10_000, 1_000_000] {
            for level in [&[0x20][..], &[0x21], &[0x22, 1], &[0x23, 0], &[0x24, 1], &[0x26]] {
                let bytes = [&[1][..], &level.repeat(depth), &[0, 0]].concat();
                assert_eq!(decoded(&bytes), Err(DecodeError::Depth));
            }
            assert_eq!(read::<Tree>(&vec![2; depth]), Err(DecodeError::Depth));
            assert_eq!(read::<Tree>(&[3, 1].repeat(depth)), Err(DecodeError::Depth));
        }
        // A structure that contains nothing but itself.
        let doc = decoded(&[1, 0x25, 0, 1, 1, b'A', 0, 1, 1, 0x25, 0]).expect("it decodes");
        let found = decode_with(&doc, &[], &[], &mut Budget::new(&Limits::default()));
        assert_eq!(found, Err(DecodeError::Depth));
    });
}

#[test]
fn values_without_bytes_are_charged() {
    let budget = || Budget::new(&Limits::default());
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(read::<Vec<()>>(&most), Err(DecodeError::Elements));
    assert_eq!(read::<BTreeMap<u8, ()>>(&most), Err(DecodeError::Elements));
    assert_eq!(read::<Vec<u8>>(&most), Err(DecodeError::LengthBeyondInput));
    // 2^32-1 units in an array, and structures that double thirty times.
    let array = decoded(&[1, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]).expect("it decodes");
    assert_eq!(decode_with(&array, &[], &[], &mut budget()), Err(DecodeError::Cost));
    let mut doubling = vec![1, 0x25, 0, 31];
    for level in 1..=30u8 {
        doubling.extend([1, 64 + level, 0, 1, 2, 0x25, level, 0x25, level]);
    }
    doubling.extend([1, b'@', 0, 0]);
    let doubling = decoded(&doubling).expect("it decodes");
    assert_eq!(decode_with(&doubling, &[], &[], &mut budget()), Err(DecodeError::Cost));
}

proptest! {
    #[test]
    fn noise_is_refused_or_canonical(bytes in prop::collection::vec(0u8..0x28, 0..24)) {
        let bytes = [&[1][..], &bytes].concat();
        if let Ok(doc) = decoded(&bytes) {
            prop_assert_eq!(encoded(&doc), bytes);
            let mut budget = Budget::new(&Limits::default());
            let _ = (doc.to_string(), decode_with(&doc, &[0, 1, 2], &[], &mut budget));
            let (doc, other) = (Arc::new(doc), SchemaDoc::of::<Zoo>());
            prop_assert!(Resolution::between(&doc, &doc).is_ok());
            let _ = (Resolution::between(&doc, &other), Resolution::between(&other, &doc));
        }
    }

    #[test]
    fn both_decoders_accept_the_same_trees(bytes in prop::collection::vec(0u8..4, 0..24)) {
        let limits = Limits::default();
        let by_type = typed::decode::<Tree>(&bytes, &limits);
        prop_assert_eq!(by_type.is_ok(), read::<Tree>(&bytes).is_ok());
    }
}

#[test]
fn arguments_come_back_by_their_names() {
    let method = Method {
        name: "aim".into(),
        doc: String::new(),
        params: vec![("at".into(), Type::List(Box::new(Type::U16))), ("why".into(), Type::Text)],
        result: Type::Unit,
        one_way: false,
    };
    let doc = SchemaDoc::from_parts(Type::Unit, vec![]).expect("it is valid");
    let args = Entity::map([("why", "so".into()), ("at", Entity::List(vec![Entity::Int(700)]))]);
    let (mut bytes, mut table) = (Vec::new(), Vec::new());
    encode_args(&doc, &method, &args, &mut bytes, &mut table).expect("they fit");
    let read = |bytes: &[u8]| {
        decode_args(&doc, &method, bytes, &table, &mut Budget::new(&Limits::default()))
    };
    let fields =
        vec![("at".into(), Entity::List(vec![Entity::Int(700)])), ("why".into(), "so".into())];
    assert_eq!(read(&bytes), Ok(Entity::Record { name: "aim".into(), fields }));
    bytes.push(0);
    assert_eq!(read(&bytes), Err(DecodeError::Trailing));
}
