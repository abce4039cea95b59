//! The structures in which parameters travel, by name.

use super::{arguments_name, cfgs};
use crate::remote::model::{Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::quote;

/// A structure for each method.
pub(super) fn structures(interface: &Interface) -> TokenStream {
    let structures = interface.methods.iter().map(structure);
    quote! {
        use ::farlens::object::generated;
        #(#structures)*
    }
}

fn structure(method: &Method) -> TokenStream {
    let (cfgs, structure) = (cfgs(&method.attributes), arguments_name(method));
    let fields = method.parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(ty) => quote!(#name: #ty),
        Passed::Stream(_) => quote!(#name: generated::Reference),
    });
    quote! {
        #(#cfgs)*
        #[derive(generated::serde::Serialize, generated::serde::Deserialize)]
        #[serde(crate = "::farlens::object::generated::serde")]
        #[allow(non_camel_case_types)]
        struct #structure { #(#fields),* }
    }
}

/// A request to call `method`, made of variables with the names of its parameters.
pub(super) fn request(interface: &Interface, method: &Method) -> TokenStream {
    let (handle, structure) = (super::handle_name(interface), arguments_name(method));
    let name = super::wire_name(&method.name);
    let fields = method.parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(_) => quote!(#name),
        Passed::Stream(_) => quote!(#name: generated::publish(#name)?),
    });
    quote! {
        generated::request::<#handle, _>(#name, move || {
            ::core::result::Result::Ok(#structure { #(#fields),* })
        })
    }
}
