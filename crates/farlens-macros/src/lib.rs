//! Macros of Farlens.

mod case;
mod remote;
mod schema;
mod serde_attributes;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Describes a structure or enum as serde's derived `Serialize` writes it.
///
/// Derive it beside `Serialize` and `Deserialize`. Type parameters get the bound `Schema`; lifetime
/// parameters are refused, since a description belongs to an owned type.
///
/// Of serde's attributes `rename`, `rename_all`, `rename_all_fields`, `alias`, `default`,
/// `deny_unknown_fields` and `transparent` are part of the description. Those that change what is
/// written in another way are refused.
///
/// The generated code names things in `::farlens::schema`. Where that does not exist,
/// `#[farlens(crate = "path::to::schema")]` names the module to use.
#[proc_macro_derive(Schema, attributes(farlens, serde))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    schema::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a trait one whose methods can be called from afar.
///
/// The documentation, with an example, is where the macro is exported: `farlens::remote`.
#[proc_macro_attribute]
pub fn remote(arguments: TokenStream, item: TokenStream) -> TokenStream {
    remote::expand(&arguments.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
