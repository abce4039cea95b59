//! `farlens describe`: what an object can be asked to do, or what is known of anything else.

use super::stat;
use crate::{
    args::Global,
    connect::{self, TargetArg},
    exit::Exit,
    output::{self, printable},
};
use farlens::{
    EntryKind, Result,
    schema::{Definition, Interface, Method, SchemaDoc, Type},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Show the methods of an object, or kind, length, modes and type of anything else.
///
/// An object says itself what it is; no file is generated from that. The methods are called with
/// `farlens call`.
#[derive(clap::Args, Debug)]
pub(crate) struct Describe {
    #[command(flatten)]
    target: TargetArg,
}

/// The room for a signature before its notes, which stand in lines of their own behind a longer one.
const NOTES_AT: usize = 44;

#[derive(Serialize)]
struct Object<'a> {
    path: &'a str,
    kind: &'static str,
    interface: &'a str,
    schema: String,
    doc: &'a str,
    methods: Vec<Callable<'a>>,
    /// The definitions that are mentioned, by name; of an interface only its methods.
    types: BTreeMap<&'a str, String>,
    server: String,
}

#[derive(Serialize)]
struct Callable<'a> {
    name: &'a str,
    doc: &'a str,
    params: Vec<Parameter<'a>>,
    result: String,
    one_way: bool,
    signature: String,
}

#[derive(Serialize)]
struct Parameter<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    ty: String,
}

pub(crate) async fn run(global: &Global, args: &Describe) -> Result<Exit> {
    let (link, target) = connect::open(global, &args.target).await?;
    let path = target.path().as_str();
    let stat = match link.stat(path).await {
        Ok(stat) => stat,
        Err(error) => return Err(connect::explain(&link, path, error).await),
    };
    if stat.entry.kind != EntryKind::Object {
        return Ok(stat::show(global, &link, path, &stat));
    }
    let doc = connect::object(global, &link, path).await?.describe().await?;
    let Some((name, interface)) = root(&doc) else { return Ok(Exit::OK) };
    if !global.json {
        return Ok(output::lines(text(path, &doc, name, interface)));
    }
    let line = Object {
        path,
        kind: "object",
        interface: name,
        schema: doc.fingerprint().to_string(),
        doc: &interface.doc,
        methods: interface.methods.iter().map(|method| callable(&doc, method)).collect(),
        types: others(&doc).map(|(ty, of)| (&*of.name, definition(&doc, &ty))).collect(),
        server: link.peer().to_string(),
    };
    Ok(output::lines([output::to_json(&line)]))
}

/// The interface that a document is, with its name.
fn root(doc: &SchemaDoc) -> Option<(&str, &Interface)> {
    Some((&doc.definition_of(doc.root())?.name, doc.interface_of(doc.root())?))
}

fn callable<'a>(doc: &SchemaDoc, method: &'a Method) -> Callable<'a> {
    let params = method.params.iter();
    let params = params.map(|(name, ty)| Parameter { name, ty: doc.type_name(ty).to_string() });
    Callable {
        name: &method.name,
        doc: &method.doc,
        params: params.collect(),
        result: doc.type_name(&method.result).to_string(),
        one_way: method.one_way,
        signature: doc.signature(method).to_string(),
    }
}

