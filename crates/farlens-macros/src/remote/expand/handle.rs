//! The reference: a value that is passed around and called.

use super::{handle_name, shared};
use crate::remote::model::Interface;
use proc_macro2::TokenStream;
use quote::quote;

/// The structure.
pub(super) fn declaration(interface: &Interface) -> TokenStream {
    let Interface { attributes, visibility, name, .. } = interface;
    let (handle, shared) = (handle_name(interface), shared(attributes));
    let doc =
        format!("A reference to a [`{name}`], in this process or at the other end of a link.");
    quote! {
        #(#shared)*
        #[doc = #doc]
        ///
        /// It is a value, which can be a parameter, a result or a part of either. The object lives
        /// as long as somebody has a reference to it.
        #[derive(Clone, ::farlens::object::generated::serde::Serialize)]
        #[derive(::farlens::object::generated::serde::Deserialize)]
        #[serde(crate = "::farlens::object::generated::serde", transparent)]
        #visibility struct #handle(::farlens::Remote);
    }
}

/// What goes for every reference, whatever its methods are.
pub(super) fn implementations(interface: &Interface) -> TokenStream {
    let (name, handle) = (&interface.name, handle_name(interface));
    let handle_text = handle.to_string();
    quote! {
        impl #handle {
            /// A reference to an object of this process.
            pub fn new(object: impl #name) -> Self {
                Self(__farlens::Remote::new(__FarlensDispatcher(object)))
            }

            /// A reference whose calls fail with `DEADLINE_EXCEEDED` unless they are answered in
            /// time.
            #[must_use]
            pub fn with_timeout(&self, timeout: ::core::time::Duration) -> Self {
                Self(self.0.with_timeout(timeout))
            }
        }

        impl __farlens::Described for #handle {
            fn interface() -> &'static ::std::sync::Arc<__farlens::schema::SchemaDoc> {
                static INTERFACE: ::std::sync::OnceLock<
                    ::std::sync::Arc<__farlens::schema::SchemaDoc>,
                > = ::std::sync::OnceLock::new();
                INTERFACE.get_or_init(__farlens::schema::SchemaDoc::of::<Self>)
            }
        }

        impl ::core::fmt::Debug for #handle {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#handle_text).field(&self.0).finish()
            }
        }

        impl ::core::convert::From<__farlens::Remote> for #handle {
            fn from(remote: __farlens::Remote) -> Self {
                Self(remote)
            }
        }

        impl ::core::convert::From<#handle> for __farlens::Publication {
            fn from(handle: #handle) -> Self {
                Self::Object(::core::convert::From::from(handle))
            }
        }

        impl ::core::convert::From<#handle> for __farlens::Remote {
            fn from(handle: #handle) -> Self {
                handle.0
            }
        }

        impl __farlens::Pipelined for #handle {
            fn from_promise(reference: __farlens::Reference) -> Self {
                Self(__farlens::Pipelined::from_promise(reference))
            }
        }
    }
}
