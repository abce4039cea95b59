//! Whether what one type writes can be read as another, by the names of fields and variants.
//!
//! The answer holds for every value, not for most: what may fail is refused beforehand, in words.
//! One thing is left to the values: a variant that the reader does not know is an error when it is
//! met, since most changes of an enum add some that old readers rarely see.
//!
//! Pairs of types that contain a definition wait in a queue and are looked at once, so that types
//! may contain themselves, and a peer's long chains of definitions take no stack.

mod fit;
mod interface;
mod number;
mod untyped;

use super::difference::Step;
use super::{Difference, SchemaDoc, Shape, Type};
use crate::{DecodeError, Limits, Reference, typed};
use serde::Deserialize;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How values of a writer's type are read as a reader's.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The writer's schema, where names are needed.
    writer: Option<Arc<SchemaDoc>>,
}

impl Resolution {
    /// Finds out how a reader of the type `reader` reads what `writer` describes.
    ///
    /// What only readers know is taken from `reader`: which fields have defaults, what else they
    /// are called, and whether others are refused. [`SchemaDoc::of`] knows that; a document that
    /// was decoded does not.
    ///
    /// # Errors
    /// The [`Difference`] that is nearest to the root.
    pub fn between(writer: &Arc<SchemaDoc>, reader: &SchemaDoc) -> Result<Self, Difference> {
        if writer.fingerprint() == reader.fingerprint() {
            return Ok(Self { writer: None });
        }
        let mut judge = Judge::new(writer, reader);
        judge.run()?;
        Ok(Self { writer: (!judge.straight).then(|| Arc::clone(writer)) })
    }

    /// Whether values are read by position, because the types are laid out alike.
    #[must_use]
    pub const fn is_straight(&self) -> bool {
        self.writer.is_none()
    }

    /// Decodes a value of the writer that takes up all of `bytes`; `table` is what its references
    /// point at. `T` is the type that the reader's schema describes.
    ///
    /// # Errors
    /// What [`DecodeError`] lists: [`DecodeError::Refused`] for a variant that `T` does not have.
    #[inline]
    pub fn decode<'de, T: Deserialize<'de>>(
        &self,
        bytes: &'de [u8],
        table: &[Reference],
        limits: &Limits,
    ) -> Result<T, DecodeError> {
        match &self.writer {
            None => typed::decode_with(bytes, table, limits),
            Some(writer) => typed::decode_by(writer, bytes, table, limits),
        }
    }
}

type Verdict = Result<(), Difference>;

/// A type with the document that it belongs to.
#[derive(Clone, Copy)]
struct Side<'d> {
    doc: &'d SchemaDoc,
    ty: &'d Type,
}

impl<'d> Side<'d> {
    const fn of(self, ty: &'d Type) -> Self {
        Self { ty, ..self }
    }
}

/// What is written, what it is to be read as, and where.
#[derive(Clone, Copy)]
struct Pair<'d> {
    from: Side<'d>,
    to: Side<'d>,
    place: usize,
    /// Whether it lies behind a reference, so that it is not part of the value itself.
    behind: bool,
}

impl<'d> Pair<'d> {
    const fn of(self, from: &'d Type, to: &'d Type) -> Self {
        Self { from: self.from.of(from), to: self.to.of(to), ..self }
    }

    /// The same place behind the reference that is there.
    const fn behind(self) -> Self {
        Self { behind: true, ..self }
    }

    /// What goes the other way.
    const fn back(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }

    /// The addresses of its types tell it apart from all others.
    fn key(&self) -> (usize, usize, bool) {
        let address = |side: Side<'_>| std::ptr::from_ref(side.ty) as usize;
        (address(self.from), address(self.to), self.behind)
    }
}

/// A place, as the place before it and a step.
type Place<'d> = (usize, Step<'d>);

/// What is known so far.
struct Judge<'d> {
    root: &'d str,
    /// Place zero is the root; this is where the others are, counted from one.
    places: Vec<Place<'d>>,
    waiting: VecDeque<Pair<'d>>,
    seen: BTreeSet<(usize, usize, bool)>,
    /// Whether both types are laid out alike as far as was seen.
    straight: bool,
}

impl<'d> Judge<'d> {
    fn new(writer: &'d SchemaDoc, reader: &'d SchemaDoc) -> Self {
        let from = Side { doc: writer, ty: writer.root() };
        let to = Side { doc: reader, ty: reader.root() };
        let root = root_name(to).or(root_name(from)).unwrap_or("value");
        let first = Pair { from, to, place: 0, behind: false };
        Self {
            root,
            places: Vec::new(),
            waiting: VecDeque::from([first]),
            seen: BTreeSet::from([first.key()]),
            straight: true,
        }
    }

    fn run(&mut self) -> Verdict {
        while let Some(pair) = self.waiting.pop_front() {
            self.fit(pair)?;
        }
        Ok(())
    }

    /// Sees to it that `pair` fits: now, or in its turn if it may contain itself.
    fn compare(&mut self, pair: Pair<'d>) -> Verdict {
        let named = |side: Side<'_>| matches!(side.ty, Type::Named(_));
        if !named(pair.from) && !named(pair.to) {
            return self.fit(pair);
        }
        if self.seen.insert(pair.key()) {
            self.waiting.push_back(pair);
        }
        Ok(())
    }

    /// A pair of parts of `pair`, one step away.
    fn part(&mut self, pair: Pair<'d>, step: Step<'d>, from: &'d Type, to: &'d Type) -> Verdict {
        let place = self.step(pair.place, step);
        self.compare(Pair { place, ..pair.of(from, to) })
    }

    fn step(&mut self, place: usize, step: Step<'d>) -> usize {
        self.places.push((place, step));
        self.places.len()
    }

    /// Notes that names or conversions are needed.
    fn by_name(&mut self, pair: Pair<'d>) {
        self.straight &= pair.behind;
    }

    /// A difference at a place.
    fn differ(&self, place: usize, what: impl std::fmt::Display) -> Verdict {
        let mut steps = Vec::new();
        let mut at = place;
        while let Some((before, step)) = at.checked_sub(1).and_then(|index| self.places.get(index))
        {
            steps.push(*step);
            at = *before;
        }
        steps.reverse();
        Err(Difference::new(self.root, &steps, what))
    }

    /// A difference of the two types themselves.
    fn unlike(&self, pair: Pair<'d>) -> Verdict {
        let from = pair.from.doc.described(pair.from.ty);
        let to = pair.to.doc.described(pair.to.ty);
        self.differ(pair.place, format_args!("{from} → {to}"))
    }
}

fn root_name(side: Side<'_>) -> Option<&str> {
    let Type::Named(index) = side.ty else { return None };
    let definition = side.doc.definition(*index)?;
    let transparent = matches!(definition.shape, Shape::Struct(super::Fields::Tuple(_)));
    (!transparent).then_some(&definition.name)
}

#[cfg(test)]
mod tests;
