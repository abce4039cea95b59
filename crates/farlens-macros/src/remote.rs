//! The expansion of `#[farlens::remote]`: a trait is parsed into a model, and that is written out.

mod expand;
mod method;
mod model;
mod parse;
mod refuse;
mod signature;

use proc_macro2::TokenStream;
use syn::{Error, ItemTrait, Result};

/// The trait and everything that makes it callable from afar.
///
/// # Errors
/// For whatever cannot be remote, all of it at once.
pub(crate) fn expand(arguments: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[farlens::remote]` takes no arguments"));
    }
    let trait_: ItemTrait = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), format!("a trait is expected here: {error}")))?;
    Ok(expand::expand(&parse::interface(trait_)?))
}

#[cfg(test)]
mod tests;
