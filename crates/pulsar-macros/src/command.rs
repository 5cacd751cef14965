//! `#[command]`: a function becomes a command.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Error, FnArg, Ident, ItemFn, ReturnType, Type};

use crate::actor_expansion::allow;
use crate::method::{is_context, place, refuse_borrowed};
use crate::root::{actor_root, root};
use crate::signature::{
    argument, deprecated, doc, docs, is_result, refuse_generics, refuse_many, reply_label,
    signature, spaced,
};

/// A command that adds itself to the program's table.
pub(crate) fn registered(attributes: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let command = Parsed::new(&attributes, item)?;
    let root = root();
    let marker = command.marker();
    let definition = command.expand(&root);
    Ok(quote! {
        #definition
        const _: () = {
            #[#root::__private::linkme::distributed_slice(#root::__private::COMMANDS)]
            #[linkme(crate = #root::__private::linkme)]
            static COMMAND: #root::__private::CommandDef =
                #root::__private::CommandDef::of::<#marker>();
        };
    })
}

/// A command of the runtime's own.
pub(crate) fn builtin(attributes: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let command = Parsed::new(&attributes, item)?;
    Ok(Parsed {
        builtin: true,
        ..command
    }
    .expand(&actor_root()))
}

struct Parsed {
    function: ItemFn,
    args: Vec<(Ident, Type)>,
    ack: bool,
    builtin: bool,
}

impl Parsed {
    fn new(attributes: &TokenStream, item: TokenStream) -> syn::Result<Self> {
        let function: ItemFn = syn::parse2(item)?;
        refuse_generics(&function.sig)?;
        let ack = match attributes.to_string().as_str() {
            "" => true,
            "no_ack" => false,
            _ => {
                let message = "unknown option: #[command] or #[command(no_ack)]";
                return Err(Error::new_spanned(attributes, message));
            }
        };
        if !ack && let ReturnType::Type(_, returned) = &function.sig.output {
            let message = "nobody waits for a command without acknowledgement: it returns nothing";
            return Err(Error::new_spanned(returned, message));
        }
        let mut inputs = function.sig.inputs.iter();
        match inputs.next() {
            Some(first) if is_context(first) => {}
            Some(FnArg::Receiver(receiver)) => {
                let message = "a free command takes no `self`: for a command of an actor's own, mark the \
                               whole `impl` block with #[pulsar::actor]";
                return Err(Error::new_spanned(receiver, message));
            }
            first => {
                let message = "a command's first parameter is the actor's `Context`";
                let at =
                    first.map_or_else(|| function.sig.to_token_stream(), ToTokens::to_token_stream);
                return Err(Error::new_spanned(at, message));
            }
        }
        let args = inputs.map(argument).collect::<syn::Result<Vec<_>>>()?;
        refuse_many(&function.sig, args.len())?;
        args.iter()
            .try_for_each(|(_, ty)| refuse_borrowed(ty, false))?;
        Ok(Self {
            function,
            args,
            ack,
            builtin: false,
        })
    }

    fn marker(&self) -> Ident {
        // The name as it is: two names that differ have markers that differ.
        let name = self.function.sig.ident.unraw();
        format_ident!("__{name}Command", span = self.function.sig.ident.span())
    }

