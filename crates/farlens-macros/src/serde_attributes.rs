//! What serde attributes say that a schema can express, and which leave it as it is.
//!
//! The list names those that do, so that what serde adds later is refused until it is understood.

use crate::case::Case;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Expr, LitStr, Result, Token, token};

/// Attributes that concern only how code is generated.
const HARMLESS: [&str; 4] = ["bound", "borrow", "crate", "expecting"];

/// What the attributes of a type, variant or field say together.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) transparent: bool,
    /// Whether there is a value for what is missing.
    pub(crate) default: bool,
    /// Whether unknown fields are refused.
    pub(crate) closed: bool,
    pub(crate) rename: Option<String>,
    /// How what is directly inside is spelled.
    pub(crate) rename_all: Option<Case>,
    /// How the fields of variants are spelled.
    pub(crate) rename_all_fields: Option<Case>,
    pub(crate) aliases: Vec<String>,
}

/// Reads the serde attributes among `attributes`.
///
/// # Errors
/// Where one changes what is written in a way that no schema expresses.
pub(crate) fn read(attributes: &[Attribute]) -> Result<Attributes> {
    let mut found = Attributes::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| found.add(&meta))?;
    }
    Ok(found)
}

impl Attributes {
    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match name.as_str() {
            "transparent" => self.transparent = true,
            "deny_unknown_fields" => self.closed = true,
            "default" => {
                self.default = true;
                skip_value(meta)?;
            }
            "rename" => self.rename = Some(one_name(meta)?.value()),
            "rename_all" => self.rename_all = Some(case(meta)?),
            "rename_all_fields" => self.rename_all_fields = Some(case(meta)?),
            "alias" => self.aliases.push(one_name(meta)?.value()),
            name if HARMLESS.contains(&name) => skip_value(meta)?,
            _ => return Err(refusal(meta, &name)),
        }
        Ok(())
    }
}

fn refusal(meta: &ParseNestedMeta<'_>, name: &str) -> Error {
    let name = if name.is_empty() { "?" } else { name };
    let text = format!(
        "`#[serde({name})]` cannot be described by a Farlens schema: it changes what is written; \
         remove it, or move the field or type behind one without it"
    );
    Error::new_spanned(&meta.path, text)
}

/// The name behind `=`, which reading and writing have in common.
fn one_name(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse();
    }
    let text = "a Farlens schema has one name for reading and writing: write `= \"name\"`";
    Err(Error::new_spanned(&meta.path, text))
}

fn case(meta: &ParseNestedMeta<'_>) -> Result<Case> {
    let name = one_name(meta)?;
    Case::named(&name.value())
        .ok_or_else(|| Error::new_spanned(&name, "serde has no such spelling"))
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
