//! What serde's attributes become, and what of it is sent.

use super::*;

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

macro_rules! spelled {
    ($($case:literal)*) => {$({
        #[derive(Serialize, Deserialize, Schema, Default)]
        #[farlens(crate = "crate::schema")]
        #[serde(rename_all = $case)]
        #[expect(non_snake_case, reason = "names that serde takes apart in its own way")]
        struct Fields {
            plain: u8,
            two_words: u8,
            three_whole_words: u8,
            _leading: u8,
            trailing_: u8,
            double__mark: u8,
            r#type: u8,
            Capital: u8,
            with_1_digit: u8,
        }
        #[derive(Serialize, Schema)]
        #[farlens(crate = "crate::schema")]
        #[serde(rename_all = $case, rename_all_fields = $case)]
        enum Variants {
            Plain,
            TwoWords,
            HTTPServer,
            V2Beta,
            #[serde(rename = "own")]
            Renamed,
            WithFields { some_field: u8, #[serde(rename = "own")] other: u8 },
            #[serde(rename_all = "UPPERCASE")]
            OwnRule { some_field: u8 },
        }
        let json = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => vec![text],
            serde_json::Value::Object(map) => map.into_iter().map(|(key, _)| key).collect(),
            other => panic!("{other}"),
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let fields = SchemaDoc::of::<Fields>();
        let due = json(serde_json::to_value(Fields::default()).expect("it is JSON"));
        assert_eq!(sorted(names(&fields, 0, None)), sorted(due), $case);
        let variants = SchemaDoc::of::<Variants>();
        let all = [
            Variants::Plain,
            Variants::TwoWords,
            Variants::HTTPServer,
            Variants::V2Beta,
            Variants::Renamed,
            Variants::WithFields { some_field: 0, other: 0 },
            Variants::OwnRule { some_field: 0 },
        ];
        for (index, variant) in all.iter().enumerate() {
            let value = serde_json::to_value(variant).expect("it is JSON");
            let content = value.as_object().and_then(|map| map.values().next()).cloned();
            assert_eq!(vec![names(&variants, 0, None)[index].clone()], json(value), $case);
            if let Some(content) = content {
                let due = sorted(json(content));
                assert_eq!(sorted(names(&variants, 0, Some(index))), due, $case);
            }
        }
    })*};
}

/// The names of a structure's fields, of an enum's variants, or of the fields of one variant.
fn names(doc: &SchemaDoc, definition: usize, variant: Option<usize>) -> Vec<String> {
    let of_fields = |fields: &Fields| match fields {
        Fields::Named { fields, .. } => fields.iter().map(|field| field.name.clone()).collect(),
        _ => Vec::new(),
    };
    match (&doc.definitions()[definition].shape, variant) {
        (Shape::Struct(fields), _) => of_fields(fields),
        (Shape::Enum(variants), None) => variants.iter().map(|v| v.name.clone()).collect(),
        (Shape::Enum(variants), Some(index)) => of_fields(&variants[index].fields),
        (Shape::Interface(_), _) => Vec::new(),
    }
}

#[test]
fn names_are_spelled_as_serde_spells_them() {
    spelled!("lowercase" "UPPERCASE" "PascalCase" "camelCase" "snake_case" "SCREAMING_SNAKE_CASE"
        "kebab-case" "SCREAMING-KEBAB-CASE");
}

#[test]
fn readers_know_defaults_aliases_and_whether_they_are_closed() {
    #[derive(Serialize, Deserialize, Schema)]
    #[farlens(crate = "crate::schema")]
    #[serde(deny_unknown_fields, rename = "Known")]
    struct Rust {
        plain: u8,
        #[serde(default, alias = "old", alias = "older")]
        named: u8,
    }
    #[derive(Serialize, Deserialize, Schema)]
    #[farlens(crate = "crate::schema")]
    enum Kind {
        #[serde(alias = "Old")]
        New {
            #[serde(default = "Vec::new")]
            list: Vec<u8>,
        },
    }
    let doc = SchemaDoc::of::<(Rust, Kind)>();
    let aliased = Field {
        default: true,
        aliases: vec!["old".into(), "older".into()],
        ..Field::new("named", Type::U8)
    };
    let fields = vec![Field::new("plain", Type::U8), aliased];
    let list = Field { default: true, ..Field::new("list", Type::List(Box::new(Type::U8))) };
    let new = Variant::new("New", Fields::named(vec![list]));
    assert_eq!(
        doc.definitions(),
        [
            Definition {
                name: "Known".into(),
                shape: Shape::Struct(Fields::Named { fields, closed: true }),
            },
            Definition {
                name: "Kind".into(),
                shape: Shape::Enum(vec![Variant { aliases: vec!["Old".into()], ..new }]),
            },
        ]
    );
}
