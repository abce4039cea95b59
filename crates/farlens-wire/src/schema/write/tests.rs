//! Values that people write, and what is wrong with some.

use super::*;
use crate::schema::{Definition, Field, Fields, Interface, Shape, Variant};
use crate::{Budget, Limits};

/// `Pose { tool: text, at: u64?, m: [f32; 2], kind: Kind }` and what it mentions.
fn pose() -> SchemaDoc {
    let fields = vec![
        Field::new("tool", Type::Text),
        Field::new("at", Type::Option(Box::new(Type::U64))),
        Field::new("m", Type::Array(2, Box::new(Type::F32))),
        Field::new("kind", Type::Named(1)),
    ];
    let radius = Fields::named(vec![Field::new("r", Type::I16)]);
    let kinds = vec![
        Variant::new("Dot", Fields::Unit),
        Variant::new("Line", Fields::Tuple(vec![Type::U8, Type::U8])),
        Variant::new("Named", Fields::Tuple(vec![Type::Text])),
        Variant::new("Circle", radius),
    ];
    let definitions = vec![
        Definition { name: "Pose".into(), shape: Shape::Struct(Fields::named(fields)) },
        Definition { name: "Kind".into(), shape: Shape::Enum(kinds) },
    ];
    SchemaDoc::from_parts(Type::Named(0), definitions).expect("it is valid")
}

fn written(kind: Entity) -> Entity {
    Entity::map([
        ("kind", kind),
        ("m", Entity::List(vec![Entity::Int(1), Entity::F64(0.1)])),
        ("tool", "ab".into()),
    ])
}

fn encoded(doc: &SchemaDoc, ty: &Type, value: &Entity) -> std::result::Result<Vec<u8>, String> {
    let mut out = vec![7];
    let outcome = encode_with(doc, ty, value, &mut out, &mut Vec::new());
    if outcome.is_err() {
        assert_eq!(out, [7], "nothing is left behind");
    }
    outcome.map(|()| out.split_off(1)).map_err(|difference| difference.to_string())
}

#[test]
fn maps_and_plain_numbers_stand_for_structures() {
    let doc = pose();
    let head = |kind: &[u8]| {
        let m = [1.0f32, 0.1].map(f32::to_le_bytes).concat();
        [&[2, b'a', b'b', 0][..], &m, kind].concat()
    };
    for (kind, bytes) in [
        (Entity::from("Dot"), &[0][..]),
        (Entity::tagged("Dot", Entity::Null), &[0]),
        (Entity::tagged("Line", Entity::list([1u8, 2])), &[1, 1, 2]),
        (Entity::map([("Named", "x")]), &[2, 1, b'x']),
        (
            Entity::map([("Circle", Entity::map([("r", -1)].map(|(k, v)| (k, Entity::Int(v)))))]),
            &[3, 1],
        ),
    ] {
        assert_eq!(encoded(&doc, doc.root(), &written(kind)), Ok(head(bytes)));
    }
}

#[test]
fn differences_name_the_place() {
    let doc = pose();
    let set = |name: &str, value: Entity| {
        let mut entries: Vec<_> = written("Dot".into()).try_into().expect("it is a map");
        entries.retain(|(key, _)| *key != Entity::from(name));
        entries.push((name.into(), value));
        Entity::Map(entries)
    };
    for (value, text) in [
        (5u8.into(), "Pose: a record is due, there is an int"),
        (set("tool", 5u8.into()), "Pose.tool: text is due, there is an int"),
        (set("at", "x".into()), "Pose.at: an int is due, there is text"),
        (set("at", Entity::Int(-1)), "Pose.at: -1 does not fit u64"),
        (set("m", Entity::list([0.5f32])), "Pose.m: a list of 2 is due, there is one of 1"),
        (set("m", Entity::list(["a", "b"])), "Pose.m.0: a float is due, there is text"),
        (set("m", Entity::list([0, 1 << 25 | 1])), "Pose.m.1: 33554433 does not fit f32"),
        (set("m", Entity::list([1e300, 0.0])), &format!("Pose.m.0: {} does not fit f32", 1e300)),
        (set("kind", "Oval".into()), "Pose.kind: there is no variant \"Oval\""),
        (set("kind", "Line".into()), "Pose.kind.Line: a list is due, there is null"),
        (set("kind", 1u8.into()), "Pose.kind: a variant is due, there is an int"),
        (
            set("kind", Entity::tagged("Circle", Entity::map([("x", 1u8)]))),
            "Pose.kind.Circle: there is no field \"x\"",
        ),
        (
            set("kind", Entity::tagged("Circle", Entity::map([("r", 40_000)]))),
            "Pose.kind.Circle.r: 40000 does not fit i16",
        ),
        (set("gain", 1u8.into()), "Pose: there is no field \"gain\""),
        (Entity::map([("tool", "x")]), "Pose.m: it is missing"),
        (Entity::map([(1u8, "x")]), "Pose: a name is due, there is an int"),
        (Entity::map([("tool", "x"), ("tool", "y")]), "Pose: \"tool\" occurs twice"),
    ] {
        assert_eq!(encoded(&doc, doc.root(), &value), Err(text.to_owned()));
    }
}

