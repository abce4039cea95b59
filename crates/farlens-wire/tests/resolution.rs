//! Random types, random changes of them, and random values: what resolves is read, and read right.
//!
//! Everything is made from a tape of bytes that proptest draws, prints and shrinks. A reader made
//! from a schema stands in for derived code, and a model that knows only [`Entity`] says what it
//! should read.
//!
//! [`Entity`]: farlens_wire::Entity

#[path = "resolution/change.rs"]
mod change;
#[path = "resolution/make.rs"]
mod make;
#[path = "resolution/model.rs"]
mod model;
#[path = "resolution/reader.rs"]
mod reader;
#[path = "resolution/tape.rs"]
mod tape;

use change::changed;
use farlens_wire::schema::{Resolution, SchemaDoc, decode_with, encode_with};
use farlens_wire::{Budget, DecodeError, Entity, Limits, Reference, typed};
use make::{schema, value};
use model::Model;
use proptest::collection::vec;
use proptest::prelude::*;
use reader::Dynamic;
use std::sync::Arc;
use tape::Tape;

/// What the references of all values point at.
fn table() -> [Reference; 3] {
    [0u8, 1, 2].map(Reference::new)
}

/// The schema as a peer has it: it knows nothing of readers.
fn sent(doc: &SchemaDoc) -> Arc<SchemaDoc> {
    let mut bytes = Vec::new();
    doc.encode(&mut bytes);
    let doc = SchemaDoc::decode(&bytes, &mut Budget::new(&Limits::default()));
    Arc::new(doc.expect("it was just encoded"))
}

fn budget() -> Budget {
    Budget::new(&Limits::default())
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..400)
}

/// What a reader of the type `reader` makes of a value that was written as `writer` says.
fn by_name(
    writer: &SchemaDoc,
    reader: &SchemaDoc,
    bytes: &[u8],
    table: &[Reference],
    limits: &Limits,
) -> Result<Entity, DecodeError> {
    let read = || typed::decode_by(writer, bytes, table, limits);
    Dynamic::read(reader, read).map(|Dynamic(entity)| entity)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_was_read_is_written_as_it_was(tape in tape()) {
        let mut tape = Tape::new(&tape);
        let doc = schema(&mut tape);
        let bytes = value(&doc, &mut tape);
        let table = table();
        let entity = decode_with(&doc, &bytes, &table, &mut budget()).expect("it is valid");
        let (mut out, mut again) = (Vec::new(), table.to_vec());
        let outcome = encode_with(&doc, doc.root(), &entity, &mut out, &mut again);
        prop_assert_eq!(outcome, Ok(()), "{}", doc);
        prop_assert_eq!(out, bytes, "{}", doc);
        prop_assert_eq!(again, table);
    }

    #[test]
    fn a_type_reads_itself(tape in tape()) {
        let mut tape = Tape::new(&tape);
        let doc = schema(&mut tape);
        let bytes = value(&doc, &mut tape);
        let table = table();
        let entity = decode_with(&doc, &bytes, &table, &mut budget()).expect("it is valid");
        let read = by_name(&sent(&doc), &doc, &bytes, &table, &Limits::default());
        prop_assert_eq!(read, Ok(entity), "{}", doc);
    }

    #[test]
    fn compatible_changes_resolve_and_are_read_right(tape in tape()) {
        let mut tape = Tape::new(&tape);
        let old = schema(&mut tape);
        let new = changed(&old, false, &mut tape);
        let bytes = value(&old, &mut tape);
        let resolution = Resolution::between(&sent(&old), &new);
        prop_assert!(resolution.is_ok(), "{old}\nto {new}\n{resolution:?}");
        agrees(&old, &new, &bytes)?;
    }

    #[test]
    fn what_resolves_is_read_right(tape in tape()) {
        let mut tape = Tape::new(&tape);
        let old = schema(&mut tape);
        let new = changed(&old, true, &mut tape);
        let bytes = value(&old, &mut tape);
        if let Ok(resolution) = Resolution::between(&sent(&old), &new) {
            agrees(&old, &new, &bytes)?;
            if resolution.is_straight() {
                let (table, limits) = (table(), Limits::default());
                let straight = decode_with(&new, &bytes, &table, &mut budget());
                prop_assert_eq!(straight, by_name(&old, &new, &bytes, &table, &limits));
            }
        }
    }

    #[test]
    fn noise_never_panics_and_is_judged_alike(tape in tape(), noise in vec(any::<u8>(), 0..64)) {
        let mut tape = Tape::new(&tape);
        let old = schema(&mut tape);
        let new = changed(&old, false, &mut tape);
        let mut limits = Limits::default();
        (limits.depth, limits.elements, limits.cost_bytes) = (12, 500, 100_000);
        let table = table();
        let mut left = Budget::new(&limits);
        let plain = decode_with(&old, &noise, &table, &mut left);
        if let Ok(plain) = &plain {
            let spent = limits.cost_bytes - left.cost();
            prop_assert!(model::nodes(plain) * size_of::<Entity>() <= spent);
        }
        if let Ok(read) = by_name(&old, &new, &noise, &table, &limits) {
            prop_assert!(model::nodes(&read) <= limits.cost_bytes);
            // A map that holds a key twice is refused as an untyped value, and skipped here.
            if let Ok(plain) = plain {
                let due = Model { from: &old, to: &new }.value(old.root(), new.root(), &plain);
                prop_assert_eq!(Some(read), due, "{}\nto {}", old, new);
            }
        }
    }
}

/// The reader reads what the model says, or refuses a variant that it does not know.
fn agrees(old: &SchemaDoc, new: &SchemaDoc, bytes: &[u8]) -> Result<(), TestCaseError> {
    let table = table();
    let plain = decode_with(old, bytes, &table, &mut budget()).expect("it is valid");
    let due = Model { from: old, to: new }.value(old.root(), new.root(), &plain);
    let read = by_name(&sent(old), new, bytes, &table, &Limits::default());
    match (due, &read) {
        (Some(due), read) => prop_assert_eq!(read.as_ref(), Ok(&due), "{}\nto {}", old, new),
        (None, Err(DecodeError::Refused(text))) if text.starts_with("unknown variant") => {}
        (None, _) => prop_assert!(false, "an unknown variant was read: {read:?}\n{old}\nto {new}"),
    }
    Ok(())
}
