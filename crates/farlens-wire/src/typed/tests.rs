//! The format against the postcard crate, and against what that crate lets through.

use super::*;
use crate::Entity;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Metres(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(u16, i16);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Zoo {
    numbers: (u8, u16, u32, u64, u128),
    signed: (i8, i16, i32, i64, i128),
    floats: [f32; 3],
    metres: Metres,
    pair: Pair,
    letter: char,
    text: String,
    truth: bool,
    nothing: (),
    unit: Unit,
    maybe: Option<Option<u32>>,
    list: Vec<Shape>,
    table: BTreeMap<String, Vec<u8>>,
    raw: bytes::Bytes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Line(i32, i32),
    Rect { w: u32, h: Option<Box<Shape>> },
    Group(Vec<Shape>),
}

fn encoded<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode(value, &mut out).expect("the value is encodable");
    out
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode(bytes, &Limits::default())
}

/// Both crates write the same, and both read it back.
fn agrees<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: &T) {
    let bytes = encoded(value);
    assert_eq!(bytes, postcard::to_stdvec(value).expect("postcard writes it"));
    assert_eq!(decoded::<T>(&bytes).as_ref(), Ok(value));
    assert_eq!(&postcard::from_bytes::<T>(&bytes).expect("postcard reads it"), value);
    for cut in 0..bytes.len() {
        assert!(decoded::<T>(&bytes[..cut]).is_err());
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Dot),
        (-1e9..1e9).prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(x, y)| Shape::Line(x, y)),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            (any::<u32>(), prop::option::of(inner.clone()))
                .prop_map(|(w, h)| Shape::Rect { w, h: h.map(Box::new) }),
            vec(inner, 0..4).prop_map(Shape::Group),
        ]
    })
}

fn zoo() -> impl Strategy<Value = Zoo> {
    let scalars = (any::<(u8, u16, u32, u64, u128)>(), any::<(i8, i16, i32, i64, i128)>());
    let small = (any::<[f32; 3]>(), any::<f64>(), any::<(u16, i16, char, bool)>());
    let rest = (".{0,9}", any::<Option<Option<u32>>>(), vec(shape(), 0..4));
    let bulk = (btree_map(".{0,3}", any::<Vec<u8>>(), 0..4), any::<Vec<u8>>());
    (scalars, small, rest, bulk).prop_map(|(scalars, small, rest, bulk)| Zoo {
        numbers: scalars.0,
        signed: scalars.1,
        floats: small.0,
        metres: Metres(small.1),
        pair: Pair(small.2.0, small.2.1),
        letter: small.2.2,
        text: rest.0,
        truth: small.2.3,
        nothing: (),
        unit: Unit,
        maybe: rest.1,
        list: rest.2,
        table: bulk.0,
        raw: bulk.1.into(),
    })
}

