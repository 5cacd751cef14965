//! `#[pulsar::remote]`: a function that runs on any actor.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Error, FnArg, ItemFn};

use crate::method::is_context;
use crate::root::root;

pub(crate) fn remote(attributes: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !attributes.is_empty() {
        let message = "#[pulsar::remote] takes no options";
        return Err(Error::new_spanned(attributes, message));
    }
    let function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    let (root, name) = (root(), &function.sig.ident);
    let text = name.unraw().to_string();
    Ok(quote! {
        // One copy of it in the program, so that its address means it wherever it is taken.
        #[inline(never)]
        #function
        const _: () = {
            #[#root::__private::linkme::distributed_slice(#root::__private::REMOTES)]
            #[linkme(crate = #root::__private::linkme)]
            static REMOTE: #root::__private::RemoteDef = #root::__private::RemoteDef::new(
                ::core::concat!(::core::module_path!(), "::", #text),
                || #root::__private::Which::of(#name),
                |__pulsar_cx, __pulsar_args| {
                    #root::__private::run_written(__pulsar_cx, #name, __pulsar_args)
                },
            );
        };
    })
}

fn check(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        let message = "a remote function has a name of its own on the wire and so cannot be generic: write one \
                       function for each type";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if signature.asyncness.is_none() {
        let message = "a remote function is an `async fn`: add `async`";
        return Err(Error::new_spanned(signature.fn_token, message));
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(first) if is_context(first) => {}
        Some(FnArg::Receiver(receiver)) => {
            let message = "a remote function takes no `self`: for a command of an actor's own, use \
                           #[pulsar::actor]";
            return Err(Error::new_spanned(receiver, message));
        }
        first => {
            let message = "a remote function's first parameter is the actor's `Context`";
            let at = first.map_or_else(|| signature.to_token_stream(), ToTokens::to_token_stream);
            return Err(Error::new_spanned(at, message));
        }
    }
    match (inputs.next(), inputs.next()) {
        (Some(_), None) => Ok(()),
        _ => {
            let message = "a remote function takes the `Context` and one value: a tuple or a struct for more, `_: ()` \
                           for none";
            Err(Error::new_spanned(&signature.inputs, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(item: TokenStream) -> String {
        remote(&TokenStream::new(), item).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_run_anywhere_is_refused_with_what_to_write() {
        let cases = [
            (
                quote!(
                    fn f(cx: Context, n: u8) {}
                ),
                "add `async`",
            ),
            (
                quote!(
                    async fn f() {}
                ),
                "`Context`",
            ),
            (
                quote!(
                    async fn f(self, n: u8) {}
                ),
                "#[pulsar::actor]",
            ),
            (
                quote!(
                    async fn f<T>(cx: Context, t: T) {}
                ),
                "cannot be generic",
            ),
            (
                quote!(
                    async fn f(cx: Context) {}
                ),
                "one value",
            ),
            (
                quote!(
                    async fn f(cx: Context, a: u8, b: u8) {}
                ),
                "one value",
            ),
        ];
        for (item, expected) in cases {
            let error = error_of(item);
            assert!(error.contains(expected), "{error}");
        }
    }
}
