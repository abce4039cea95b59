//! The rules, as the derived `Deserialize` of a reader follows them.

use super::number::widens;
use super::{Judge, Pair, Side, Step, Verdict};
use crate::schema::view::{Target, View};
use crate::schema::{
    Definition, Field, Fields, Interface, Method, SchemaDoc, Shape, Type, Variant,
};

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

    fn target(&mut self, pair: Pair<'d>, from: Target<'d>, to: Target<'d>) -> Verdict {
        match (from, to) {
            (Target::Object | Target::Interface(_), Target::Object)
            | (Target::Bytes, Target::Bytes)
            | (Target::Entities(_), Target::Entities(None)) => Ok(()),
            (Target::Entities(Some(from)), Target::Entities(Some(to))) => {
                self.part(pair.behind(), Step::Elements, from, to)
            }
            (Target::Interface(from), Target::Interface(to)) => {
                let mut wanted = to.methods.iter();
                wanted.try_for_each(|method| self.method(pair.behind(), from, method))
            }
            _ => self.unlike(pair),
        }
    }

    /// A method that the reader may call: what it passes goes to the writer, who answers.
    fn method(&mut self, pair: Pair<'d>, of: &'d Interface, wanted: &'d Method) -> Verdict {
        let pair = Pair { place: self.step(pair.place, Step::Name(&wanted.name)), ..pair };
        let found = of.methods.iter().find(|method| method.name == wanted.name);
        let Some(found) = found else {
            return self.differ(pair.place, "the reader calls it, the writer does not have it");
        };
        if found.one_way != wanted.one_way {
            return self.differ(pair.place, "only one side waits for an answer");
        }
        for (name, ty) in &found.params {
            self.parameter(pair.back(), wanted, name, ty)?;
        }
        self.part(pair, Step::Result, &found.result, &wanted.result)
    }

    /// A parameter that the callee takes, from the one of that name that the caller passes.
    fn parameter(
        &mut self,
        pair: Pair<'d>,
        caller: &'d Method,
        name: &'d str,
        ty: &'d Type,
    ) -> Verdict {
        match caller.params.iter().find(|(passed, _)| passed == name) {
            Some((_, passed)) => self.part(pair, Step::Parameter(name), passed, ty),
            None if matches!(ty, Type::Option(_)) => Ok(()),
            None => {
                let place = self.step(pair.place, Step::Parameter(name));
                self.differ(place, "the writer needs it, the reader does not pass it")
            }
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

/// Whether every value of the type can be an untyped one.
fn fits_untyped(side: Side<'_>) -> bool {
    let mut types = vec![side.ty];
    let mut seen = vec![false; side.doc.definitions().len()];
    while let Some(ty) = types.pop() {
        match ty {
            Type::U128 => return false,
            Type::Option(inner) | Type::List(inner) | Type::Array(_, inner) => types.push(inner),
            Type::Tuple(parts) => types.extend(parts),
            Type::Map(key, _) if !has_plain_keys(side.doc, key) => return false,
            Type::Map(key, value) => types.extend([&**key, &**value]),
            Type::Named(index) => {
                let seen = seen.get_mut(*index as usize);
                if seen.is_some_and(|seen| !std::mem::replace(seen, true)) {
                    types.extend(side.doc.definition(*index).into_iter().flat_map(parts_of));
                }
            }
            _ => {}
        }
    }
    true
}

/// The types of which a value of the definition consists.
fn parts_of(definition: &Definition) -> Vec<&Type> {
    match &definition.shape {
        Shape::Struct(fields) => types_of(fields),
        Shape::Enum(variants) => variants.iter().flat_map(|v| types_of(&v.fields)).collect(),
        Shape::Interface(_) => Vec::new(),
    }
}

fn types_of(fields: &Fields) -> Vec<&Type> {
    match fields {
        Fields::Unit => Vec::new(),
        Fields::Tuple(types) => types.iter().collect(),
        Fields::Named { fields, .. } => fields.iter().map(|field| &field.ty).collect(),
    }
}

/// Whether different keys are different untyped ones: NaN is none, and an absent option is null,
/// as may be what a present one holds.
fn has_plain_keys(doc: &SchemaDoc, key: &Type) -> bool {
    !matches!(doc.view(key), Ok(View::Option(_) | View::Leaf(Type::F32 | Type::F64)))
}
