//! Calls between two versions of an interface: parameters and results are read by their names.
//!
//! How that goes is found out once for each method and pair of versions, and kept.

use super::LocalObject;
use crate::{Error, Result, link::imported::Imported};
use farlens_wire::{
    Code, Reference,
    schema::{
        Definition, Field, Fields, Fingerprint, Interface, Method, Resolution, SchemaDoc, Shape,
        Type,
    },
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

/// Encoded bytes of the interfaces that kept resolutions hold, each counted for itself. Peers
/// decide how many there could be, and how long they are.
const KEPT_BYTES: usize = 1 << 20;
/// What each takes beside that, in bytes, about.
const ENTRY_BYTES: usize = 256;

/// Which of the values of a method is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Written by the caller.
    Arguments,
    /// Written by the object.
    Result,
}

type Key = (Fingerprint, Fingerprint, String, Part);

/// How a value is read, or why it cannot be.
type Found = Result<Resolution, Arc<str>>;

/// Resolutions that were found, and how much they hold.
#[derive(Default)]
struct Known {
    found: HashMap<Key, Found>,
    bytes: usize,
}

impl Known {
    /// Keeps a resolution that holds `bytes`, in place of all others where there is no room.
    fn keep(&mut self, key: Key, found: Found, bytes: usize) {
        if self.bytes.saturating_add(bytes) > KEPT_BYTES {
            *self = Self::default();
        }
        if bytes <= KEPT_BYTES {
            self.bytes = self.bytes.saturating_add(bytes);
            self.found.insert(key, found);
        }
    }
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// How a value of `method` is read by one who knows the interface as `reader`.
///
/// # Errors
/// `SCHEMA_MISMATCH` where the two versions do not fit, with the place and the reason.
pub(super) fn resolution(
    part: Part,
    method: &str,
    writer: &SchemaDoc,
    reader: &SchemaDoc,
) -> Result<Resolution> {
    let key = (writer.fingerprint(), reader.fingerprint(), method.to_owned(), part);
    let known = KNOWN.lock().found.get(&key).cloned();
    let found = known.unwrap_or_else(|| {
        let found = find(part, method, writer, reader);
        let mut written = Vec::new();
        writer.encode(&mut written);
        let bytes = written.len().saturating_add(method.len()).saturating_add(ENTRY_BYTES);
        KNOWN.lock().keep(key, found.clone(), bytes);
        found
    });
    found.map_err(|why| {
        let what = match part {
            Part::Arguments => "the arguments",
            Part::Result => "the answer",
        };
        let text = format!("{what} of `{}` cannot be read: {why}", method.escape_debug());
        Error::new(Code::SCHEMA_MISMATCH, text)
            .with_hint("bring both ends to versions of the interface that fit each other")
    })
}

fn find(part: Part, method: &str, writer: &SchemaDoc, reader: &SchemaDoc) -> Found {
    let written = value_of(part, method, writer)?;
    let wanted = value_of(part, method, reader)?;
    let found = Resolution::between(&Arc::new(written), &wanted);
    found.map_err(|difference| difference.to_string().into())
}

/// The interface by which the object behind `reference` writes its answers, where that is not the
/// one that the caller knows. Costs a round trip the first time for an object of a peer.
///
/// # Errors
/// Any failure of that.
pub(super) async fn writer_of(
    reference: &Reference,
    known: Option<Fingerprint>,
) -> Result<Option<Arc<SchemaDoc>>> {
    let Some(known) = known else { return Ok(None) };
    if let Some(object) = reference.get::<LocalObject>() {
        let own = object.interface();
        return Ok((own.fingerprint() != known).then(|| Arc::clone(own)));
    }
    match reference.get::<Imported>() {
        Some(imported) if imported.interface().is_some_and(|own| own != known.0) => {
            Box::pin(imported.describe(reference)).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether who knows an object as `reader` can read all that the methods which it has in common
/// with that answer. What the object makes of parameters is its own to judge, at the call, and so
/// is a method that it does not have. Costs a round trip for an object of a peer that has another
/// version of the interface.
///
/// # Errors
/// `SCHEMA_MISMATCH` with the place and the reason, and any failure of the link.
pub(crate) async fn check(reference: &Reference, reader: &SchemaDoc) -> Result<()> {
    let Some((expected, wanted)) = root(reader) else { return Ok(()) };
    let writer = writer_of(reference, Some(reader.fingerprint())).await?;
    let Some((writer, (name, own))) = writer.as_ref().and_then(|doc| Some((doc, root(doc)?)))
    else {
        return Ok(());
    };
    let has = |method: &&Method| own.methods.iter().any(|known| known.name == method.name);
    let shared: Vec<_> = wanted.methods.iter().filter(has).collect();
    if shared.is_empty() && !wanted.methods.is_empty() {
        let name = name.escape_debug();
        let text = format!("the object is a {name}, which has no method of {expected}");
        return Err(Error::new(Code::SCHEMA_MISMATCH, text));
    }
    shared
        .into_iter()
        .try_for_each(|method| resolution(Part::Result, &method.name, writer, reader).map(drop))
}

/// The document of what a method takes or gives.
fn value_of(part: Part, method: &str, interface: &SchemaDoc) -> Result<SchemaDoc, &'static str> {
    const UNFIT: &str = "an interface of one end is unfit";
    let (name, methods) = root(interface).ok_or(UNFIT)?;
    let method = methods.methods.iter().find(|known| known.name == method);
    let method = method.ok_or("an interface of one end does not have it")?;
    let mut definitions = interface.definitions().to_vec();
    let root = match part {
        Part::Result => method.result.clone(),
        Part::Arguments => {
            let index = u32::try_from(definitions.len()).map_err(|_| UNFIT)?;
            definitions.push(arguments(name, method));
            Type::Named(index)
        }
    };
    SchemaDoc::from_parts(root, definitions).map_err(|_| UNFIT)
}

fn root(doc: &SchemaDoc) -> Option<(&str, &Interface)> {
    Some((&doc.definition_of(doc.root())?.name, doc.interface_of(doc.root())?))
}

/// The structure in which the parameters of a method travel. No type has a name like this one.
fn arguments(interface: &str, method: &Method) -> Definition {
    let fields = method.params.iter().map(|(name, ty)| Field::new(name, ty.clone())).collect();
    let shape = Shape::Struct(Fields::named(fields));
    Definition { name: format!("{interface}.{}", method.name), shape }
}
