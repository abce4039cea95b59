//! Both directions in tables, against serde_json, and against bombs.

use super::read::{Fault, JsonError};
use super::*;
use farlens_wire::Entity;
use proptest::prelude::*;

fn text(value: &Entity) -> String {
    let mut out = String::new();
    write(value, &mut out).expect("a string takes text");
    out
}

fn fault(line: &str) -> (usize, Fault) {
    let error = parse_line(line).expect_err(line);
    (error.offset, error.fault)
}

#[test]
fn values_and_their_lines() {
    let int = Entity::Int;
    for (line, value) in [
        ("null", Entity::Null),
        ("true", true.into()),
        ("false", false.into()),
        ("0", int(0)),
        ("-1", int(-1)),
        ("170141183460469231731687303715884105727", int(i128::MAX)),
        ("-170141183460469231731687303715884105728", int(i128::MIN)),
        ("1.0", 1f64.into()),
        ("-0.0", (-0f64).into()),
        ("5e-324", 5e-324.into()),
        ("1.7976931348623157e308", f64::MAX.into()),
        ("0.1", 0.1.into()),
        ("1e100", 1e100.into()),
        (r#""a\"\\\n\r\t\u0000ß😀/""#, "a\"\\\n\r\t\0ß😀/".into()),
        ("[]", Entity::List(vec![])),
        ("{}", Entity::Map(vec![])),
        (
            "[1,[],{\"\":null}]",
            Entity::List(vec![int(1), Entity::List(vec![]), Entity::map([("", ())])]),
        ),
        (r#"{"b":1,"a":{"b":2}}"#, Entity::map([("b", int(1)), ("a", Entity::map([("b", 2u8)]))])),
        // What serde_json would take for a number.
        (
            r#"{"$serde_json::private::Number":"1"}"#,
            Entity::map([("$serde_json::private::Number", "1")]),
        ),
    ] {
        assert_eq!(parse_line(line).as_ref(), Ok(&value), "{line}");
        assert_eq!(text(&value), line);
    }
}

#[test]
fn other_ways_to_write_the_same() {
    for (line, value) in [
        (" \t\r\n[ 1 , 2 ] \n", Entity::list([1u8, 2])),
        (" { \"a\" : 1 } ", Entity::map([("a", 1u8)])),
        ("-0", Entity::Int(0)),
        ("1E5", 1e5.into()),
        ("1e+5", 1e5.into()),
        ("1e-999", 0f64.into()),
        (r#""\u0041\ud83d\uDE00\/\b\f""#, "A😀/\u{8}\u{c}".into()),
    ] {
        assert_eq!(parse_line(line), Ok(value), "{line}");
    }
}

#[test]
fn faults_are_named_and_placed() {
    use Fault::*;
    for (line, wanted) in [
        ("", (0, Ended)),
        ("nul", (0, Ended)),
        ("nil", (0, Unexpected)),
        ("1 2", (2, Trailing)),
        ("[1,]", (3, Unexpected)),
        ("[1 2]", (3, Unexpected)),
        ("[1}", (2, Unexpected)),
        ("{1:2}", (1, Unexpected)),
        ("{\"a\" 1}", (5, Unexpected)),
        ("{\"a\":1,}", (7, Unexpected)),
        ("[1", (2, Ended)),
        ("'a'", (0, Unexpected)),
        ("NaN", (0, Unexpected)),
        ("01", (0, Number)),
        ("-", (1, Number)),
        ("1.", (2, Number)),
        (".5", (0, Unexpected)),
        ("1e", (2, Number)),
        ("+1", (0, Unexpected)),
        ("170141183460469231731687303715884105728", (0, IntTooLarge)),
        ("[1e999]", (1, FloatTooLarge)),
        ("-1e999", (0, FloatTooLarge)),
        ("\"a", (2, Ended)),
        ("\"a\u{1}\"", (2, Control)),
        (r#""\x""#, (1, Escape)),
        (r#""\u12g4""#, (1, Escape)),
        (r#""\ud800""#, (1, Surrogate)),
        (r#""a\udc00""#, (2, Surrogate)),
        (r#""\ud800\u0041""#, (1, Surrogate)),
        (r#""\u12ßß""#, (1, Escape)),
        (r#"{"a":1,"\u0061":2}"#, (7, DuplicateKey)),
    ] {
        assert_eq!(fault(line), wanted, "{line}");
    }
    let text = parse_line("[1e999]").map_err(|error| error.to_string());
    assert_eq!(text, Err("a number beyond the largest 64-bit float, at byte 2".to_owned()));
}

#[test]
fn many_keys_are_still_compared() {
    let keys = |last: usize| {
        let entries: Vec<_> = (0..1_000).chain([last]).map(|n| format!("\"{n}\":{n}")).collect();
        format!("{{{}}}", entries.join(","))
    };
    assert!(parse_line(&keys(1_000)).is_ok());
    for last in [0, 7, 8, 9, 999] {
        assert_eq!(fault(&keys(last)).1, Fault::DuplicateKey);
    }
}

#[test]
fn depth_uses_no_stack() {
    let nest =
        |depth: usize, open: &str, close: &str| open.repeat(depth) + "1" + &close.repeat(depth);
    let test = move || {
        assert!(parse_line(&nest(64, "[", "]")).is_ok());
        assert!(parse_line(&nest(64, "{\"a\":", "}")).is_ok());
        assert!(parse_line(&("[".repeat(64) + &"]".repeat(64))).is_ok());
        assert_eq!(fault(&("[".repeat(65) + &"]".repeat(65))).1, Fault::Depth);
        for depth in [65, 1_000, 10_000, 1_000_000] {
            assert_eq!(fault(&nest(depth, "[", "]")), (65, Fault::Depth));
            assert_eq!(fault(&nest(depth, "{\"a\":", "}")).1, Fault::Depth);
            assert_eq!(fault(&"[".repeat(depth)).1, Fault::Depth);
            let deep = (0..depth).fold(Entity::Null, |inner, _| Entity::List(vec![inner]));
            assert!(text(&deep).len() >= 132);
        }
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

#[test]
fn kinds_that_json_lacks() {
    for (value, line) in [
        (vec![0xfbu8, 0xff].into(), "\"+/8=\""),
        (Entity::Time(-1), "\"1969-12-31T23:59:59.999999999Z\""),
        (f64::NAN.into(), "null"),
        (f32::NEG_INFINITY.into(), "null"),
        (0.1f32.into(), "0.1"),
        (Entity::record("R", [("a", 1u8.into())]), "{\"a\":1}"),
        (Entity::tagged("T", ()), "{\"tag\":\"T\",\"value\":null}"),
        (Entity::Reference(farlens::Reference::new(())), "{\"reference\":true}"),
        (Entity::map([(1.5, true)]), "{\"1.5\":true}"),
        (Entity::map([(Entity::Time(0), 1u8)]), "{\"1970-01-01T00:00:00Z\":1}"),
    ] {
        assert_eq!(text(&value), line);
    }
    assert_eq!(write(&Entity::list([1.0, f64::NAN]), &mut String::new()), Ok(false));
    assert_eq!(write(&Entity::list([1.0, 2.0]), &mut String::new()), Ok(true));
}

fn any_json() -> impl Strategy<Value = Entity> {
    let finite = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |f| f.is_finite());
    let leaf = prop_oneof![
        Just(Entity::Null),
        any::<bool>().prop_map(Entity::Bool),
        any::<i128>().prop_map(Entity::Int),
        any::<i8>().prop_map(Entity::from),
        finite.prop_map(Entity::F64),
        any::<String>().prop_map(Entity::Text),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let entries = prop::collection::btree_map(any::<String>(), inner.clone(), 0..12);
        prop_oneof![
            prop::collection::vec(inner, 0..12).prop_map(Entity::List),
            entries.prop_map(Entity::map),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_comes_back(value in any_json()) {
        let line = text(&value);
        prop_assert_eq!(parse_line(&line), Ok(value));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }

    #[test]
    fn floats_come_back_by_bits(bits: u64) {
        let value = f64::from_bits(bits);
        if value.is_finite() {
            let line = text(&value.into());
            prop_assert!(line.contains(['.', 'e']));
            prop_assert_eq!(parse_line(&line), Ok(Entity::F64(value)));
        }
    }

    #[test]
    fn noise_is_judged_as_by_serde_json(line in "[\\[\\]{}:,\"\\\\ue0-9+. a-f-]{0,12}") {
        let other = serde_json::from_str::<serde_json::Value>(&line);
        match parse_line(&line) {
            Ok(_) => prop_assert!(other.is_ok(), "{line}"),
            Err(JsonError { fault: Fault::DuplicateKey | Fault::FloatTooLarge, .. }) => {}
            Err(_) => prop_assert!(other.is_err(), "{line}"),
        }
    }
}
