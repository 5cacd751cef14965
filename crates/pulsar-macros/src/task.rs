//! `#[task]`: a method of an async object that can be awaited and waited for.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Error, FnArg, GenericParam, ImplItemFn, Meta, Pat, ReturnType, Type, parse_quote,
    parse_quote_spanned,
};

use crate::method::{is_borrowed, is_mutable, refuse_reference};
use crate::root::root;

/// The method, and the function that holds its body.
pub(crate) fn task(attributes: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !attributes.is_empty() {
        let message = "#[task] takes no options";
        return Err(Error::new_spanned(attributes, message));
    }
    let method: ImplItemFn = syn::parse2(item)?;
    check(&method)?;
    let root = root();
    let inner = inner(&method);
    let outer = outer(&method, &inner, &root)?;
    Ok(quote!(#outer #inner))
}

fn check(method: &ImplItemFn) -> syn::Result<()> {
    let signature = &method.sig;
    if signature.asyncness.is_none() {
        let message = "a task is an `async fn`: what need not be awaited needs no task";
        return Err(Error::new_spanned(signature.fn_token, message));
    }
    let Some(FnArg::Receiver(receiver)) = signature.inputs.first() else {
        let message =
            "a task is a method of an async object, whose event loop it runs on: take `&self`";
        return Err(Error::new_spanned(&signature.ident, message));
    };
    if !is_borrowed(receiver) || is_mutable(receiver) {
        let message = "a task works on a clone of its object, a cheap handle: take `&self`, and keep what \
                       changes behind it";
        return Err(Error::new_spanned(receiver, message));
    }
    for parameter in &signature.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            return Err(Error::new_spanned(lifetime, OWNED));
        }
    }
    for input in signature.inputs.iter().skip(1) {
        if let FnArg::Typed(argument) = input {
            refuse_reference(&argument.ty, OWNED)?;
            if let Type::ImplTrait(ty) = &*argument.ty {
                let message =
                    "name the type: `async fn f<T: Trait + Send + 'static>(&self, it: T)`";
                return Err(Error::new_spanned(ty, message));
            }
        }
    }
    match &signature.output {
        ReturnType::Default => Ok(()),
        ReturnType::Type(_, returned) => refuse_reference(
            returned,
            "a task's value leaves its object: give `String` for `&str`, `Vec<T>` for `&[T]`",
        ),
    }
}

const OWNED: &str = "a task may run on another thread than its caller, and owns its arguments: take `String` for \
                     `&str`, `Vec<T>` for `&[T]`";

/// The body, under a name that nobody calls.
fn inner(method: &ImplItemFn) -> ImplItemFn {
    let mut inner = method.clone();
    inner.vis = syn::Visibility::Inherited;
    inner.sig.ident = format_ident!("__task_{}", method.sig.ident.unraw());
    // Conditions and lints hold for both; what is said to callers is said once.
    inner.attrs.retain(|attribute| {
        let path = attribute.path();
        !["doc", "deprecated", "must_use"]
            .iter()
            .any(|said| path.is_ident(said))
    });
    inner.attrs.push(parse_quote!(#[doc(hidden)]));
    inner
}

/// The method as callers see it.
fn outer(method: &ImplItemFn, inner: &ImplItemFn, root: &TokenStream) -> syn::Result<ImplItemFn> {
    let mut outer = method.clone();
    outer.attrs = method.attrs.iter().map(tolerant).collect();
    let name = &inner.sig.ident;
    let returned = match &method.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, returned) => returned.to_token_stream(),
    };
    let mut names = Vec::new();
    for (index, input) in outer.sig.inputs.iter_mut().skip(1).enumerate() {
        if let FnArg::Typed(argument) = input {
            // The patterns are the body's business.
            let plain = match &*argument.pat {
                Pat::Ident(pattern) if pattern.subpat.is_none() => pattern.ident.clone(),
                _ => format_ident!("argument_{index}"),
            };
            *argument.pat = parse_quote_spanned!(plain.span()=> #plain);
            names.push(plain);
        }
    }
    outer.sig.asyncness = None;
    outer.sig.output = syn::parse2(quote!(-> #root::Task<#returned>))?;
    let types = method.sig.generics.type_params();
    let generics: Vec<_> = types.map(|parameter| parameter.ident.clone()).collect();
    let consts = method.sig.generics.const_params();
    let generics = generics
        .into_iter()
        .chain(consts.map(|parameter| parameter.ident.clone()));
    let generics: Vec<_> = generics.collect();
    let turbofish = (!generics.is_empty()).then(|| quote!(::<#(#generics),*>));
    outer.block = parse_quote!({
        let __object = ::core::clone::Clone::clone(self);
        #root::Task::new(self, async move { __object.#name #turbofish (#(#names),*).await })
    });
    Ok(outer)
}

/// A lint that the body is expected to have need not be found in the method around it.
fn tolerant(attribute: &Attribute) -> Attribute {
    let mut tolerant = attribute.clone();
    if let Meta::List(list) = &mut tolerant.meta
        && list.path.is_ident("expect")
    {
        list.path = parse_quote!(allow);
    }
    tolerant
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(item: TokenStream) -> String {
        task(&TokenStream::new(), item).unwrap_err().to_string()
    }

    #[test]
    fn what_can_be_no_task_is_refused_with_what_to_write() {
        for (item, says) in [
            (
                quote!(
                    fn f(&self) {}
                ),
                "`async fn`",
            ),
            (
                quote!(
                    async fn f() {}
                ),
                "take `&self`",
            ),
            (
                quote!(
                    async fn f(self) {}
                ),
                "take `&self`",
            ),
            (
                quote!(
                    async fn f(&mut self) {}
                ),
                "keep what changes behind it",
            ),
            (
                quote!(
                    async fn f<'a>(&self, it: Cow<'a, str>) {}
                ),
                "`String`",
            ),
            (
                quote!(
                    async fn f(&self, it: &str) {}
                ),
                "`String`",
            ),
            (
                quote!(
                    async fn f(&self, it: Option<&str>) {}
                ),
                "`String`",
            ),
            (
                quote!(
                    async fn f(&self, it: impl Send) {}
                ),
                "name the type",
            ),
            (
                quote!(
                    async fn f(&self) -> &str {}
                ),
                "leaves its object",
            ),
        ] {
            let error = error_of(item);
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_method_keeps_what_is_said_of_it_and_gives_a_task() {
        let item = quote!(
            /// Gets.
            #[must_use]
            pub async fn get<K: Send + 'static>(&self, mut key: K, (a, b): (u8, u8)) -> u8 {
                0
            }
        );
        let text = task(&TokenStream::new(), item).unwrap().to_string();
        let (outer, inner) = text.split_once("__task_get ::").unwrap();
        assert!(outer.contains("must_use") && outer.contains("Gets."));
        assert!(outer.contains("pub fn get < K : Send + 'static > (& self , key : K ,"));
        assert!(outer.contains("Task < u8 >"));
        assert!(inner.contains("async fn __task_get") && !inner.contains("must_use"));
        assert!(inner.contains("mut key : K"));
    }

    #[test]
    fn a_lint_that_is_expected_is_expected_of_the_body_alone() {
        let item = quote!(
            #[expect(clippy::too_many_lines, reason = "a long story")]
            async fn tell(&self) {}
        );
        let text = task(&TokenStream::new(), item).unwrap().to_string();
        let (outer, inner) = text.split_once("__task_tell ()").unwrap();
        assert!(outer.contains("allow (clippy :: too_many_lines") && !outer.contains("expect"));
        assert!(
            inner.contains("expect (clippy :: too_many_lines"),
            "{inner}"
        );
    }
}
