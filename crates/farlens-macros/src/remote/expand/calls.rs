//! The trait, implemented for the reference: every method is a call.

use super::{arguments, cfgs, declaration, handle_name};
use crate::remote::model::{Answer, Interface, Method};
use proc_macro2::TokenStream;
use quote::quote;

/// The implementation.
pub(super) fn calls(interface: &Interface) -> TokenStream {
    let (name, handle) = (&interface.name, handle_name(interface));
    let calls = interface.methods.iter().map(|method| call(interface, method));
    quote! {
        #[allow(deprecated)]
        impl #name for #handle { #(#calls)* }
    }
}

fn call(interface: &Interface, method: &Method) -> TokenStream {
    let (cfgs, name) = (cfgs(&method.attributes), &method.name);
    let parameters = declaration::parameters(&method.parameters);
    let request = arguments::request(interface, method);
    let head = quote!(#(#cfgs)*);
    match &method.answer {
        Answer::Value(ty) => quote! {
            #head async fn #name(&self, #(#parameters),*) -> #ty {
                generated::call::<#ty>(&self.0, #request).await
            }
        },
        Answer::OneWay(ty) => quote! {
            #head async fn #name(&self, #(#parameters),*) -> #ty {
                generated::notify::<#ty>(&self.0, #request).await
            }
        },
        Answer::Stream(stream) => {
            let (declared, item) = (&stream.declared, &stream.item);
            quote! {
                #head fn #name(&self, #(#parameters),*) -> #declared {
                    generated::stream::<#item>(&self.0, #request)
                }
            }
        }
    }
}