    fn expand(&self, root: &TokenStream) -> TokenStream {
        let (vis, name, marker) = (&self.function.vis, &self.function.sig.ident, self.marker());
        let attributes = &self.function.attrs;
        let (docs, deprecated) = (docs(attributes), deprecated(attributes));
        let allow = allow(&["non_camel_case_types"]);
        let text = name.unraw().to_string();
        let signature = format!("The command `{text}{}`.", self.signature());
        let implementation = self.implementation(root, &marker);
        quote! {
            #(#docs)*
            #[doc = ""]
            #[doc = #signature]
            #deprecated
            #vis fn #name() -> #marker {
                #marker
            }
            #[doc(hidden)]
            #allow
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #vis struct #marker;
            #implementation
        }
    }

    fn implementation(&self, root: &TokenStream, marker: &Ident) -> TokenStream {
        let name = &self.function.sig.ident;
        let text = name.unraw().to_string();
        let doc = doc(&self.function.attrs);
        let (ack, builtin) = (self.ack, self.builtin);
        let (names, types): (Vec<_>, Vec<_>) =
            self.args.iter().map(|(name, ty)| (name, ty)).unzip();
        let labels = names.iter().map(|name| name.unraw().to_string());
        let type_labels = types.iter().map(|ty| spaced(ty.to_token_stream()));
        let reply_label = reply_label(&self.function.sig.output);
        let (reply, error, wrap) = self.outcome(root);
        let mut function = self.function.clone();
        function.vis = syn::Visibility::Inherited;
        // Under another name: in its own body the command's name shall mean the command.
        function.sig.ident = format_ident!("__body", span = name.span());
        function.attrs.retain(|attribute| {
            let path = attribute.path();
            !path.is_ident("doc") && !path.is_ident("deprecated")
        });
        let dot_await = function.sig.asyncness.map(|_| quote!(.await));
        // What is wrong with the arguments shall be said where they stand.
        let at = types.first().map_or_else(Span::call_site, place);
        let args = quote_spanned!(at=> (#(#types,)*));
        let run = wrap(quote!(__body(__pulsar_cx, #(#names),*) #dot_await));
        quote! {
            impl #root::__private::Command for #marker {
                const NAME: &'static str = #text;
                const DOC: &'static str = #doc;
                const ARGS: &'static [(&'static str, &'static str)] = &[#((#labels, #type_labels)),*];
                const REPLY: &'static str = #reply_label;
                const ACK: bool = #ack;
                const BUILTIN: bool = #builtin;
                type Args = #args;
                type Reply = #reply;
                type Error = #error;

                fn call(
                    __pulsar_cx: #root::Context,
                    (#(#names,)*): Self::Args,
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<Self::Reply, Self::Error>,
                > + ::core::marker::Send + 'static {
                    #function
                    async move { #run }
                }
            }
        }
    }

    /// The types of reply and error, and how the body's value becomes a `Result` of them.
    fn outcome(
        &self,
        root: &TokenStream,
    ) -> (TokenStream, TokenStream, fn(TokenStream) -> TokenStream) {
        let ReturnType::Type(_, returned) = &self.function.sig.output else {
            return (quote!(()), quote!(#root::Never), ok);
        };
        if !is_result(returned) {
            return (returned.to_token_stream(), quote!(#root::Never), ok);
        }
        let reply = quote!(<#returned as #root::__private::ResultParts>::Ok);
        let error = quote!(<#returned as #root::__private::ResultParts>::Err);
        (reply, error, |value| value)
    }

    fn signature(&self) -> String {
        signature(&self.args, &self.function.sig.output)
    }
}

fn ok(value: TokenStream) -> TokenStream {
    quote!(::core::result::Result::Ok(#value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(item: TokenStream) -> String {
        registered(TokenStream::new(), item)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_no_command_is_refused_with_what_to_write() {
        assert!(
            error_of(quote!(
                fn f() {}
            ))
            .contains("`Context`")
        );
        assert!(
            error_of(quote!(
                fn f(self) {}
            ))
            .contains("#[pulsar::actor]")
        );
        assert!(
            error_of(quote!(
                fn f<T>(cx: Context, t: T) {}
            ))
            .contains("cannot be generic")
        );
        assert!(
            error_of(quote!(
                fn f(cx: Context, (a, b): (u8, u8)) {}
            ))
            .contains("plain name")
        );
    }

    #[test]
    fn the_signature_is_shown_as_written() {
        let item = quote!(
            fn f(cx: Context, names: Vec<String>) -> Result<u8, E> {
                Ok(1)
            }
        );
        let parsed = Parsed::new(&TokenStream::new(), item).unwrap();
        assert_eq!(parsed.signature(), "(names: Vec<String>) -> Result<u8, E>");
    }
}
