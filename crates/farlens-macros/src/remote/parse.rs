//! From the syntax of a trait to the model.

use super::{method, model::Interface, refuse};
use syn::{Error, ItemTrait, Result, TraitItem, TypeParamBound};

/// The interface that a trait declares.
///
/// # Errors
/// For whatever cannot be remote, all of it at once.
pub(super) fn interface(item: ItemTrait) -> Result<Interface> {
    let mut errors = Errors::default();
    errors.note(whole(&item));
    let methods = item.items.into_iter().filter_map(|item| errors.note(member(item))).collect();
    errors.finish()?;
    Ok(Interface { attributes: item.attrs, visibility: item.vis, name: item.ident, methods })
}

/// What goes for the trait as a whole.
fn whole(item: &ItemTrait) -> Result<()> {
    if let Some(token) = &item.unsafety {
        return Err(Error::new(token.span, "a remote trait cannot be unsafe"));
    }
    if let Some(token) = &item.auto_token {
        return Err(Error::new(token.span, "a remote trait cannot be an auto trait"));
    }
    refuse::generics(&item.generics, "a remote trait has one form on both ends of a link")?;
    for bound in &item.supertraits {
        let known = match bound {
            TypeParamBound::Trait(bound) => {
                let last = bound.path.segments.last();
                last.is_some_and(|last| last.ident == "Send" || last.ident == "Sync")
            }
            TypeParamBound::Lifetime(lifetime) => lifetime.ident == "static",
            _ => false,
        };
        if !known {
            let text = "a remote trait has no other trait above it but `Send` and `Sync`, which \
                        it has anyway: its reference implements this one trait only";
            return Err(Error::new_spanned(bound, text));
        }
    }
    Ok(())
}

fn member(item: TraitItem) -> Result<super::model::Method> {
    let text = match &item {
        TraitItem::Fn(_) => "",
        TraitItem::Type(_) => "a remote trait has no associated types: a caller cannot know them",
        TraitItem::Const(_) => "a remote trait has no constants: make it a method",
        TraitItem::Macro(_) => "a remote trait lists its methods itself, without macros",
        _ => "a remote trait consists of methods",
    };
    match item {
        TraitItem::Fn(method) => method::parse(method),
        other => Err(Error::new_spanned(other, text)),
    }
}

/// Errors, which are shown together.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    /// The value, or nothing where there is an error instead.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(errors) => errors.combine(error),
                    none => *none = Some(error),
                }
                None
            }
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
