//! The trait itself.

use crate::remote::model::{Answer, Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::quote;

/// The trait, whose methods give futures that are `Send` and that anyone may write as `async fn`.
pub(super) fn declaration(interface: &Interface) -> TokenStream {
    let Interface { attributes, visibility, name, methods } = interface;
    let methods = methods.iter().map(method);
    quote! {
        #(#attributes)*
        #visibility trait #name: ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn method(method: &Method) -> TokenStream {
    let Method { attributes, name, answer, .. } = method;
    let parameters = parameters(&method.parameters);
    let (returned, waits) = match answer {
        Answer::Value(ty) | Answer::OneWay(ty) => {
            let future = quote!(::core::future::Future<Output = #ty>);
            (quote!(impl #future + ::core::marker::Send), true)
        }
        Answer::Stream(stream) => {
            let declared = &stream.declared;
            (quote!(#declared), false)
        }
    };
    let end = match &method.default {
        None => quote!(;),
        Some(body) if waits => quote!({ async move #body }),
        Some(body) => quote!(#body),
    };
    quote! {
        #(#attributes)*
        #[allow(clippy::manual_async_fn)]
        fn #name(&self, #(#parameters),*) -> #returned #end
    }
}

/// Parameters as the trait declares them.
pub(super) fn parameters(parameters: &[Parameter]) -> impl Iterator<Item = TokenStream> {
    parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(ty) | Passed::Opened(ty) => quote!(#name: #ty),
        Passed::Stream(stream) => {
            let declared = &stream.declared;
            quote!(#name: #declared)
        }
    })
}
