//! The description of the interface.

use super::{cfgs, documentation, handle_name, wire_name};
use crate::remote::model::{Answer, Interface, Method, Parameter, Passed};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

/// `Schema` for the reference.
pub(super) fn schema(interface: &Interface) -> TokenStream {
    let handle = handle_name(interface);
    let (name, doc) = (wire_name(&interface.name), documentation(&interface.attributes));
    let methods = interface.methods.iter().map(method);
    quote! {
        impl __farlens::schema::Schema for #handle {
            fn build(
                builder: &mut __farlens::schema::SchemaBuilder,
            ) -> __farlens::schema::Type {
                __farlens::schema::SchemaBuilder::define::<Self>(builder, #name, |builder| {
                    let _ = &builder;
                    let mut methods = ::std::vec::Vec::new();
                    #(#methods)*
                    __farlens::schema::Shape::Interface(__farlens::schema::Interface {
                        doc: ::std::string::String::from(#doc),
                        methods,
                    })
                })
            }
        }
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
        methods.push(__farlens::schema::Method {
            name: ::std::string::String::from(#name),
            doc: ::std::string::String::from(#doc),
            params: ::std::vec![#(#params),*],
            result: #result,
            one_way: #one_way,
        });
    }
}

fn described(passed: &Passed) -> TokenStream {
    let builder = quote!(builder);
    match passed {
        Passed::Value(ty) => {
            quote_spanned!(ty.span()=> <#ty as __farlens::Parameter>::describe(#builder))
        }
        Passed::Opened(ty) => {
            quote_spanned!(ty.span()=> <#ty as __farlens::Passed>::describe(#builder))
        }
        Passed::Stream(stream) => items(&stream.item),
    }
}

fn answer(ty: &Type) -> TokenStream {
    let builder = quote!(builder);
    quote_spanned!(ty.span()=> <#ty as __farlens::Answer>::describe(#builder))
}

fn items(item: &Type) -> TokenStream {
    let builder = quote!(builder);
    quote_spanned!(item.span()=> <#item as __farlens::Item>::describe(#builder))
}
