//! `#[pulsar::main]` and `#[pulsar::test]`: programs with an arbiter on their main thread.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ItemFn, MetaNameValue};

use crate::root::root;

pub(crate) fn main(attributes: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let preload = preload(attributes)?;
    let function = plain(&TokenStream::new(), item, "#[pulsar::main]")?;
    let (root, name) = (root(), function.sig.ident.clone());
    if name != "main" {
        let message = "#[pulsar::main] marks `main`; children enter the program there";
        return Err(Error::new_spanned(&name, message));
    }
    let (vis, output, body, attrs) = (
        &function.vis,
        &function.sig.output,
        &function.block,
        &function.attrs,
    );
    if function.sig.asyncness.is_none() {
        let signature = &function.sig;
        return Ok(quote! {
            #(#attrs)*
            #vis #signature {
                #root::__private::enter(#preload);
                #body
            }
        });
    }
    Ok(quote! {
        #(#attrs)*
        #vis fn main() -> ::std::process::ExitCode {
            async fn __pulsar_body() #output #body
            #root::__private::run_main(__pulsar_body, #preload)
        }
    })
}

/// The option `preload = path`, as the entry takes it.
fn preload(attributes: TokenStream) -> syn::Result<TokenStream> {
    let root = root();
    if attributes.is_empty() {
        return Ok(quote!(::core::option::Option::None));
    }
    let said: MetaNameValue = syn::parse2(attributes.clone()).map_err(|_| {
        let message = "#[pulsar::main] takes one option, `preload = function`";
        Error::new_spanned(&attributes, message)
    })?;
    match (said.path.is_ident("preload"), &said.value) {
        (true, Expr::Path(function)) => Ok(quote! {
            ::core::option::Option::Some(|| #root::__private::HookOutput::into_result(#function()))
        }),
        (true, other) => Err(Error::new_spanned(
            other,
            "`preload` names a function without parameters",
        )),
        (false, _) => Err(Error::new_spanned(
            &said.path,
            "#[pulsar::main] takes one option, `preload = function`",
        )),
    }
}

pub(crate) fn test(attributes: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = plain(&attributes, item, "#[pulsar::test]")?;
    if function.sig.asyncness.is_none() {
        let message = "#[pulsar::test] runs an `async fn` on the arbiter's event loop: add `async`";
        return Err(Error::new_spanned(function.sig.fn_token, message));
    }
    let (root, name) = (root(), &function.sig.ident);
    let (output, body, attrs) = (&function.sig.output, &function.block, &function.attrs);
    let text = name.to_string();
    Ok(quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        fn #name() {
            async fn __pulsar_body() #output #body
            #[#root::__private::linkme::distributed_slice(#root::__private::TESTS)]
            #[linkme(crate = #root::__private::linkme)]
            static __PULSAR_TEST: #root::__private::TestDef = #root::__private::TestDef {
                name: ::core::concat!(::core::module_path!(), "::", #text),
                run: || #root::__private::run_main(__pulsar_body, ::core::option::Option::None),
            };
            #root::__private::before_main!(#root::__private::enter_test);
            #root::__private::run_test(&__PULSAR_TEST);
        }
    })
}

fn plain(attributes: &TokenStream, item: TokenStream, what: &str) -> syn::Result<ItemFn> {
    if !attributes.is_empty() {
        return Err(Error::new_spanned(
            attributes,
            format!("{what} takes no options"),
        ));
    }
    let function: ItemFn = syn::parse2(item)?;
    let generic = !function.sig.generics.params.is_empty();
    if generic || !function.sig.inputs.is_empty() {
        let message = format!("{what} marks a function without parameters");
        return Err(Error::new_spanned(&function.sig, message));
    }
    Ok(function)
}
