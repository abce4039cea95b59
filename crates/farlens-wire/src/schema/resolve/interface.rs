//! References: streams by what they carry, objects by what the reader calls of them.

use super::{Judge, Pair, Step, Verdict};
use crate::schema::view::Target;
use crate::schema::{Interface, Method, Type};

impl<'d> Judge<'d> {
    pub(super) fn target(&mut self, pair: Pair<'d>, from: Target<'d>, to: Target<'d>) -> Verdict {
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
