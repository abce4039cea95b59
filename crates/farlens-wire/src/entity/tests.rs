//! The format against its checked-in vectors, against itself, and against bombs.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/entity.txt"));

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes text");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    digits.chunks(2).map(|pair| byte(pair).expect("two hex digits")).collect()
}

fn encoded(value: &Entity) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out).expect("the value is encodable");
    out
}

fn decoded(bytes: &[u8]) -> Result<Entity, DecodeError> {
    Entity::decode(bytes, &Limits::default())
}

/// The values that the vectors name.
fn named() -> Vec<(&'static str, Entity)> {
    let int = Entity::Int;
    vec![
        ("null", Entity::Null),
        ("false", false.into()),
        ("true", true.into()),
        ("int_0", int(0)),
        ("int_minus_1", int(-1)),
        ("int_1", int(1)),
        ("int_63", int(63)),
        ("int_64", int(64)),
        ("int_i64_min", int(i128::from(i64::MIN))),
        ("int_u64_max", int(i128::from(u64::MAX))),
        ("int_i128_max", int(i128::MAX)),
        ("int_i128_min", int(i128::MIN)),
        ("f32_1", 1f32.into()),
        ("f32_nan_payload", f32::from_bits(0x7fc0_1234).into()),
        ("f64_1", 1f64.into()),
        ("f64_minus_0", (-0f64).into()),
        ("f64_infinity", f64::INFINITY.into()),
        ("f64_smallest", 5e-324.into()),
        ("f64_signalling_nan", f64::from_bits(0x7ff0_0000_0000_0001).into()),
        ("text_empty", "".into()),
        ("text_nul", "a\0b".into()),
        ("text_grin", "\u{1f600}".into()),
        ("bytes", vec![0u8, 0xff].into()),
        ("list_empty", Entity::List(vec![])),
        ("list", Entity::List(vec![int(1), Entity::Null, "x".into()])),
        ("map_empty", Entity::Map(vec![])),
        ("map", Entity::Map(vec![("b".into(), int(1)), ("a".into(), int(2))])),
        ("map_mixed_keys", Entity::Map(vec![(int(1), int(2)), (1f64.into(), int(3))])),
        ("record", Entity::record("Pose", [("tool", "probe".into()), ("t_ns", int(7))])),
        ("record_empty", Entity::record("", Vec::<(String, Entity)>::new())),
        ("tagged", Entity::tagged("Circle", 0.5)),
        ("time_0", Entity::Time(0)),
        ("time_before_1970", Entity::Time(-1)),
        ("time_max", Entity::Time(i64::MAX)),
        ("nested", Entity::List(vec![Entity::Map(vec![(Entity::Null, Entity::List(vec![]))])])),
    ]
}

#[test]
fn j21_vectors_hold_in_both_directions() {
    let mut values: BTreeMap<_, _> = named().into_iter().collect();
    let lines = VECTORS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let (name, bytes) = line.split_once(' ').expect("a line is a name and hex");
        let bytes = unhex(bytes.trim());
        if let Some(error) = name.strip_prefix("refused:") {
            let found = decoded(&bytes).map_err(|error| format!("{error:?}"));
            assert_eq!(found, Err(error.to_owned()), "{line}");
            continue;
        }
        let value = values.remove(name).expect("the test knows the name");
        assert_eq!(hex(&encoded(&value)), hex(&bytes), "{name}");
        assert_eq!(decoded(&bytes), Ok(value), "{name}");
    }
    assert!(values.is_empty(), "without a vector: {:?}", values.keys());
}

fn key() -> impl Strategy<Value = Entity> {
    prop_oneof![
        Just(Entity::Null),
        any::<bool>().prop_map(Entity::Bool),
        any::<i128>().prop_map(Entity::Int),
        any::<i64>().prop_map(Entity::Time),
        any::<u64>().prop_map(|bits| match f64::from_bits(bits) {
            value if value.is_nan() => Entity::Null,
            value => Entity::F64(value),
        }),
        ".{0,8}".prop_map(Entity::Text),
    ]
}

fn unique<K: PartialEq, V>(entries: Vec<(K, V)>) -> Vec<(K, V)> {
    entries.into_iter().fold(Vec::new(), |mut kept, (key, value)| {
        if kept.iter().all(|(other, _)| *other != key) {
            kept.push((key, value));
        }
        kept
    })
}