#[test]
fn ranges_are_those_of_the_type() {
    let doc = SchemaDoc::from_parts(Type::Unit, vec![]).expect("it is valid");
    for (ty, least, most) in [
        (Type::U8, 0, i128::from(u8::MAX)),
        (Type::U16, 0, u16::MAX.into()),
        (Type::U32, 0, u32::MAX.into()),
        (Type::U64, 0, u64::MAX.into()),
        (Type::I8, i8::MIN.into(), i8::MAX.into()),
        (Type::I16, i16::MIN.into(), i16::MAX.into()),
        (Type::I32, i32::MIN.into(), i32::MAX.into()),
        (Type::I64, i64::MIN.into(), i64::MAX.into()),
        (Type::F32, -(1 << 24), 1 << 24),
        (Type::F64, -(1 << 53), 1 << 53),
    ] {
        for fits in [least, most, 0] {
            let bytes = encoded(&doc, &ty, &Entity::Int(fits)).expect("it fits");
            let mut budget = Budget::new(&Limits::default());
            let typed = SchemaDoc::from_parts(ty.clone(), vec![]).expect("it is valid");
            let back = super::super::decode_with(&typed, &bytes, &[], &mut budget);
            let float = |value: f64| value == fits as f64;
            match back.expect("it is valid") {
                Entity::Int(value) => assert_eq!(value, fits),
                Entity::F32(value) => assert!(float(value.into())),
                other => assert!(f64::try_from(other).is_ok_and(float)),
            }
        }
        for misfit in [least - 1, most + 1] {
            assert!(encoded(&doc, &ty, &Entity::Int(misfit)).is_err(), "{ty:?} {misfit}");
        }
    }
    assert!(encoded(&doc, &Type::U128, &Entity::Int(-1)).is_err());
    assert!(encoded(&doc, &Type::F64, &Entity::Int(i128::MAX)).is_err());
}

#[test]
fn arguments_come_by_name_or_in_order() {
    let method = Method {
        name: "calibrate".into(),
        doc: String::new(),
        params: vec![
            ("n".into(), Type::U32),
            ("of".into(), Type::Option(Box::new(Type::Reference))),
        ],
        result: Type::Unit,
        one_way: false,
    };
    let interface = Interface { doc: String::new(), methods: vec![method.clone()] };
    let shape = Shape::Interface(interface);
    let definitions = vec![Definition { name: "Camera".into(), shape }];
    let doc = SchemaDoc::from_parts(Type::Named(0), definitions).expect("it is valid");
    let mut table = Vec::new();
    let mut encoded = |args: Entity| {
        let mut out = Vec::new();
        let outcome = encode_args(&doc, &method, &args, &mut out, &mut table);
        outcome.map(|()| out).map_err(|difference| difference.to_string())
    };
    let camera = Reference::new("camera");
    let by_name = Entity::map([("n", 300.into()), ("of", Entity::Reference(camera.clone()))]);
    assert_eq!(encoded(by_name), Ok(vec![0xac, 2, 1, 0]));
    assert_eq!(encoded(Entity::map([("n", 1u8)])), Ok(vec![1, 0]));
    assert_eq!(encoded(Entity::List(vec![1u8.into(), Entity::Null])), Ok(vec![1, 0]));
    for (args, text) in [
        (Entity::map([("n", "x")]), "args.n: an int is due, there is text"),
        (Entity::map([("m", 1u8)]), "args: there is no field \"m\""),
        (Entity::map([("of", Entity::Null)]), "args.n: it is missing"),
        (Entity::list([1u8]), "args: a list of 2 is due, there is one of 1"),
        (Entity::list([1u8, 2]), "args.1: a reference is due, there is an int"),
    ] {
        assert_eq!(encoded(args), Err(text.to_owned()));
    }
    assert_eq!(table, [camera]);
}

#[test]
fn levels_are_limited() {
    let definitions = vec![Definition {
        name: "Nest".into(),
        shape: Shape::Struct(Fields::Tuple(vec![Type::List(Box::new(Type::Named(0)))])),
    }];
    let doc = SchemaDoc::from_parts(Type::Named(0), definitions).expect("it is valid");
    let nest =
        |levels| (0..levels).fold(Entity::List(vec![]), |inner, _| Entity::List(vec![inner]));
    // Each is a structure and a list.
    assert!(encoded(&doc, doc.root(), &nest(31)).is_ok());
    let error = encoded(&doc, doc.root(), &nest(32)).expect_err("it is too deep");
    assert!(error.ends_with("the value is nested more deeply than Limits::depth"), "{error}");
    assert!(error.starts_with("Nest….0.0"), "{error}");
}