/// The lines for people: the object, its methods, and the types that those do not write out.
fn text(path: &str, doc: &SchemaDoc, name: &str, interface: &Interface) -> Vec<String> {
    let fingerprint = doc.fingerprint().to_string();
    let head = format!("object {path} : {name}  (schema {}…)", &fingerprint[..8]);
    let mut lines = vec![printable(&head)];
    if !interface.doc.is_empty() {
        lines.push(format!("  {}", printable(&one_line(&interface.doc))));
    }
    let mut shown = BTreeSet::new();
    for method in &interface.methods {
        let mut notes = vec![one_line(&method.doc)];
        for ty in mentioned(doc, method) {
            if doc.interface_of(&ty).is_some() && shown.insert(number(&ty)) {
                notes.push(definition(doc, &ty));
            }
            shown.insert(number(&ty));
        }
        notes.retain(|note| !note.is_empty());
        let mut signature = doc.signature(method).to_string();
        if signature.len() > NOTES_AT {
            lines.push(printable(&format!("  {signature}")));
            signature.clear();
        } else if notes.is_empty() {
            notes.push(String::new());
        }
        for note in notes {
            let line = format!("  {signature:<NOTES_AT$}  {note}");
            lines.push(printable(line.trim_end()));
            signature.clear();
        }
    }
    let rest = others(doc).filter(|(ty, _)| !shown.contains(&number(ty)));
    let mut rest = rest.map(|(ty, _)| format!("  {}", printable(&definition(doc, &ty)))).peekable();
    if rest.peek().is_some() {
        lines.push("with".to_owned());
    }
    lines.extend(rest);
    lines
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every definition but the interface of the object itself.
fn others(doc: &SchemaDoc) -> impl Iterator<Item = (Type, &Definition)> {
    let all = (0..).map(Type::Named).zip(doc.definitions());
    all.filter(|(ty, _)| ty != doc.root())
}

/// A definition in one line; of an interface what can be called: `Alarm: fired(what: text)`.
fn definition(doc: &SchemaDoc, ty: &Type) -> String {
    let Some(interface) = doc.interface_of(ty) else { return doc.type_text(ty).to_string() };
    let methods = interface.methods.iter().map(|method| {
        let signature = doc.signature(method).to_string();
        signature.strip_suffix(" -> ()").map_or(signature.clone(), str::to_owned)
    });
    format!("{}: {}", doc.type_name(ty), methods.collect::<Vec<_>>().join(", "))
}

/// The definitions that the types of a method name, but for the object's own interface.
fn mentioned(doc: &SchemaDoc, method: &Method) -> Vec<Type> {
    let mut found = Vec::new();
    method.params.iter().for_each(|(_, ty)| named(ty, &mut found));
    named(&method.result, &mut found);
    found.retain(|ty| ty != doc.root());
    found
}

/// Recursive to the depth of the type, which was bounded when it was decoded.
fn named(ty: &Type, found: &mut Vec<Type>) {
    match ty {
        Type::Named(_) => found.push(ty.clone()),
        Type::Option(inner)
        | Type::List(inner)
        | Type::Array(_, inner)
        | Type::EntityStream(Some(inner)) => named(inner, found),
        Type::Map(key, value) => {
            named(key, found);
            named(value, found);
        }
        Type::Tuple(types) => types.iter().for_each(|ty| named(ty, found)),
        _ => {}
    }
}

fn number(ty: &Type) -> Option<u32> {
    match ty {
        Type::Named(index) => Some(*index),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farlens::schema::{Field, Fields, Shape};

    fn method(name: &str, doc: &str, params: &[(&str, Type)], result: Type) -> Method {
        let params = params.iter().map(|(name, ty)| ((*name).to_owned(), ty.clone())).collect();
        Method { name: name.into(), doc: doc.into(), params, result, one_way: false }
    }

    fn definition(name: &str, shape: Shape) -> Definition {
        Definition { name: name.into(), shape }
    }

    fn interface(methods: Vec<Method>) -> Shape {
        Shape::Interface(Interface { doc: "Looks\nat \u{1b}[2J.".into(), methods })
    }

    #[test]
    fn methods_stand_in_lines_with_what_they_mention() {
        let pose = vec![Field::new("tool", Type::Text), Field::new("at", Type::Named(3))];
        let time = vec![Field::new("s", Type::U64)];
        let stream = Type::EntityStream(Some(Box::new(Type::Named(2))));
        let own = vec![
            method("calibrate", "Takes n samples.", &[("n", Type::U32)], Type::F64),
            method("poses", "", &[("hz", Type::U16)], stream),
            method(
                "watch",
                "Tells.",
                &[("cb", Type::Option(Box::new(Type::Named(1))))],
                Type::Unit,
            ),
            method("me", "", &[], Type::Named(0)),
        ];
        let fired = vec![method("fired", "", &[("what", Type::Text)], Type::Unit)];
        let doc = SchemaDoc::from_parts(
            Type::Named(0),
            vec![
                definition("Probe", interface(own)),
                definition("Alarm", interface(fired)),
                definition("Pose", Shape::Struct(Fields::named(pose))),
                definition("Time", Shape::Struct(Fields::named(time))),
            ],
        );
        let doc = doc.expect("it is valid");
        let (name, interface) = root(&doc).expect("it is an interface");
        let lines = text("/probe", &doc, name, interface);
        assert!(lines[0].starts_with("object /probe : Probe  (schema "), "{lines:?}");
        assert_eq!(
            lines[1..],
            [
                "  Looks at \\u{1b}[2J.",
                "  calibrate(n: u32) -> f64                      Takes n samples.",
                "  poses(hz: u16) -> stream Pose { tool: text, at: Time }",
                "  watch(cb: Alarm?) -> ()                       Tells.",
                "                                                Alarm: fired(what: text)",
                "  me() -> Probe",
                "with",
                "  Time { s: u64 }",
            ]
        );
    }
}
