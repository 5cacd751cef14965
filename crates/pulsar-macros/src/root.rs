//! The name under which the user's crate knows Pulsar.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// The path to Pulsar's root: the face under whatever name its user gave it, else the core.
pub(crate) fn root() -> TokenStream {
    let found = match crate_name("pulsar-actors") {
        // The package and its library have different names: without a rename the library's
        // counts, which the manifest does not show.
        Ok(FoundCrate::Itself) => "pulsar".to_owned(),
        Ok(FoundCrate::Name(name)) if name == "pulsar_actors" => "pulsar".to_owned(),
        Ok(FoundCrate::Name(name)) => name,
        Err(_) => match crate_name("pulsar-core") {
            Ok(FoundCrate::Name(name)) => name,
            _ => "pulsar_core".to_owned(),
        },
    };
    let ident = Ident::new(&found, Span::call_site());
    quote!(::#ident)
}

/// The path to the crate of actors, from the crates of the runtime itself.
pub(crate) fn actor_root() -> TokenStream {
    match crate_name("pulsar-actor") {
        Ok(FoundCrate::Name(name)) => {
            let ident = Ident::new(&name, Span::call_site());
            quote!(::#ident)
        }
        _ => quote!(crate),
    }
}
