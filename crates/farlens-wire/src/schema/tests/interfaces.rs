//! What can be called, and values that are passed by reference.

use super::*;
use crate::Reference;

/// An interface that knows itself, as a document: `Camera`, with a `Pose` and an `Alarm`.
pub(super) fn camera() -> SchemaDoc {
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
