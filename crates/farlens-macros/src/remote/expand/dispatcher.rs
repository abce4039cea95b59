//! What finds the method that a call names, and runs it.

use super::{arguments_name, cfgs, handle_name, wire_name};
use crate::remote::model::{Answer, Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::quote;

/// The dispatcher, for anything that implements the trait.
pub(super) fn dispatcher(interface: &Interface) -> TokenStream {
    let (name, handle) = (&interface.name, handle_name(interface));
    let text = wire_name(name);
    let arms = interface.methods.iter().map(|method| arm(interface, method));
    quote! {
        struct __FarlensDispatcher<T>(T);

        #[allow(deprecated)]
        impl<T: #name> generated::Dispatch for __FarlensDispatcher<T> {
            fn interface(&self) -> ::std::sync::Arc<generated::schema::SchemaDoc> {
                generated::schema::SchemaDoc::of::<#handle>()
            }

            fn call(
                self: ::std::sync::Arc<Self>,
                call: generated::Incoming,
            ) -> generated::BoxFuture<'static, ::farlens::Result<generated::Outcome>> {
                match call.method.as_str() {
                    #(#arms)*
                    _ => generated::no_such_method(#text, &call),
                }
            }
        }
    }
}

fn arm(interface: &Interface, method: &Method) -> TokenStream {
    let (cfgs, text) = (cfgs(&method.attributes), wire_name(&method.name));
    let structure = arguments_name(method);
    let work = work(interface, method);
    quote! {
        #(#cfgs)*
        #text => ::std::boxed::Box::pin(async move {
            let arguments: #structure = generated::arguments(&call)?;
            ::core::mem::drop(call);
            #work
        }),
    }
}

fn work(interface: &Interface, method: &Method) -> TokenStream {
    let (trait_, name) = (&interface.name, &method.name);
    let arguments = method.parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(_) => quote!(arguments.#name),
        Passed::Stream(stream) => {
            let item = &stream.item;
            quote!(generated::open::<#item>(arguments.#name))
        }
    });
    let called = quote!(<T as #trait_>::#name(&self.0, #(#arguments),*));
    match method.answer {
        Answer::Value(_) | Answer::OneWay(_) => quote! {
            generated::Answer::into_outcome(#called.await)
        },
        Answer::Stream(_) => quote! {
            generated::streamed(generated::publish(generated::feed(move |feeder| async move {
                let _ = &arguments;
                generated::Feeder::feed(feeder, #called).await
            })))
        },
    }
}
