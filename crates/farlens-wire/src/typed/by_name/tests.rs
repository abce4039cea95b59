//! What a peer's schema and bytes may cost, and readers that derived code does not make.

use crate::schema::{Definition, Field, Fields, SchemaDoc, Shape, Type, Variant};
use crate::{Budget, DecodeError, Limits, typed};
use serde::de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

fn structure(name: &str, fields: Vec<Field>) -> Definition {
    Definition { name: name.into(), shape: Shape::Struct(Fields::named(fields)) }
}

fn document(root: Type, definitions: Vec<Definition>) -> SchemaDoc {
    SchemaDoc::from_parts(root, definitions).expect("it is valid")
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

fn read<T: DeserializeOwned>(schema: &SchemaDoc, bytes: &[u8]) -> Result<T, DecodeError> {
    typed::decode_by(schema, bytes, &[], &Limits::default())
}

/// `Node { next: Node?, of: [Node] }`.
fn nodes() -> SchemaDoc {
    let next = Field::new("next", Type::Option(Box::new(Type::Named(0))));
    let of = Field::new("of", list(Type::Named(0)));
    document(Type::Named(0), vec![structure("Node", vec![next, of])])
}

#[derive(Debug, PartialEq, Deserialize)]
struct Node {
    #[serde(default)]
    of: Vec<Node>,
    next: Option<Box<Node>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Nothing {}

#[test]
fn depth_ends_before_the_stack_does() {
    let test = || {
        for depth in [65, 1_000, 1_000_000] {
            for level in [&[1][..], &[0, 1]] {
                let bytes = level.repeat(depth);
                assert_eq!(read::<Node>(&nodes(), &bytes), Err(DecodeError::Depth));
                assert_eq!(read::<Nothing>(&nodes(), &bytes), Err(DecodeError::Depth));
                let found = read::<serde_json::Value>(&nodes(), &bytes);
                assert_eq!(found, Err(DecodeError::Depth));
            }
        }
        // A structure of nothing but itself, and a newtype around itself.
        let endless = document(Type::Named(0), vec![structure("A", vec![itself()])]);
        assert_eq!(read::<Nothing>(&endless, &[]), Err(DecodeError::Depth));
        let shape = Shape::Struct(Fields::Tuple(vec![Type::Named(0)]));
        let endless = document(Type::Named(0), vec![Definition { name: "A".into(), shape }]);
        assert_eq!(read::<u8>(&endless, &[]), Err(DecodeError::Depth));
        assert!(read::<IgnoredAny>(&endless, &[]).is_err());
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

fn itself() -> Field {
    Field::new("a", Type::Named(0))
}

/// With little to spend, so that it ends soon.
fn read_cheaply<T: DeserializeOwned>(schema: &SchemaDoc, bytes: &[u8]) -> Result<T, DecodeError> {
    let limits = Limits { cost_bytes: 50_000, ..Limits::default() };
    typed::decode_by(schema, bytes, &[], &limits)
}

#[test]
fn what_takes_no_bytes_is_charged() {
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let units = document(list(Type::Unit), vec![]);
    assert_eq!(read_cheaply::<Vec<()>>(&units, &most), Err(DecodeError::Elements));
    assert_eq!(read_cheaply::<IgnoredAny>(&units, &most).err(), Some(DecodeError::Elements));
    let array = document(Type::Array(u32::MAX, Box::new(Type::Unit)), vec![]);
    assert_eq!(read_cheaply::<Vec<()>>(&array, &[]), Err(DecodeError::Cost));
    assert_eq!(read_cheaply::<IgnoredAny>(&array, &[]).err(), Some(DecodeError::Cost));
    // Structures that double thirty times.
    let doubled = |level: u32| {
        let inner = || Type::Named(level + 1);
        structure(&format!("L{level}"), vec![Field::new("a", inner()), Field::new("b", inner())])
    };
    let mut definitions: Vec<_> = (0..30).map(doubled).collect();
    definitions.push(structure("L30", vec![]));
    let doubling = document(Type::Named(0), definitions);
    assert_eq!(read_cheaply::<Nothing>(&doubling, &[]), Err(DecodeError::Cost));
    assert_eq!(read_cheaply::<IgnoredAny>(&doubling, &[]).err(), Some(DecodeError::Cost));
}

#[test]
fn names_are_charged_where_they_may_be_kept() {
    let long = structure("Long", vec![Field::new("n".repeat(10_000), Type::U8)]);
    let doc = document(list(Type::Named(0)), vec![long]);
    let bytes = [&[0xe8, 0x07][..], &[0; 1_000]].concat();
    assert_eq!(read::<Vec<Nothing>>(&doc, &bytes).map(|all| all.len()), Ok(1_000));
    assert_eq!(read::<serde_json::Value>(&doc, &bytes), Err(DecodeError::Cost));
    assert_eq!(read::<Vec<BTreeMap<String, u8>>>(&doc, &bytes), Err(DecodeError::Cost));
}

#[test]
fn what_is_skipped_is_checked() {
    let skipped = |ty| {
        let fields = vec![Field::new("old", ty), Field::new("next", Type::U8)];
        let shape = Shape::Enum(vec![Variant::new("V", Fields::Unit)]);
        let choice = Definition { name: "E".into(), shape };
        document(Type::Named(0), vec![structure("A", fields), choice])
    };
    let pair = || Type::Tuple(vec![Type::U16, Type::I8]);
    for (ty, bytes, outcome) in [
        (Type::U32, &[0xff, 0x01, 9][..], Ok(())),
        (Type::U32, &[0x80, 0x00, 9], Err(DecodeError::NotCanonical)),
        (Type::Bool, &[2, 9], Err(DecodeError::BadBool)),
        (Type::Text, &[1, 0xff, 9], Err(DecodeError::Utf8)),
        (Type::Char, &[2, b'a', b'b', 9], Err(DecodeError::BadChar)),
        (Type::Bytes, &[9, 9], Err(DecodeError::LengthBeyondInput)),
        (Type::Any, &[1, 0, 9], Ok(())),
        (Type::Any, &[1, 0xee, 9], Err(DecodeError::BadTag)),
        (Type::Reference, &[0, 9], Err(DecodeError::NoSuchReference)),
        (list(pair()), &[2, 1, 2, 3, 4, 9], Ok(())),
        (Type::Map(Box::new(Type::U8), Box::new(pair())), &[1, 1, 2, 3, 9], Ok(())),
        (Type::Option(Box::new(Type::F32)), &[1, 0, 0, 0, 0, 9], Ok(())),
        (Type::Option(Box::new(Type::F32)), &[0, 9], Ok(())),
        (Type::Array(2, Box::new(Type::I128)), &[1, 2, 9], Ok(())),
        (Type::Named(1), &[0, 9], Ok(())),
        (Type::Named(1), &[1, 9], Err(DecodeError::BadTag)),
    ] {
        let doc = skipped(ty.clone());
        assert_eq!(read::<Nothing>(&doc, bytes).map(drop), outcome, "{ty:?}");
    }
}

#[test]
fn readers_of_anything_are_shown_what_the_schema_says() {
    let fields = vec![
        Field::new("tool", Type::Text),
        Field::new("n", Type::Option(Box::new(Type::I16))),
        Field::new("any", Type::Any),
        Field::new("list", Type::Tuple(vec![Type::U8, Type::Bool])),
        Field::new("nothing", Type::Unit),
    ];
    let doc = document(Type::Named(0), vec![structure("Pose", fields)]);
    let bytes = [2, b'a', b'b', 1, 3, 4, 8, 1, 3, 2, 7, 1];
    let wanted =
        serde_json::json!({"tool": "ab", "n": -2, "any": [1], "list": [7, true], "nothing": null});
    assert_eq!(read::<serde_json::Value>(&doc, &bytes), Ok(wanted));
}

/// Takes the first element of a list and leaves the rest.
#[derive(Debug, PartialEq)]
struct First(u8);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = First;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<First, A::Error> {
                seq.next_element().map(|first| First(first.unwrap_or_default()))
            }
        }
        deserializer.deserialize_seq(Take)
    }
}

#[test]
fn a_reader_takes_all_or_nothing() {
    let doc = document(list(Type::U8), vec![]);
    assert_eq!(read::<First>(&doc, &[1, 5]), Ok(First(5)));
    assert!(matches!(read::<First>(&doc, &[2, 5, 6]), Err(DecodeError::Refused(_))));
}

#[test]
fn reading_the_same_type_costs_about_the_same() {
    type Rows = Vec<(u64, Vec<String>, Option<Box<(u8, [u16; 4])>>)>;
    let value: Rows = (0..40)
        .map(|n| (n, vec!["x".repeat(n as usize)], Some(Box::new((n as u8, [7; 4])))))
        .collect();
    let mut bytes = Vec::new();
    typed::encode(&value, &mut bytes).expect("it can be encoded");
    let doc = SchemaDoc::of::<Rows>();
    let spent = |by_name: bool| {
        let mut budget = Budget::new(&Limits::default());
        let full = budget.cost();
        let mut decoder =
            super::super::de::Decoder::new(crate::read::Reader::new(&bytes), &[], &mut budget);
        let read = if by_name {
            let (schema, ty) = (&*doc, doc.root());
            Rows::deserialize(super::ByName { decoder: &mut decoder, schema, ty })
        } else {
            Rows::deserialize(&mut decoder)
        };
        assert_eq!(read.as_ref(), Ok(&value));
        (full - budget.cost(), budget.elements(), budget.depth())
    };
    let (direct, named) = (spent(false), spent(true));
    assert_eq!((direct.1, direct.2), (named.1, named.2));
    assert!(direct.0 <= named.0 && named.0 < 2 * direct.0, "{direct:?} {named:?}");
}
