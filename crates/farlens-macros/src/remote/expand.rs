//! From the model to code.
//!
//! What users see stands beside the trait: the trait, its reference, its pipeline. The rest is in a
//! nameless constant. Names that a user's types could have are not used for types of ours.
//!
//! What fails to compile where a type cannot travel has the span of that type, and all of it asks
//! for the same trait: so the compiler complains once, where the type stands. Variables come from
//! outside of such code, since a span also decides which variables are seen.

mod arguments;
mod calls;
mod declaration;
mod dispatcher;
mod handle;
mod interface;
mod pipeline;

use super::model::{Interface, Method};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta, ext::IdentExt};

/// Everything that a remote trait becomes.
pub(super) fn expand(interface: &Interface) -> TokenStream {
    let declaration = declaration::declaration(interface);
    let handle = handle::declaration(interface);
    let pipeline = pipeline::pipeline(interface);
    let arguments = arguments::structures(interface);
    let hidden = [
        arguments,
        handle::implementations(interface),
        calls::calls(interface),
        interface::schema(interface),
        dispatcher::dispatcher(interface),
        pipeline.hidden,
    ];
    let (cfgs, visible) = (cfgs(&interface.attributes), pipeline.visible);
    quote! {
        #declaration
        #handle
        #visible
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = { #(#hidden)* };
    }
}

/// The name of the reference to objects of this interface.
fn handle_name(interface: &Interface) -> Ident {
    format_ident!("{}Ref", interface.name.unraw(), span = interface.name.span())
}

/// The name of what makes calls whose answers can be used at once.
fn pipeline_name(interface: &Interface) -> Ident {
    format_ident!("{}Pipeline", interface.name.unraw(), span = interface.name.span())
}

/// The name of the structure of a method's parameters.
fn arguments_name(method: &Method) -> Ident {
    format_ident!("__farlens_arguments_of_{}", method.name.unraw())
}

/// The attributes that say whether an item exists.
fn cfgs(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// The attributes that an item beside the trait or the method shares with it.
fn shared(attributes: &[Attribute]) -> Vec<&Attribute> {
    let kept = ["cfg", "deprecated"];
    let kept = |attribute: &&Attribute| kept.iter().any(|name| attribute.path().is_ident(name));
    attributes.iter().filter(kept).collect()
}

/// The documentation, as plain text.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if pair.path.is_ident("doc") => {
                let text = text.value();
                Some(text.strip_prefix(' ').unwrap_or(&text).trim_end().to_owned())
            }
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The name of a method or parameter, as it travels.
fn wire_name(name: &Ident) -> String {
    name.unraw().to_string()
}