pub(crate) fn any_entity() -> impl Strategy<Value = Entity> {
    let leaf = prop_oneof![
        key(),
        any::<u32>().prop_map(|bits| Entity::F32(f32::from_bits(bits))),
        any::<u64>().prop_map(|bits| Entity::F64(f64::from_bits(bits))),
        any::<Vec<u8>>().prop_map(Entity::from),
    ];
    leaf.prop_recursive(6, 64, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Entity::List),
            prop::collection::vec((key(), inner.clone()), 0..12)
                .prop_map(|entries| Entity::Map(unique(entries))),
            (".{0,4}", prop::collection::vec((".{0,4}", inner.clone()), 0..12))
                .prop_map(|(name, fields)| Entity::Record { name, fields: unique(fields) }),
            (".{0,4}", inner).prop_map(|(tag, value)| Entity::tagged(tag, value)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn j21_a_value_comes_back(value in any_entity()) {
        let bytes = encoded(&value);
        prop_assert_eq!(decoded(&bytes), Ok(value.clone()));
        prop_assert_eq!(value.clone(), value);
        for cut in 0..bytes.len() {
            prop_assert!(decoded(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn accepted_bytes_are_the_encoding_of_their_value(
        value in any_entity(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = encoded(&value);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Ok(value) = decoded(&bytes) {
            prop_assert_eq!(encoded(&value), bytes);
        }
    }

    #[test]
    fn noise_is_refused_or_canonical(bytes in prop::collection::vec(0u8..16, 0..24)) {
        if let Ok(value) = decoded(&bytes) {
            prop_assert_eq!(encoded(&value), bytes);
        }
    }
}

/// `depth` levels made of `level` before each inner value, around null.
fn bomb(depth: usize, level: &[&[u8]]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..depth).flat_map(|n| level[n % level.len()].to_vec()).collect();
    bytes.push(0x00);
    bytes
}

#[test]
fn j20_nesting_ends_at_the_limit_and_uses_no_stack() {
    let list: &[u8] = &[0x08, 1];
    let map: &[u8] = &[0x09, 1, 0x00];
    let key: &[u8] = &[0x09, 1];
    let record: &[u8] = &[0x0a, 0, 1, 0];
    let tagged: &[u8] = &[0x0b, 0];
    let kinds: [&[&[u8]]; 6] =
        [&[list], &[map], &[key], &[record], &[tagged], &[list, map, record, tagged]];
    let bombs: Vec<_> = kinds
        .iter()
        .flat_map(|kind| [65, 1_000, 10_000, 1_000_000].map(|depth| bomb(depth, kind)))
        .collect();
    let test = move || {
        for bytes in bombs {
            assert_eq!(decoded(&bytes), Err(DecodeError::Depth));
        }
        for kind in [list, map, record, tagged] {
            assert!(decoded(&bomb(64, &[kind])).is_ok());
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

#[test]
fn a_claimed_length_is_checked_before_it_is_used() {
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    for (tag, error) in [
        (0x06, DecodeError::LengthBeyondInput),
        (0x07, DecodeError::LengthBeyondInput),
        (0x08, DecodeError::Elements),
        (0x09, DecodeError::Elements),
        (0x0a, DecodeError::LengthBeyondInput),
        (0x0b, DecodeError::LengthBeyondInput),
    ] {
        let bytes: Vec<u8> = [tag].into_iter().chain(huge).collect();
        assert_eq!(decoded(&bytes), Err(error));
    }
    assert_eq!(decoded(&[0x08, 2, 0]), Err(DecodeError::LengthBeyondInput));
}

#[test]
fn j20_elements_and_memory_are_bounded_over_the_whole_value() {
    let flat = |count: u32| Entity::List((0..count).map(|_| Entity::Null).collect());
    assert!(decoded(&encoded(&flat(65_536))).is_ok());
    assert_eq!(decoded(&encoded(&flat(65_537))), Err(DecodeError::Elements));
    let halves = Entity::List(vec![flat(32_768), flat(32_767)]);
    assert_eq!(decoded(&encoded(&halves)), Err(DecodeError::Elements));
    let limits = Limits { cost_bytes: 1_000, ..Limits::default() };
    assert_eq!(Entity::decode(&encoded(&flat(1_000)), &limits), Err(DecodeError::Cost));
}

#[test]
fn an_unsendable_value_writes_nothing() {
    let nan = Entity::Map(vec![(f64::NAN.into(), Entity::Null)]);
    let twice = Entity::Map(vec![(1u8.into(), Entity::Null), (1u8.into(), Entity::Null)]);
    let field = Entity::record("R", [("a", Entity::Null), ("a", Entity::Null)]);
    let many = (0..100_000u32).chain([7]).map(|n| (n.into(), Entity::Null));
    for (value, error) in [
        (nan, EncodeError::BadKey),
        (twice, EncodeError::DuplicateKey),
        (field, EncodeError::DuplicateKey),
        (Entity::Map(many.collect()), EncodeError::DuplicateKey),
    ] {
        let mut out = vec![9];
        let value = Entity::List(vec![Entity::Null, value]);
        assert_eq!((value.encode(&mut out), out), (Err(error), vec![9]));
    }
}

#[test]
fn other_formats_see_plain_values() {
    let value = Entity::record(
        "Sample",
        [
            ("n", Entity::Int(i128::from(u64::MAX) + 1)),
            ("x", 0.5.into()),
            ("raw", vec![1u8, 2].into()),
            ("at", Entity::Time(0)),
            ("kind", Entity::tagged("Dot", ())),
            ("list", Entity::list([1u8, 2])),
        ],
    );
    let json = serde_json::to_string(&value).expect("it is JSON");
    let wanted = r#"{"n":18446744073709551616,"x":0.5,"raw":"AQI=","at":"1970-01-01T00:00:00Z","kind":{"tag":"Dot","value":null},"list":[1,2]}"#;
    assert_eq!(json, wanted);
    let back: Entity = serde_json::from_str(&json).expect("it is an entity");
    assert_eq!(back.get("n"), value.get("n"));
    assert_eq!(back.get("list"), value.get("list"));
    assert!(serde_json::from_str::<Entity>(r#"{"a":1,"a":2}"#).is_err());
}
