//! From the syntax of parameters and return types to the model.

use super::{
    model::{Parameter, Passed, Stream},
    refuse,
};
use syn::{
    AssocType, Error, FnArg, GenericArgument, Pat, PatType, PathArguments, PathSegment, Result,
    ReturnType, Signature, Type, TypeImplTrait, TypeParamBound, parse_quote,
};

/// The parameter that `argument` declares.
///
/// # Errors
/// For patterns, attributes and types that cannot travel.
pub(super) fn parameter(argument: &FnArg) -> Result<Parameter> {
    let FnArg::Typed(PatType { attrs, pat, ty, .. }) = argument else {
        return Err(Error::new_spanned(argument, "`self` comes first"));
    };
    if let Some(attribute) = attrs.first() {
        let text = "a parameter of a remote method has no attributes";
        return Err(Error::new_spanned(attribute, text));
    }
    let name = match &**pat {
        Pat::Ident(name)
            if name.by_ref.is_none() && name.mutability.is_none() && name.subpat.is_none() =>
        {
            name.ident.clone()
        }
        _ => {
            let text = "a parameter of a remote method is a plain name: it travels by that name";
            return Err(Error::new_spanned(pat, text));
        }
    };
    let passed = match as_stream(ty)? {
        Some(mut stream) => {
            if !stream.declared.bounds.iter().any(is_static) {
                stream.declared.bounds.push(parse_quote!('static));
            }
            Passed::Stream(stream)
        }
        None => {
            refuse::travels_by_value(ty)?;
            let ty = (**ty).clone();
            if is_opened(&ty) { Passed::Opened(ty) } else { Passed::Value(ty) }
        }
    };
    Ok(Parameter { name, passed })
}

/// Whether a type looks like a stream that is open.
fn is_opened(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| last.ident == "ByteStream" || last.ident == "EntityStream")
}

/// The type that a method returns.
///
/// # Errors
/// If it returns nothing.
pub(super) fn returned(signature: &Signature) -> Result<&Type> {
    match &signature.output {
        ReturnType::Type(_, ty) => Ok(ty),
        ReturnType::Default => {
            let text = "a remote method returns a result, such as `farlens::Result<()>`: any call \
                        can fail on its way";
            Err(Error::new(signature.ident.span(), text))
        }
    }
}

/// Refuses results with a value.
///
/// # Errors
/// If `ty` is no `Result<()>` and no `Result<(), E>`.
pub(super) fn check_unit(ty: &Type) -> Result<()> {
    match first_argument(ty) {
        Some(Type::Tuple(unit)) if unit.elems.is_empty() => Ok(()),
        _ => Err(Error::new_spanned(
            ty,
            "nobody waits for the answer of a `one_way` method: it returns `farlens::Result<()>`",
        )),
    }
}

/// The first generic argument of a path, as `T` in `Result<T, E>`.
pub(super) fn first_argument(ty: &Type) -> Option<&Type> {
    let arguments = match &last_segment(ty)?.arguments {
        PathArguments::AngleBracketed(arguments) => &arguments.args,
        _ => return None,
    };
    arguments.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The last segment of a path, as `Result<T>` in `farlens::Result<T>`.
pub(super) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The stream, if `ty` is an `impl Stream`. It is `Send` from then on.
///
/// # Errors
/// For any other `impl Trait`, and for streams that do not say what they consist of.
pub(super) fn as_stream(ty: &Type) -> Result<Option<Stream>> {
    let Type::ImplTrait(declared) = ty else { return Ok(None) };
    let Some(segment) = declared.bounds.iter().find_map(stream_bound) else {
        let text = "the only `impl Trait` of a remote method is `impl Stream<Item = …>`";
        return Err(Error::new_spanned(declared, text));
    };
    let Some(item) = item_of(segment) else {
        let text = "a remote stream says what it consists of: \
                    `impl Stream<Item = farlens::Result<T>>`";
        return Err(Error::new_spanned(segment, text));
    };
    refuse::travels_by_value(item)?;
    let mut declared: TypeImplTrait = declared.clone();
    if !declared.bounds.iter().any(|bound| is_trait(bound, "Send")) {
        declared.bounds.push(parse_quote!(::core::marker::Send));
    }
    Ok(Some(Stream { declared, item: item.clone() }))
}

fn stream_bound(bound: &TypeParamBound) -> Option<&PathSegment> {
    match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().filter(|last| last.ident == "Stream")
        }
        _ => None,
    }
}

fn is_trait(bound: &TypeParamBound, name: &str) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    bound.path.segments.last().is_some_and(|last| last.ident == name)
}

fn is_static(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Lifetime(lifetime) if lifetime.ident == "static")
}

/// The type of `Item` in `Stream<Item = …>`.
fn item_of(stream: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &stream.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => Some(ty),
        _ => None,
    })
}
