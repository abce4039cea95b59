//! The rules, as the derived `Deserialize` of a reader follows them.

use super::number::widens;
use super::untyped::fits_untyped;
use super::{Judge, Pair, Side, Step, Verdict};
use crate::schema::view::View;
use crate::schema::{Field, Fields, Type, Variant};

/// Options within each other into which a value without any is put.
const OPTIONS_MAX: usize = 64;

impl<'d> Judge<'d> {
    pub(super) fn fit(&mut self, pair: Pair<'d>) -> Verdict {
        let Ok(from) = pair.from.doc.view(pair.from.ty) else { return self.endless(pair) };
        let Ok(to) = pair.to.doc.view(pair.to.ty) else { return self.endless(pair) };
        match (from, to) {
            (View::Option(from), View::Option(to)) => self.compare(pair.of(from, to)),
            (_, View::Option(_)) => self.present(pair),
            (View::Leaf(from), View::Leaf(to)) if from == to => Ok(()),
            (_, View::Leaf(Type::Any)) => self.untyped(pair),
            (View::Leaf(Type::Char), View::Leaf(Type::Text)) => Ok(()),
            (View::Leaf(from), View::Leaf(to)) if widens(from, to) => {
                self.by_name(pair);
                Ok(())
            }
            (View::Unit | View::Empty, View::Unit | View::Empty) => Ok(()),
            (View::Empty, View::Record(fields, closed)) => self.record(pair, &[], (fields, closed)),
            (View::Record(..), View::Empty) => {
                self.by_name(pair);
                Ok(())
            }
            (View::Record(from, _), View::Record(to, closed)) => {
                self.record(pair, from, (to, closed))
            }
            (View::Enum(from), View::Enum(to)) => self.variants(pair, from, to),
            (View::Map(from, from_values), View::Map(to, to_values)) => {
                self.part(pair, Step::Keys, from, to)?;
                self.part(pair, Step::Values, from_values, to_values)
            }
            (View::Reference(from), View::Reference(to)) => self.target(pair, from, to),
            (from, to) => self.sequence(pair, from, to),
        }
    }

    fn endless(&self, pair: Pair<'d>) -> Verdict {
        self.differ(pair.place, "the type holds nothing but itself")
    }

    /// A value that is no option becomes a present one.
    fn present(&mut self, pair: Pair<'d>) -> Verdict {
        self.by_name(pair);
        let mut to = pair.to;
        // A reader's type may put options around itself for ever.
        for _ in 0..OPTIONS_MAX {
            match to.doc.view(to.ty) {
                Ok(View::Option(inner)) => to = to.of(inner),
                Ok(_) => return self.compare(Pair { to, ..pair }),
                Err(_) => break,
            }
        }
        self.endless(pair)
    }

    /// Any value becomes an untyped one, unless some of its numbers are too large for that or some
    /// of its keys are none there.
    fn untyped(&mut self, pair: Pair<'d>) -> Verdict {
        self.by_name(pair);
        if fits_untyped(pair.from) { Ok(()) } else { self.unlike(pair) }
    }

    fn sequence(&mut self, pair: Pair<'d>, from: View<'d>, to: View<'d>) -> Verdict {
        let is_byte = |side: Side<'_>, ty| side.doc.is_byte(ty);
        match (from, to) {
            (View::List(from), View::List(to)) => self.part(pair, Step::Elements, from, to),
            (View::List(from), View::Leaf(Type::Bytes)) if is_byte(pair.from, from) => Ok(()),
            (View::Leaf(Type::Bytes), View::List(to)) => {
                if !is_byte(pair.to, to) {
                    self.by_name(pair);
                }
                self.part(pair, Step::Elements, &Type::U8, to)
            }
            (View::Array(_, from), View::Leaf(Type::Bytes)) if is_byte(pair.from, from) => {
                self.by_name(pair);
                Ok(())
            }
            (View::Array(from_len, from), View::Array(to_len, to)) if from_len == to_len => {
                self.part(pair, Step::Elements, from, to)
            }
            (View::Array(_, from), View::List(to)) => {
                self.by_name(pair);
                self.part(pair, Step::Elements, from, to)
            }
            (View::Tuple(from), View::List(to)) => {
                self.by_name(pair);
                self.parts(pair, from.iter().map(|from| (from, to)))
            }
            (View::Tuple(from), View::Array(len, to)) if from.len() == len as usize => {
                self.parts(pair, from.iter().map(|from| (from, to)))
            }
            (View::Array(len, from), View::Tuple(to)) if to.len() == len as usize => {
                self.parts(pair, to.iter().map(|to| (from, to)))
            }
            (View::Tuple(from), View::Tuple(to)) if from.len() == to.len() => {
                self.parts(pair, from.iter().zip(to))
            }
            _ => self.unlike(pair),
        }
    }

