//! Methods whose answers can be used before they are there.

use super::{arguments, declaration as trait_, documentation, handle_name, pipeline_name, shared};
use crate::remote::{
    model::{Answer, Interface, Method, Passed},
    signature::{first_argument, last_segment},
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

/// What a trait with such methods has besides.
#[derive(Default)]
pub(super) struct Pipeline {
    pub(super) visible: TokenStream,
    pub(super) hidden: TokenStream,
}

/// The pipeline of a trait, empty where no method answers with a reference.
pub(super) fn pipeline(interface: &Interface) -> Pipeline {
    let methods: Vec<_> =
        interface.methods.iter().filter_map(|method| call(interface, method)).collect();
    if methods.is_empty() {
        return Pipeline::default();
    }
    Pipeline { visible: declaration(interface), hidden: implementation(interface, &methods) }
}

fn declaration(interface: &Interface) -> TokenStream {
    let Interface { attributes, visibility, name, .. } = interface;
    let (pipeline, shared) = (pipeline_name(interface), shared(attributes));
    let doc = format!(
        "The methods of a [`{name}`] that answer with references. They return at once, and what is \
         called on the result waits for the answer on the other side."
    );
    quote! {
        #(#shared)*
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #visibility struct #pipeline(::farlens::Remote);
    }
}

fn implementation(interface: &Interface, methods: &[TokenStream]) -> TokenStream {
    let (handle, pipeline) = (handle_name(interface), pipeline_name(interface));
    quote! {
        impl #handle {
            /// The methods that answer with references, whose results can be used at once.
            #[must_use]
            pub fn pipeline(&self) -> #pipeline {
                #pipeline(::core::clone::Clone::clone(&self.0))
            }
        }

        impl #pipeline { #(#methods)* }
    }
}

fn call(interface: &Interface, method: &Method) -> Option<TokenStream> {
    let Answer::Value(returned) = &method.answer else { return None };
    let value = first_argument(returned).filter(|value| is_reference(value))?;
    // To pass an open stream is to wait, and this is there for who does not.
    if method.parameters.iter().any(|parameter| matches!(parameter.passed, Passed::Opened(_))) {
        return None;
    }
    let (shared, name) = (shared(&method.attributes), &method.name);
    let parameters = trait_::parameters(&method.parameters);
    let request = arguments::request(interface, method);
    let doc = documentation(&method.attributes);
    // A type that only looks like a reference has no such method, and is no error.
    Some(quote! {
        #(#shared)*
        #[doc = #doc]
        ///
        /// What it gives is used as if it were there already. If the call fails, whatever is called
        /// on that fails as it did; if the method answers with an error of its own, whatever is
        /// called fails with `NO_SUCH_OBJECT`.
        #[must_use]
        pub fn #name(&self, #(#parameters),*) -> #value
        where
            for<'a> #value: __farlens::Pipelined,
        {
            <#value as __farlens::Pipelined>::from_promise(self.0.promise(#request))
        }
    })
}

/// Whether a type looks like a reference.
fn is_reference(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| {
        let name = segment.ident.to_string();
        name.ends_with("Ref") || name == "Remote" || name == "RemoteStreamer"
    })
}
