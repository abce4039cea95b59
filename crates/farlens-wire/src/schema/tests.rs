//! Documents of derived types, and values read by them.

use super::*;
use crate::{Budget, DecodeError, Entity, Limits, Reference, typed};
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

/// An interface that knows itself, as a document: `Camera`, with a `Pose` and an `Alarm`.
fn camera() -> SchemaDoc {
    struct Alarm;
    impl Schema for Alarm {
        fn build(builder: &mut SchemaBuilder) -> Type {
            builder.define::<Self>("Alarm", |_| {
                let params = vec![("level".to_owned(), Type::U8)];
                Shape::Interface(Interface {
                    doc: String::new(),
                    methods: vec![method("ring", params, Type::Unit, true)],
                })
            })
        }
    }
    struct Camera;
    impl Schema for Camera {
        fn build(builder: &mut SchemaBuilder) -> Type {
            builder.define::<Self>("Camera", |builder| {
                let pose = Type::EntityStream(Some(Box::new(Pose::build(builder))));
                let named = |name: &str, ty| vec![(name.to_owned(), ty)];
                Shape::Interface(Interface {
                    doc: "Sees tools.".into(),
                    methods: vec![
                        method("calibrate", named("n", Type::U32), Type::F64, false),
                        method("poses", named("hz", Type::U16), pose, false),
                        method("watch", named("cb", Alarm::build(builder)), Type::Unit, false),
                        method("twin", vec![], Self::build(builder), false),
                        method("raw", vec![], Type::ByteStream, false),
                        method(
                            "log",
                            named("of", Type::Reference),
                            Type::EntityStream(None),
                            false,
                        ),
                    ],
                })
            })
        }
    }
    build::document::<Camera>()
}

fn method(name: &str, params: Vec<(String, Type)>, result: Type, one_way: bool) -> Method {
    Method { name: name.into(), doc: format!("It does {name}."), params, result, one_way }
}

#[test]
fn interfaces_are_readable() {
    let doc = camera();
    assert_eq!(
        doc.to_string(),
        "interface Camera {\n  \
           calibrate(n: u32) -> f64\n  \
           poses(hz: u16) -> stream Pose\n  \
           watch(cb: Alarm) -> ()\n  \
           twin() -> Camera\n  \
           raw() -> byte stream\n  \
           log(of: object) -> stream any\n\
         }\n\
         Pose { tool: text, t_ns: u64, m: [f32; 12] }\n\
         interface Alarm {\n  \
           ring(level: u8)\n\
         }"
    );
    let Shape::Interface(interface) = &doc.definitions()[0].shape else { panic!("{doc}") };
    let lines: Vec<_> = interface.methods.iter().map(|m| doc.signature(m).to_string()).collect();
    assert_eq!(lines[0], "calibrate(n: u32) -> f64");
    assert_eq!(lines[1], "poses(hz: u16) -> stream Pose { tool: text, t_ns: u64, m: [f32; 12] }");
    assert_eq!((&*lines[2], &*lines[3]), ("watch(cb: Alarm) -> ()", "twin() -> Camera"));
}

#[test]
fn documentation_travels_and_leaves_the_type_alone() {
    let doc = camera();
    let back = decoded(&encoded(&doc)).expect("it decodes");
    assert_eq!(back.definitions(), doc.definitions());
    let mut definitions = doc.definitions().to_vec();
    let Shape::Interface(interface) = &mut definitions[0].shape else { panic!("{doc}") };
    interface.doc = "Something else.".into();
    interface.methods[1].doc.clear();
    let other = SchemaDoc::new(doc.root().clone(), definitions.clone());
    assert_eq!(other.fingerprint(), doc.fingerprint());
    assert_ne!(encoded(&other), encoded(&doc));
    let Shape::Interface(interface) = &mut definitions[0].shape else { panic!("{doc}") };
    interface.methods[1].one_way = true;
    assert_ne!(SchemaDoc::new(doc.root().clone(), definitions), doc);
}

#[test]
fn what_concerns_readers_only_is_not_part_of_the_type() {
    let plain = Field::new("a", Type::U8);
    let known = Field { default: true, aliases: vec!["b".into()], ..plain.clone() };
    let document = |fields, closed| {
        let variant = Variant { aliases: vec!["W".into()], ..Variant::new("V", Fields::Unit) };
        let shape = Shape::Struct(Fields::Named { fields: vec![fields], closed });
        SchemaDoc::new(
            Type::Named(0),
            vec![
                Definition { name: "A".into(), shape },
                Definition { name: "E".into(), shape: Shape::Enum(vec![variant]) },
            ],
        )
    };
    assert_eq!(encoded(&document(plain.clone(), false)), encoded(&document(known, true)));
    assert_eq!(document(plain.clone(), false), document(plain, true));
}

#[test]
fn references_are_indices() {
    let doc = camera();
    let types = [
        Type::Named(0),
        Type::Reference,
        Type::ByteStream,
        Type::EntityStream(None),
        Type::EntityStream(Some(Box::new(Type::Text))),
    ];
    let doc = SchemaDoc::new(Type::Tuple(types.into()), doc.definitions().to_vec());
    let table: Vec<_> = (0..130u32).map(Reference::new).collect();
    let read =
        |bytes: &[u8]| decode_with(&doc, bytes, &table, &mut Budget::new(&Limits::default()));
    let wanted = [129, 1, 2, 3, 1].map(|index| Entity::Reference(table[index].clone()));
    assert_eq!(read(&[0x81, 1, 1, 2, 3, 1]), Ok(Entity::List(wanted.into())));
    assert_eq!(read(&[0, 0, 0, 0, 0x82, 1]), Err(DecodeError::NoSuchReference));
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
    let camera = std::sync::Arc::new(camera());
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
            let _ = (doc.to_string(), decode_with(&doc, &[0, 1, 2], &[], &mut Budget::new(&Limits::default())));
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