    fn parts(
        &mut self,
        pair: Pair<'d>,
        parts: impl Iterator<Item = (&'d Type, &'d Type)>,
    ) -> Verdict {
        for (number, (from, to)) in parts.enumerate() {
            self.part(pair, Step::Part(number), from, to)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        pair: Pair<'d>,
        from: &'d [Field],
        (to, closed): (&'d [Field], bool),
    ) -> Verdict {
        let mut found = vec![false; to.len()];
        for (place, field) in from.iter().enumerate() {
            let reader = to.iter().position(|to| goes_by(&field.name, &to.name, &to.aliases));
            let Some(index) = reader else {
                self.left_over(pair, field, closed)?;
                continue;
            };
            if index != place {
                self.by_name(pair);
            }
            let (name, ty) = (&to[index].name, &to[index].ty);
            if std::mem::replace(&mut found[index], true) {
                let place = self.step(pair.place, Step::Name(name));
                return self.differ(place, "the writer has it under two of its names");
            }
            self.part(pair, Step::Name(name), &field.ty, ty)?;
        }
        let missing = to.iter().zip(found).filter(|(_, found)| !found);
        missing.map(|(field, _)| field).try_for_each(|field| self.missing(pair, field))
    }

    /// A field that the reader does not know.
    fn left_over(&mut self, pair: Pair<'d>, field: &'d Field, closed: bool) -> Verdict {
        self.by_name(pair);
        if !closed {
            return Ok(());
        }
        let place = self.step(pair.place, Step::Name(&field.name));
        self.differ(place, "the reader does not know it and refuses what it does not know")
    }

    /// A field that the writer does not have.
    fn missing(&mut self, pair: Pair<'d>, field: &'d Field) -> Verdict {
        self.by_name(pair);
        if field.default || matches!(field.ty, Type::Option(_)) {
            return Ok(());
        }
        let place = self.step(pair.place, Step::Name(&field.name));
        self.differ(place, "the reader needs it, the writer does not have it")
    }

    fn variants(&mut self, pair: Pair<'d>, from: &'d [Variant], to: &'d [Variant]) -> Verdict {
        let mut common = from.is_empty();
        for (place, variant) in from.iter().enumerate() {
            let reader = to.iter().position(|to| goes_by(&variant.name, &to.name, &to.aliases));
            if reader != Some(place) {
                self.by_name(pair);
            }
            if let Some(index) = reader {
                common = true;
                self.content(pair, variant, &to[index])?;
            }
        }
        if common { Ok(()) } else { self.differ(pair.place, "no variant is known to both") }
    }

    /// What a variant holds that both know.
    fn content(&mut self, pair: Pair<'d>, from: &'d Variant, to: &'d Variant) -> Verdict {
        let pair = Pair { place: self.step(pair.place, Step::Name(&to.name)), ..pair };
        match (&from.fields, &to.fields) {
            (Fields::Unit, Fields::Unit) => Ok(()),
            (Fields::Named { .. }, Fields::Unit) => {
                self.by_name(pair);
                Ok(())
            }
            (Fields::Unit, Fields::Named { fields, closed }) => {
                self.record(pair, &[], (fields, *closed))
            }
            (Fields::Named { fields: from, .. }, Fields::Named { fields, closed }) => {
                self.record(pair, from, (fields, *closed))
            }
            (Fields::Tuple(from), Fields::Tuple(to)) if from.len() == to.len() => {
                self.parts(pair, from.iter().zip(to))
            }
            (from, to) => self.differ(pair.place, format_args!("{} → {}", kind(from), kind(to))),
        }
    }
}

fn goes_by(written: &str, name: &str, aliases: &[String]) -> bool {
    written == name || aliases.iter().any(|alias| alias == written)
}

fn kind(fields: &Fields) -> String {
    match fields {
        Fields::Unit => "no fields".to_owned(),
        Fields::Tuple(types) if types.len() == 1 => "one value".to_owned(),
        Fields::Tuple(types) => format!("{} values", types.len()),
        Fields::Named { .. } => "named fields".to_owned(),
    }
}
