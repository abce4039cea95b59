//! The description of the interface, and what its types must have.

use super::{cfgs, documentation, handle_name, wire_name};
use crate::remote::model::{Answer, Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

/// `Schema` for the reference, and a function that compiles where all types can travel.
pub(super) fn schema(interface: &Interface) -> TokenStream {
    let handle = handle_name(interface);
    let (name, doc) = (wire_name(&interface.name), documentation(&interface.attributes));
    let methods = interface.methods.iter().map(method);
    let checks = interface.methods.iter().map(checks);
    quote! {
        #[allow(deprecated)]
        impl generated::schema::Schema for #handle {
            fn build(
                builder: &mut generated::schema::SchemaBuilder,
            ) -> generated::schema::Type {
                generated::schema::SchemaBuilder::define::<Self>(builder, #name, |builder| {
                    let _ = &builder;
                    let mut methods = ::std::vec::Vec::new();
                    #(#methods)*
                    generated::schema::Shape::Interface(generated::schema::Interface {
                        doc: ::std::string::String::from(#doc),
                        methods,
                    })
                })
            }
        }

        #[allow(deprecated, dead_code)]
        const fn __farlens_check_types() { #(#checks)* }
    }
}

fn method(method: &Method) -> TokenStream {
    let cfgs = cfgs(&method.attributes);
    let (name, doc) = (wire_name(&method.name), documentation(&method.attributes));
    let params = method.parameters.iter().map(|Parameter { name, passed }| {
        let (name, ty) = (wire_name(name), described(passed));
        quote!((::std::string::String::from(#name), #ty))
    });
    let (result, one_way) = match &method.answer {
        Answer::Value(ty) => (answer(ty), false),
        Answer::OneWay(ty) => (answer(ty), true),
        Answer::Stream(stream) => (items(&stream.item), false),
    };
    quote! {
        #(#cfgs)*
        methods.push(generated::schema::Method {
            name: ::std::string::String::from(#name),
            doc: ::std::string::String::from(#doc),
            params: ::std::vec![#(#params),*],
            result: #result,
            one_way: #one_way,
        });
    }
}

fn described(passed: &Passed) -> TokenStream {
    match passed {
        Passed::Value(ty) => quote!(<#ty as generated::schema::Schema>::build(builder)),
        Passed::Stream(stream) => items(&stream.item),
    }
}

fn answer(ty: &Type) -> TokenStream {
    quote!(<#ty as generated::Answer>::describe(builder))
}

fn items(item: &Type) -> TokenStream {
    quote!(generated::describe::<#item>(builder))
}

/// One statement for each type of a method, at the place where it stands in the trait.
fn checks(method: &Method) -> TokenStream {
    let cfgs = cfgs(&method.attributes);
    let parameters = method.parameters.iter().map(|parameter| match &parameter.passed {
        Passed::Value(ty) => quote_spanned!(ty.span()=> generated::check_parameter::<#ty>();),
        Passed::Stream(stream) => check_item(&stream.item),
    });
    let answer = match &method.answer {
        Answer::Value(ty) | Answer::OneWay(ty) => {
            quote_spanned!(ty.span()=> generated::check_answer::<#ty>();)
        }
        Answer::Stream(stream) => check_item(&stream.item),
    };
    quote! {
        #(#cfgs)*
        const _: () = { #(#parameters)* #answer };
    }
}

fn check_item(item: &Type) -> TokenStream {
    quote_spanned!(item.span()=> generated::check_item::<#item>();)
}
