//! The trait, implemented for the reference: every method is a call.

use super::{arguments, cfgs, declaration, handle_name};
use crate::remote::model::{Answer, Interface, Method};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// The implementation.
pub(super) fn calls(interface: &Interface) -> TokenStream {
    let (name, handle) = (&interface.name, handle_name(interface));
    let calls = interface.methods.iter().map(|method| call(interface, method));
    quote! {
        impl #name for #handle { #(#calls)* }
    }
}

fn call(interface: &Interface, method: &Method) -> TokenStream {
    let (cfgs, name) = (cfgs(&method.attributes), &method.name);
    let parameters = declaration::parameters(&method.parameters);
    let (prepare, request) =
        (arguments::preparation(method), arguments::request(interface, method));
    let (head, remote) = (quote!(#(#cfgs)*), quote!(&self.0));
    match &method.answer {
        Answer::Value(ty) => {
            let call = quote_spanned! {ty.span()=>
                <#ty as __farlens::Answer>::call(#remote, #request).await
            };
            quote!(#head async fn #name(&self, #(#parameters),*) -> #ty { #prepare #call })
        }
        Answer::OneWay(ty) => {
            let call = quote_spanned! {ty.span()=>
                <#ty as __farlens::Answer>::notify(#remote, #request).await
            };
            quote!(#head async fn #name(&self, #(#parameters),*) -> #ty { #prepare #call })
        }
        Answer::Stream(stream) => {
            let (declared, item) = (&stream.declared, &stream.item);
            let call = quote_spanned! {item.span()=>
                <#item as __farlens::Item>::call(#remote, #request)
            };
            quote!(#head fn #name(&self, #(#parameters),*) -> #declared { #call })
        }
    }
}
