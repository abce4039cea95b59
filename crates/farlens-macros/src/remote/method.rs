//! From the syntax of a method to the model.

use super::{
    model::{Answer, Method, Parameter, Passed},
    refuse, signature,
};
use syn::{
    Attribute, Error, FnArg, Ident, Receiver, Result, Signature, TraitItemFn, ext::IdentExt,
};

/// Names that a reference has methods of its own by.
const TAKEN: [&str; 4] = ["new", "with_timeout", "pipeline", "clone"];

/// The method that a trait declares.
///
/// # Errors
/// For the first thing in it that cannot be remote.
pub(super) fn parse(item: TraitItemFn) -> Result<Method> {
    let mut attributes = item.attrs;
    let one_way = take_one_way(&mut attributes)?;
    let signature = item.sig;
    qualifiers(&signature)?;
    name(&signature.ident)?;
    receiver(&signature)?;
    let parameters = signature.inputs.iter().skip(1).map(signature::parameter);
    let parameters = parameters.collect::<Result<Vec<_>>>()?;
    let answer = answer(&signature, one_way)?;
    opened(&parameters, &answer)?;
    Ok(Method { attributes, name: signature.ident, parameters, answer, default: item.default })
}

/// Takes our own attributes out, and says whether one of them is `one_way`.
fn take_one_way(attributes: &mut Vec<Attribute>) -> Result<bool> {
    let mut one_way = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("farlens")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("one_way") {
                return Err(meta.error("the only key here is `one_way`"));
            }
            one_way = true;
            Ok(())
        })?;
    }
    attributes.retain(|attribute| !attribute.path().is_ident("farlens"));
    Ok(one_way)
}

fn qualifiers(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.unsafety {
        return Err(Error::new(token.span, "a remote method cannot be unsafe"));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(abi, "a remote method has no ABI of its own"));
    }
    if let Some(token) = &signature.constness {
        return Err(Error::new(token.span, "a remote method cannot be const"));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new_spanned(variadic, "a remote method has a fixed list of parameters"));
    }
    let why = "a remote method has one form: its parameters and its answer travel by value";
    refuse::generics(&signature.generics, why)
}

fn name(name: &Ident) -> Result<()> {
    let name = &name.unraw();
    if TAKEN.iter().any(|taken| name == taken) {
        let text = format!("a reference has a method `{name}` of its own: choose another name");
        return Err(Error::new(name.span(), text));
    }
    Ok(())
}

fn receiver(signature: &Signature) -> Result<()> {
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if is_shared(receiver) => Ok(()),
        Some(FnArg::Receiver(receiver)) if receiver.mutability.is_some() => {
            let text = "a remote method takes `&self`: several callers share the object, so what \
                        changes in it lies behind a lock or an atomic";
            Err(Error::new_spanned(receiver, text))
        }
        Some(FnArg::Receiver(receiver)) => {
            Err(Error::new_spanned(receiver, "a remote method takes `&self`"))
        }
        _ => {
            let text = "a remote method takes `&self`: what has no object to be called on stays \
                        outside of the trait";
            Err(Error::new(signature.ident.span(), text))
        }
    }
}

/// Whether it is `&self` and nothing else.
fn is_shared(receiver: &Receiver) -> bool {
    let plain = receiver.attrs.is_empty() && receiver.colon_token.is_none();
    let borrowed = matches!(&receiver.reference, Some((_, None)));
    plain && borrowed && receiver.mutability.is_none()
}

/// Refuses open streams where the call is made without waiting for anything.
fn opened(parameters: &[Parameter], answer: &Answer) -> Result<()> {
    let found = parameters.iter().find_map(|parameter| match &parameter.passed {
        Passed::Opened(ty) => Some(ty),
        Passed::Value(_) | Passed::Stream(_) => None,
    });
    match (found, answer) {
        (Some(ty), Answer::Stream(_)) => {
            let text = "a method that returns an `impl Stream` takes a `RemoteStreamer`, or an \
                        `impl Stream`: to pass an open stream is to wait for it first";
            Err(Error::new_spanned(ty, text))
        }
        _ => Ok(()),
    }
}

fn answer(signature: &Signature, one_way: bool) -> Result<Answer> {
    let returned = signature::returned(signature)?;
    match (signature::as_stream(returned)?, &signature.asyncness) {
        (Some(_), Some(token)) => {
            let text = "a method that returns a stream is no `async fn`: the stream itself waits";
            Err(Error::new(token.span, text))
        }
        (Some(_), None) if one_way => {
            Err(Error::new_spanned(returned, "nobody would read the stream of a `one_way` method"))
        }
        (Some(stream), None) => Ok(Answer::Stream(stream)),
        (None, None) => {
            let text = "a remote method is an `async fn`, or returns an `impl Stream`: a call may \
                        have to wait for the other end";
            Err(Error::new(signature.fn_token.span, text))
        }
        (None, Some(_)) => {
            refuse::travels_by_value(returned)?;
            if one_way {
                signature::check_unit(returned)?;
                return Ok(Answer::OneWay(returned.clone()));
            }
            Ok(Answer::Value(returned.clone()))
        }
    }
}
