//! The expansion of `#[derive(Schema)]`.

use crate::case::Case;
use crate::serde_attributes::{self, Attributes};
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Error, Fields, LitStr, Path, Result, parse_quote};

/// The implementation of `Schema` for the type that `input` declares.
///
/// # Errors
/// For unions, lifetime parameters and serde attributes that a schema cannot express.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let schema = module(&input.attrs)?;
    let attributes = serde_attributes::read(&input.attrs)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(Error::new_spanned(lifetime, "a schema describes types without lifetimes"));
    }
    let body = match &input.data {
        Data::Struct(data) if attributes.transparent => inner(&schema, &data.fields)?,
        Data::Struct(data) => {
            let rules = Rules {
                case: attributes.rename_all,
                default: attributes.default,
                closed: attributes.closed,
            };
            let fields = fields(&schema, &data.fields, &rules)?;
            define(&schema, input, &attributes, &quote!(#schema::Shape::Struct(#fields)))
        }
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|each| variant(&schema, each, &attributes));
            let variants = variants.collect::<Result<Vec<_>>>()?;
            let shape = quote!(#schema::Shape::Enum(::std::vec![#(#variants),*]));
            define(&schema, input, &attributes, &shape)
        }
        Data::Union(data) => {
            return Err(Error::new_spanned(data.union_token, "a union has no schema"));
        }
    };
    Ok(implementation(&schema, input, &body))
}

fn implementation(schema: &Path, input: &DeriveInput, body: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#schema::Schema));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #schema::Schema for #name #arguments #bounds {
            fn build(builder: &mut #schema::SchemaBuilder) -> #schema::Type {
                #body
            }
        }
    }
}

/// The module that the generated code refers to.
fn module(attributes: &[Attribute]) -> Result<Path> {
    let mut path: Path = parse_quote!(::farlens::schema);
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("farlens")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("the only key here is `crate`"));
            }
            path = meta.value()?.parse::<LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    Ok(path)
}

fn define(
    schema: &Path,
    input: &DeriveInput,
    attributes: &Attributes,
    shape: &TokenStream,
) -> TokenStream {
    let name = attributes.rename.clone().unwrap_or_else(|| input.ident.unraw().to_string());
    quote! {
        #schema::SchemaBuilder::define::<Self>(builder, #name, |builder| {
            let _ = &builder;
            #shape
        })
    }
}

