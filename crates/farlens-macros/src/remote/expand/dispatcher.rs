//! What finds the method that a call names, and runs it.

use super::{arguments_name, cfgs, handle_name, wire_name};
use crate::remote::model::{Answer, Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// The dispatcher, for anything that implements the trait.
pub(super) fn dispatcher(interface: &Interface) -> TokenStream {
    let (name, handle) = (&interface.name, handle_name(interface));
    let text = wire_name(name);
    let arms = interface.methods.iter().map(|method| arm(interface, method));
    quote! {
        struct __FarlensDispatcher<T>(T);

        impl<__FarlensObject: #name> __farlens::Dispatch
            for __FarlensDispatcher<__FarlensObject>
        {
            fn interface(&self) -> ::std::sync::Arc<__farlens::schema::SchemaDoc> {
                __farlens::schema::SchemaDoc::of::<#handle>()
            }

            fn call(
                self: ::std::sync::Arc<Self>,
                call: __farlens::Incoming,
            ) -> __farlens::BoxFuture<'static, ::farlens::Result<__farlens::Outcome>> {
                match call.method.as_str() {
                    #(#arms)*
                    _ => ::std::boxed::Box::pin(async move {
                        ::core::result::Result::Err(call.no_such_method(#text))
                    }),
                }
            }
        }
    }
}

fn arm(interface: &Interface, method: &Method) -> TokenStream {
    let (cfgs, text) = (cfgs(&method.attributes), wire_name(&method.name));
    let (handle, structure) = (handle_name(interface), arguments_name(method));
    let types = super::arguments::types(method);
    let work = work(interface, method);
    quote! {
        #(#cfgs)*
        #text => ::std::boxed::Box::pin(async move {
            let arguments: #structure<#(#types),*> =
                call.arguments(<#handle as __farlens::Described>::interface())?;
            ::core::mem::drop(call);
            #work
        }),
    }
}

fn work(interface: &Interface, method: &Method) -> TokenStream {
    let (trait_, name) = (&interface.name, &method.name);
    let arguments = quote!(arguments);
    let passed = method.parameters.iter().map(|Parameter { name, passed }| match passed {
        Passed::Value(_) => quote!(#arguments.#name),
        Passed::Opened(ty) => {
            quote_spanned!(ty.span()=> <#ty as __farlens::Passed>::receive(#arguments.#name).await?)
        }
        Passed::Stream(stream) => {
            let item = &stream.item;
            quote_spanned!(item.span()=> <#item as __farlens::Item>::open(#arguments.#name))
        }
    });
    let called = quote!(<__FarlensObject as #trait_>::#name(&self.0, #(#passed),*));
    match &method.answer {
        Answer::Value(ty) | Answer::OneWay(ty) => {
            quote_spanned!(ty.span()=> <#ty as __farlens::Answer>::into_outcome(#called.await).await)
        }
        Answer::Stream(stream) => {
            let item = &stream.item;
            quote_spanned! {item.span()=>
                <#item as __farlens::Item>::into_outcome(move |feeder| async move {
                    let _ = &#arguments;
                    __farlens::Feeder::feed(feeder, #called).await
                })
            }
        }
    }
}
