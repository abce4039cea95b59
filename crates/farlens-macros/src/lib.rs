//! Derive macros of Farlens.

mod schema;
mod serde_attributes;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Describes a structure or enum as serde's derived `Serialize` writes it.
///
/// Derive it beside `Serialize` and `Deserialize`. Type parameters get the bound `Schema`; lifetime
/// parameters are refused, since a description belongs to an owned type. Serde attributes that
/// change what is written are refused as well.
///
/// The generated code names things in `::farlens::schema`. Where that does not exist,
/// `#[farlens(crate = "path::to::schema")]` names the module to use.
#[proc_macro_derive(Schema, attributes(farlens, serde))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    schema::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
