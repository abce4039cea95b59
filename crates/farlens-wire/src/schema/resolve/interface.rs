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
                self.interface(pair.behind(), from, to)
            }
            _ => self.unlike(pair),
        }
    }

    /// The methods that both know. One that the writer does not have is an error when it is called,
    /// as a variant is that the reader does not have; but two interfaces with nothing in common are
    /// none of each other's versions.
    fn interface(&mut self, pair: Pair<'d>, of: &'d Interface, wanted: &'d Interface) -> Verdict {
        let named = |name: &str| of.methods.iter().find(|method| method.name == name);
        let shared =
            wanted.methods.iter().filter_map(|method| Some((named(&method.name)?, method)));
        let mut any = of.methods.is_empty() || wanted.methods.is_empty();
        for (found, wanted) in shared {
            any = true;
            self.method(pair, found, wanted)?;
        }
        if any { Ok(()) } else { self.differ(pair.place, "the two have no method in common") }
    }

    /// A method that the reader may call: what it passes goes to the writer, who answers.
    fn method(&mut self, pair: Pair<'d>, found: &'d Method, wanted: &'d Method) -> Verdict {
        let pair = Pair { place: self.step(pair.place, Step::Name(&wanted.name)), ..pair };
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
