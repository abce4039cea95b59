//! The structures in which parameters travel, by name.
//!
//! Each field has a type parameter of its own, so that a type that cannot travel is no error of the
//! structure, but of its use.

use super::{arguments_name, cfgs};
use crate::remote::model::{Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

/// A structure for each method.
pub(super) fn structures(interface: &Interface) -> TokenStream {
    let structures = interface.methods.iter().map(structure);
    quote! {
        use ::farlens::object::generated as __farlens;
        #(#structures)*
    }
}

fn structure(method: &Method) -> TokenStream {
    let (cfgs, structure) = (cfgs(&method.attributes), arguments_name(method));
    let types: Vec<_> = (0..method.parameters.len()).map(|n| format_ident!("T{n}")).collect();
    let names = method.parameters.iter().map(|parameter| &parameter.name);
    quote! {
        #(#cfgs)*
        #[derive(__farlens::serde::Serialize, __farlens::serde::Deserialize)]
        #[serde(crate = "::farlens::object::generated::serde")]
        #[allow(non_camel_case_types)]
        struct #structure<#(#types),*> { #(#names: #types),* }
    }
}

/// The types of the fields, in the order of the parameters.
pub(super) fn types(method: &Method) -> impl Iterator<Item = TokenStream> {
    method.parameters.iter().map(|parameter| match &parameter.passed {
        Passed::Value(ty) => quote!(#ty),
        Passed::Stream(_) | Passed::Opened(_) => quote!(__farlens::Reference),
    })
}

/// What is to be done before a request is made: each open stream becomes what it is passed as, or
/// the reason why it cannot be.
pub(super) fn preparation(method: &Method) -> TokenStream {
    let prepared = method.parameters.iter().filter_map(|Parameter { name, passed }| {
        let Passed::Opened(ty) = passed else { return None };
        let pass = quote_spanned!(ty.span()=> <#ty as __farlens::Passed>::pass);
        Some(quote!(let #name = #pass(#name).await;))
    });
    quote!(#(#prepared)*)
}

/// A request to call `method`, made of variables with the names of its parameters.
pub(super) fn request(interface: &Interface, method: &Method) -> TokenStream {
    let (handle, structure) = (super::handle_name(interface), arguments_name(method));
    let name = super::wire_name(&method.name);
    let fields = method.parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(_) => quote!(#name),
        Passed::Opened(_) => quote!(#name: #name?),
        Passed::Stream(stream) => {
            let item = &stream.item;
            quote_spanned!(item.span()=> #name: <#item as __farlens::Item>::publish(#name)?)
        }
    });
    quote! {
        __farlens::request::<#handle, _>(#name, move || {
            ::core::result::Result::Ok(#structure { #(#fields),* })
        })
    }
}