proptest! {
    #[test]
    fn postcard_agrees_on_everything(zoo in zoo()) {
        agrees(&zoo);
    }

    #[test]
    fn postcard_agrees_on_shapes(shape in shape()) {
        agrees(&shape);
    }

    #[test]
    fn postcard_agrees_on_integers(a: u128, b: i128, c: u64, d: i64, shift in 0u32..128) {
        agrees(&(a >> shift, b >> shift, c >> (shift / 2), d >> (shift / 2), shift));
        agrees(&((a >> shift) as u16, (b >> shift) as i16, (b >> shift) as i32));
    }

    #[test]
    fn accepted_bytes_are_the_encoding_of_their_value(
        zoo in zoo(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = encoded(&zoo);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Ok(value) = decoded::<Zoo>(&bytes) {
            // A map with its keys out of order comes back in order.
            prop_assert_eq!(encoded(&value).len() <= bytes.len(), true);
            prop_assert_eq!(decoded::<Zoo>(&encoded(&value)).map(|v| encoded(&v)), Ok(encoded(&value)));
        }
        if let Ok(value) = decoded::<Vec<Shape>>(&bytes) {
            prop_assert_eq!(encoded(&value), bytes);
        }
    }

    #[test]
    fn entities_travel_inside(value in crate::entity::tests::any_entity(), n: u8) {
        let mut plain = Vec::new();
        value.encode(&mut plain).unwrap();
        let bytes = encoded(&(n, &value, n));
        prop_assert_eq!(&bytes, &postcard::to_stdvec(&(n, bytes::Bytes::from(plain), n)).unwrap());
        prop_assert_eq!(decoded::<(u8, Entity, u8)>(&bytes), Ok((n, value, n)));
    }
}

#[test]
fn what_postcard_lets_through_is_refused() {
    assert_eq!(decoded::<u32>(&[0x80, 0x00]), Err(DecodeError::NotCanonical));
    assert_eq!(decoded::<u16>(&[0x80, 0x80, 0x04]), Err(DecodeError::NotCanonical));
    assert_eq!(decoded::<i16>(&[0x80, 0x80, 0x04]), Err(DecodeError::NotCanonical));
    assert_eq!(decoded::<u64>(&[0xff; 11]), Err(DecodeError::NotCanonical));
    assert_eq!(decoded::<u128>(&[0x80; 19]), Err(DecodeError::NotCanonical));
    assert_eq!(decoded::<u8>(&[1, 2]), Err(DecodeError::Trailing));
    assert_eq!(decoded::<bool>(&[2]), Err(DecodeError::BadBool));
    assert_eq!(decoded::<Option<u8>>(&[2, 0]), Err(DecodeError::BadBool));
    assert_eq!(decoded::<char>(&[2, b'a', b'b']), Err(DecodeError::BadChar));
    assert_eq!(decoded::<char>(&[0]), Err(DecodeError::BadChar));
    assert_eq!(decoded::<String>(&[2, 0xc0, 0x80]), Err(DecodeError::Utf8));
    assert!(matches!(decoded::<Shape>(&[9]), Err(DecodeError::Refused(_))));
}

#[test]
fn claimed_lengths_are_limits_not_allocations() {
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(decoded::<Vec<()>>(&most), Err(DecodeError::Elements));
    assert_eq!(decoded::<Vec<u8>>(&huge), Err(DecodeError::Elements));
    assert_eq!(decoded::<BTreeMap<(), ()>>(&huge), Err(DecodeError::Elements));
    assert_eq!(decoded::<String>(&huge), Err(DecodeError::LengthBeyondInput));
    assert_eq!(decoded::<bytes::Bytes>(&huge), Err(DecodeError::LengthBeyondInput));
    assert_eq!(decoded::<Entity>(&huge), Err(DecodeError::LengthBeyondInput));
}

#[test]
fn j20_memory_is_bounded() {
    let wide = vec![None::<[u64; 32]>; 60_000];
    assert_eq!(decoded::<Vec<Option<[u64; 32]>>>(&encoded(&wide)), Err(DecodeError::Cost));
    let boxed: Vec<Box<Option<[u64; 32]>>> = wide.into_iter().map(Box::new).collect();
    assert_eq!(decoded::<Vec<Box<Option<[u64; 32]>>>>(&encoded(&boxed)), Err(DecodeError::Cost));
}

#[test]
fn depth_ends_before_the_stack_does() {
    let bomb = |level: &[u8], depth: usize| level.repeat(depth);
    let test = move || {
        for depth in [65, 1_000, 10_000, 1_000_000] {
            // A group of one, and a rectangle with a height.
            assert_eq!(decoded::<Shape>(&bomb(&[4, 1], depth)), Err(DecodeError::Depth));
            assert_eq!(decoded::<Shape>(&bomb(&[3, 0, 1], depth)), Err(DecodeError::Depth));
        }
        let deep = (0..2_000).fold(Shape::Dot, |inner, _| Shape::Group(vec![inner]));
        assert_eq!(encode(&deep, &mut Vec::new()), Err(EncodeError::Depth));
        let most = (0..32).fold(Shape::Dot, |inner, _| Shape::Group(vec![inner]));
        assert_eq!(decoded(&encoded(&most)), Ok(most));
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

#[test]
fn entities_inside_share_the_depth() {
    let deep = (0..60).fold(Entity::Null, |inner, _| Entity::List(vec![inner]));
    let around = |levels| (0..levels).fold(Wrapped::Leaf(deep.clone()), |inner, _| inner.wrap());
    let bytes = encoded(&around(3));
    assert_eq!(decoded(&bytes), Ok(around(3)));
    assert_eq!(encode(&around(4), &mut Vec::new()), Err(EncodeError::Depth));
    let limits = Limits { depth: 63, ..Limits::default() };
    assert_eq!(decode::<Wrapped>(&bytes, &limits), Err(DecodeError::Depth));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Wrapped {
    Leaf(Entity),
    More(Box<Wrapped>),
}

impl Wrapped {
    fn wrap(self) -> Self {
        Self::More(Box::new(self))
    }
}

#[test]
fn what_cannot_be_described_is_not_written() {
    #[derive(Serialize)]
    struct Sometimes {
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<u8>,
    }
    let mut out = vec![1];
    let refused = encode(&Sometimes { field: None }, &mut out);
    assert_eq!((refused, out), (Err(EncodeError::LengthWrong), vec![1]));
    assert_eq!(decoded::<serde::de::IgnoredAny>(&[]).err(), Some(DecodeError::NotSelfDescribing));
}
