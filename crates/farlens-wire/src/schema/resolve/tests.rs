//! Interfaces, documents that no compiler made, and what a peer's may cost.

use super::*;
use crate::schema::{Definition, Field, Fields, Interface, Method, Variant};

fn method(name: &str, params: &[(&str, Type)], result: Type) -> Method {
    let params = params.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
    Method { name: name.into(), doc: String::new(), params, result, one_way: false }
}

fn interface(name: &str, methods: Vec<Method>) -> Definition {
    let doc = String::new();
    Definition { name: name.into(), shape: Shape::Interface(Interface { doc, methods }) }
}

fn structure(name: &str, fields: Vec<Field>) -> Definition {
    Definition { name: name.into(), shape: Shape::Struct(Fields::named(fields)) }
}

fn document(root: Type, definitions: Vec<Definition>) -> Arc<SchemaDoc> {
    Arc::new(SchemaDoc::from_parts(root, definitions).expect("it is valid"))
}

fn option(ty: Type) -> Type {
    Type::Option(Box::new(ty))
}

fn entities(ty: Type) -> Type {
    Type::EntityStream(Some(Box::new(ty)))
}

fn between(writer: &Arc<SchemaDoc>, reader: &Arc<SchemaDoc>) -> Result<bool, String> {
    Resolution::between(writer, reader)
        .map(|resolution| resolution.is_straight())
        .map_err(|difference| difference.to_string())
}

fn camera(methods: Vec<Method>) -> Arc<SchemaDoc> {
    document(Type::Named(0), vec![interface("Camera", methods)])
}

#[test]
fn methods_that_one_side_does_not_know_are_no_difference() {
    let all = camera(vec![method("a", &[], Type::Unit), method("b", &[], Type::U8)]);
    let one = camera(vec![method("b", &[], Type::U8)]);
    // References are read straight: the difference lies behind them.
    assert_eq!(between(&all, &one), Ok(true));
    assert_eq!(between(&one, &all), Ok(true));
    let other = camera(vec![method("c", &[], Type::U8)]);
    let alien = "Camera: the two have no method in common";
    assert_eq!(between(&one, &other), Err(alien.to_owned()));
    assert_eq!(between(&one, &camera(Vec::new())), Ok(true));
}

#[test]
fn what_is_passed_goes_the_other_way() {
    let wide = camera(vec![method("poses", &[("hz", Type::U32)], Type::U32)]);
    let narrow = camera(vec![method("poses", &[("hz", Type::U16)], Type::U32)]);
    assert_eq!(between(&wide, &narrow), Ok(true));
    assert_eq!(between(&narrow, &wide), Err("Camera.poses(hz): u32 → u16".to_owned()));
    let result = camera(vec![method("poses", &[("hz", Type::U16)], Type::U16)]);
    assert_eq!(between(&result, &narrow), Ok(true));
    assert_eq!(between(&narrow, &result), Err("Camera.poses(): u32 → u16".to_owned()));
}

#[test]
fn parameters_that_are_options_may_be_left_out() {
    let old = camera(vec![method("m", &[("a", Type::U8)], Type::Unit)]);
    let new = |added| camera(vec![method("m", &[("b", added), ("a", Type::U8)], Type::Unit)]);
    assert_eq!(between(&new(option(Type::Text)), &old), Ok(true));
    let needed = "Camera.m(b): the writer needs it, the reader does not pass it";
    assert_eq!(between(&new(Type::Text), &old), Err(needed.to_owned()));
    // A callee ignores what it does not know.
    assert_eq!(between(&old, &new(Type::Text)), Ok(true));
}

#[test]
fn both_sides_wait_or_none_does() {
    let waits = camera(vec![method("m", &[], Type::Unit)]);
    let one_way = Method { one_way: true, ..method("m", &[], Type::Unit) };
    let text = "Camera.m: only one side waits for an answer";
    assert_eq!(between(&waits, &camera(vec![one_way])), Err(text.to_owned()));
}

