//! Which serde attributes leave the encoding as a schema describes it.
//!
//! The list names those that do, so that what serde adds later is refused until it is understood.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, Result, Token, token};

/// Attributes that concern only decoding, or how code is generated.
const HARMLESS: [&str; 8] = [
    "alias",
    "bound",
    "borrow",
    "crate",
    "default",
    "deny_unknown_fields",
    "expecting",
    "transparent",
];

/// Whether one of the attributes is `#[serde(transparent)]`.
///
/// # Errors
/// Where one changes what is written in a way that no schema expresses.
pub(crate) fn check(attributes: &[Attribute]) -> Result<bool> {
    let mut transparent = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            let known = HARMLESS.iter().any(|name| meta.path.is_ident(name));
            transparent |= meta.path.is_ident("transparent");
            if known { skip_value(&meta) } else { Err(refusal(&meta)) }
        })?;
    }
    Ok(transparent)
}

fn refusal(meta: &ParseNestedMeta<'_>) -> Error {
    let name = meta.path.get_ident().map_or_else(|| "?".to_owned(), ToString::to_string);
    let text = format!(
        "`#[serde({name})]` cannot be described by a Farlens schema: it changes what is written; \
         remove it, or move the field or type behind one without it"
    );
    Error::new_spanned(&meta.path, text)
}

fn skip_value(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    } else if meta.input.peek(token::Paren) {
        let inside;
        syn::parenthesized!(inside in meta.input);
        inside.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