fn variant(schema: &Path, variant: &syn::Variant, of: &Attributes) -> Result<TokenStream> {
    let attributes = serde_attributes::read(&variant.attrs)?;
    let ident = variant.ident.unraw().to_string();
    let spelled = of.rename_all.map_or_else(|| ident.clone(), |case| case.of_variant(&ident));
    let name = attributes.rename.unwrap_or(spelled);
    let rules = Rules {
        case: attributes.rename_all.or(of.rename_all_fields),
        default: false,
        closed: of.closed,
    };
    let fields = fields(schema, &variant.fields, &rules)?;
    let built = quote!(#schema::Variant::new(#name, #fields));
    Ok(with_aliases(schema, &quote!(Variant), &attributes.aliases, built))
}

/// The type that a transparent structure stands for.
fn inner(schema: &Path, fields: &Fields) -> Result<TokenStream> {
    let mut all = fields.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => {
            serde_attributes::read(&only.attrs)?;
            let ty = &only.ty;
            Ok(quote!(<#ty as #schema::Schema>::build(builder)))
        }
        _ => Err(Error::new_spanned(fields, "a transparent structure has exactly one field")),
    }
}

/// What a type or variant says of all its fields.
struct Rules {
    case: Option<Case>,
    default: bool,
    closed: bool,
}

fn fields(schema: &Path, fields: &Fields, rules: &Rules) -> Result<TokenStream> {
    let parts = fields.iter().map(|field| part(schema, field, rules));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Ok(match fields {
        Fields::Named(_) if rules.closed => {
            quote!(#schema::Fields::Named { fields: ::std::vec![#(#parts),*], closed: true })
        }
        Fields::Named(_) => quote!(#schema::Fields::named(::std::vec![#(#parts),*])),
        Fields::Unnamed(_) => quote!(#schema::Fields::Tuple(::std::vec![#(#parts),*])),
        Fields::Unit => quote!(#schema::Fields::Unit),
    })
}

/// A field with a name, or the type of one without.
fn part(schema: &Path, field: &syn::Field, rules: &Rules) -> Result<TokenStream> {
    let attributes = serde_attributes::read(&field.attrs)?;
    let ty = &field.ty;
    let built = quote!(<#ty as #schema::Schema>::build(builder));
    let Some(ident) = &field.ident else { return Ok(built) };
    let ident = ident.unraw().to_string();
    let spelled = rules.case.map_or_else(|| ident.clone(), |case| case.of_field(&ident));
    let name = attributes.rename.unwrap_or(spelled);
    let built = quote!(#schema::Field::new(#name, #built));
    let built = with_aliases(schema, &quote!(Field), &attributes.aliases, built);
    Ok(if rules.default || attributes.default {
        quote!(#schema::Field { default: true, ..#built })
    } else {
        built
    })
}

fn with_aliases(
    schema: &Path,
    kind: &TokenStream,
    aliases: &[String],
    built: TokenStream,
) -> TokenStream {
    if aliases.is_empty() {
        return built;
    }
    quote! {
        #schema::#kind {
            aliases: ::std::vec![#(::std::string::String::from(#aliases)),*],
            ..#built
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(declaration: &str) -> String {
        let input = syn::parse_str(declaration).expect("it is a declaration");
        expand(&input).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_changes_the_encoding_is_refused_by_name() {
        for (attribute, name) in [
            ("flatten", "flatten"),
            ("skip", "skip"),
            ("skip_serializing", "skip_serializing"),
            ("skip_deserializing", "skip_deserializing"),
            ("skip_serializing_if = \"f\"", "skip_serializing_if"),
            ("with = \"m\"", "with"),
            ("serialize_with = \"f\"", "serialize_with"),
            ("deserialize_with = \"f\"", "deserialize_with"),
            ("default, getter = \"b\"", "getter"),
        ] {
            let text = refusal(&format!("struct S {{ #[serde({attribute})] a: u8 }}"));
            assert!(text.starts_with(&format!("`#[serde({name})]` cannot")), "{text}");
        }
        for (attribute, name) in [
            ("untagged", "untagged"),
            ("tag = \"t\"", "tag"),
            ("tag = \"t\", content = \"c\"", "tag"),
            ("into = \"u8\"", "into"),
        ] {
            let text = refusal(&format!("#[serde({attribute})] enum E {{ A }}"));
            assert!(text.starts_with(&format!("`#[serde({name})]` cannot")), "{text}");
        }
        assert!(refusal("enum E { #[serde(other)] A }").contains("`#[serde(other)]`"));
        assert!(refusal("enum E { A { #[serde(skip)] a: u8 } }").contains("`#[serde(skip)]`"));
    }

    #[test]
    fn reading_and_writing_have_the_same_names() {
        for attribute in [
            "rename(serialize = \"a\", deserialize = \"b\")",
            "rename_all(serialize = \"lowercase\")",
        ] {
            let text = refusal(&format!("#[serde({attribute})] struct S {{ a: u8 }}"));
            assert!(text.contains("one name for reading and writing"), "{text}");
        }
        let text = refusal("#[serde(rename_all = \"Title Case\")] struct S { a: u8 }");
        assert!(text.contains("no such spelling"), "{text}");
    }

    #[test]
    fn what_has_no_description_is_refused() {
        assert!(refusal("struct S<'a>(&'a str);").contains("lifetimes"));
        assert!(refusal("union U { a: u8 }").contains("union"));
        assert!(refusal("#[farlens(other = \"x\")] struct S;").contains("`crate`"));
        assert!(refusal("#[serde(transparent)] struct S(u8, u8);").contains("exactly one"));
    }

    #[test]
    fn what_leaves_the_encoding_alone_is_accepted() {
        let input = syn::parse_str(
            "#[serde(deny_unknown_fields, bound(serialize = \"T: X\"), crate = \"serde\")]
             struct S<T> { #[serde(default = \"f\", alias = \"b\")] r#type: T }",
        );
        let code = expand(&input.expect("it is a declaration")).map(|code| code.to_string());
        let code = code.expect("it is described");
        assert!(code.contains("\"type\"") && code.contains(":: farlens :: schema"), "{code}");
    }
}