#[test]
fn objects_and_streams_are_what_they_are() {
    let object = document(Type::Reference, vec![]);
    let bytes = document(Type::ByteStream, vec![]);
    let any = document(Type::EntityStream(None), vec![]);
    let narrow = document(entities(Type::U8), vec![]);
    let wide = document(entities(Type::U16), vec![]);
    let camera = camera(vec![]);
    for (writer, reader, due) in [
        (&camera, &object, Ok(true)),
        (&object, &camera, Err("Camera: object → interface Camera")),
        (&bytes, &object, Err("value: byte stream → object")),
        (&narrow, &any, Ok(true)),
        (&any, &narrow, Err("value: stream any → stream u8")),
        (&narrow, &wide, Ok(true)),
        (&wide, &narrow, Err("value[]: u16 → u8")),
        (&wide, &bytes, Err("value: stream u16 → byte stream")),
    ] {
        assert_eq!(between(writer, reader), due.map_err(str::to_owned));
    }
}

#[test]
fn interfaces_that_pass_each_other_around_resolve() {
    let documents = |level| {
        let watch = method("watch", &[("cb", Type::Named(1))], option(Type::Named(0)));
        let ring = method("ring", &[("by", Type::Named(0)), ("level", level)], Type::Unit);
        let definitions = vec![interface("Camera", vec![watch]), interface("Alarm", vec![ring])];
        document(Type::Named(0), definitions)
    };
    let (old, new) = (documents(Type::U8), documents(Type::U16));
    // The callee's callback is called by the callee: the direction turns twice.
    let text = "Camera.watch(cb).ring(level): u16 → u8";
    assert_eq!(between(&new, &old), Err(text.to_owned()));
    assert_eq!(between(&old, &new), Ok(true));
}

#[test]
fn what_lies_behind_a_reference_does_not_say_how_the_value_is_read() {
    let a = structure("A", vec![Field::new("x", Type::U8)]);
    let b = structure("A", vec![Field::new("x", Type::U16)]);
    let stream = |inner| document(entities(Type::Named(0)), vec![inner]);
    assert_eq!(between(&stream(a.clone()), &stream(b.clone())), Ok(true));
    let both = |inner| {
        let parts = vec![entities(Type::Named(0)), Type::Named(0)];
        document(Type::Tuple(parts), vec![inner])
    };
    assert_eq!(between(&both(a), &both(b)), Ok(false));
}

#[test]
fn long_chains_of_definitions_take_no_stack() {
    let chain = |leaf: Type| {
        let next =
            |at: u32| structure(&format!("L{at}"), vec![Field::new("n", Type::Named(at + 1))]);
        let mut definitions: Vec<_> = (0..4_000).map(next).collect();
        definitions.push(structure("Last", vec![Field::new("n", leaf)]));
        document(Type::Named(0), definitions)
    };
    let test = move || {
        let (old, new) = (chain(Type::U8), chain(Type::U16));
        assert_eq!(between(&old, &new), Ok(false));
        let found = between(&new, &old).expect_err("they differ");
        assert_eq!(found, format!("L0…{}: u16 → u8", ".n".repeat(16)));
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(test);
    thread.expect("a thread starts").join().expect("the test passes");
}

#[test]
fn names_of_peers_are_escaped() {
    let odd =
        document(Type::Named(0), vec![structure("A\n", vec![Field::new("\u{1b}[2J", Type::U8)])]);
    let closed = Fields::Named { fields: vec![], closed: true };
    let shape = Shape::Struct(closed);
    let reader = document(Type::Named(0), vec![Definition { name: "B".into(), shape }]);
    let text = between(&odd, &reader).expect_err("they differ");
    assert!(text.starts_with("B.\\u{1b}[2J: "), "{text}");
    let words = document(
        Type::Named(0),
        vec![Definition {
            name: "B".into(),
            shape: Shape::Enum(vec![Variant::new("V", Fields::Unit)]),
        }],
    );
    assert_eq!(between(&odd, &words), Err("B: A\\n → enum B".to_owned()));
}

#[test]
fn long_names_of_peers_are_shortened() {
    let long = structure(&"A".repeat(10_000), vec![Field::new("b".repeat(10_000), Type::U8)]);
    let long = document(Type::Named(0), vec![long]);
    let text = between(&long, &document(Type::U8, vec![])).expect_err("they differ");
    assert!(text.chars().count() < 1_100, "{text}");
    let text = between(&document(Type::U8, vec![]), &long).expect_err("they differ");
    assert!(text.ends_with('…'), "{text}");
}

#[test]
fn definitions_that_do_not_exist_are_refused_before() {
    assert!(SchemaDoc::from_parts(Type::Named(0), vec![]).is_err());
    let twice = vec![structure("A", vec![]), structure("A", vec![])];
    assert!(SchemaDoc::from_parts(Type::Named(0), twice).is_err());
}
