//! What becomes of an actor type.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{GenericParam, Type};

use crate::actor::{Act, Actor};
use crate::method::{Method, place};
use crate::signature::{deprecated, doc, docs, reply_label, signature, spaced};

/// The block itself, `spawn`, and the implementation of `Actor` with the types that it needs.
pub(crate) fn expand(actor: &Actor, root: &TokenStream) -> TokenStream {
    let block = &actor.block;
    let spawn = spawn(actor, root);
    let types = types(actor, root);
    let calls = calls(actor, root);
    let implementation = implementation(actor, root);
    let concurrent = concurrent(actor, root);
    let (generics, self_type) = (Generics::new(actor), &block.self_ty);
    let Generics {
        declared, bounds, ..
    } = &generics;
    let roaming = (!actor.is_local).then(|| {
        // What is wrong with the start's arguments is said at the type, not at the macro.
        let (at, root) = (place(self_type), moved(root, place(self_type)));
        quote_spanned! {at=>
            #[automatically_derived]
            impl #declared #root::__private::Roaming for #self_type #bounds {}
        }
    });
    // The instances of a generic type are not known here.
    let is_listed = !actor.is_local && block.generics.params.is_empty();
    let registered = is_listed.then(|| {
        quote! {
            #[#root::__private::linkme::distributed_slice(#root::__private::ACTORS)]
            #[linkme(crate = #root::__private::linkme)]
            static __PULSAR_ACTOR: #root::__private::ActorDef =
                #root::__private::ActorDef::of::<#self_type>();
        }
    });
    quote! {
        #block
        #spawn
        const _: () = {
            #types
            #calls
            #implementation
            #concurrent
            #roaming
            #registered
        };
    }
}

/// The tokens of a path, as if they stood there.
fn moved(path: &TokenStream, at: Span) -> TokenStream {
    let tokens = path.clone().into_iter().map(|mut token| {
        token.set_span(at);
        token
    });
    tokens.collect()
}

/// The parameters of the actor's type, in the places where they stand.
struct Generics {
    /// With their bounds, as after `impl`.
    declared: TokenStream,
    /// As after a type.
    used: TokenStream,
    bounds: TokenStream,
    /// A type that names all of them.
    marker: TokenStream,
}

impl Generics {
    fn new(actor: &Actor) -> Self {
        let (declared, used, bounds) = actor.block.generics.split_for_impl();
        let types = actor.block.generics.params.iter();
        let types = types.filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            _ => None,
        });
        Self {
            declared: declared.to_token_stream(),
            used: used.to_token_stream(),
            bounds: bounds.to_token_stream(),
            marker: quote!(::core::marker::PhantomData<fn() -> (#(#types,)*)>),
        }
    }
}

/// `Counter::spawn(first)`.
fn spawn(actor: &Actor, root: &TokenStream) -> TokenStream {
    let Generics {
        declared, bounds, ..
    } = Generics::new(actor);
    let self_type = &actor.block.self_ty;
    let vis = &actor.start.function.vis;
    let (names, types) = unzipped(&actor.start.args);
    let make = match actor.is_local {
        true => quote!(#root::__private::spawn_local_actor((#(#names,)*))),
        false => quote!(#root::__private::spawn_actor(&(#(#names,)*))),
    };
    let allow = allow(&["dead_code", "clippy::too_many_arguments"]);
    quote! {
        impl #declared #self_type #bounds {
            /// Describes an actor of this type, with the arguments of its `start`. Awaiting the
            /// description spawns it.
            #allow
            #vis fn spawn(#(#names: #types),*) -> #root::Spawn<Self> {
                #make
            }
        }
    }
}

/// The message and the reply: an enum each, with a variant for each command.
fn types(actor: &Actor, root: &TokenStream) -> TokenStream {
    let Generics {
        declared,
        bounds,
        marker,
        ..
    } = Generics::new(actor);
    let variants: Vec<_> = actor.methods.iter().map(|method| &method.variant).collect();
    let args = actor.methods.iter().map(Method::args_type);
    let returned = actor.methods.iter().map(Method::returned);
    let methods = actor.methods.iter().map(|method| description(method, root));
    let allow = allow(&["private_interfaces"]);
    quote! {
        #[doc(hidden)]
        #allow
        pub enum __PulsarMessage #declared #bounds {
            #(#variants(#args),)*
            __Never(#marker, ::core::convert::Infallible),
        }
        #[doc(hidden)]
        #allow
        pub enum __PulsarReply #declared #bounds {
            #(#variants(#returned),)*
            __Never(#marker, ::core::convert::Infallible),
        }
        static __PULSAR_METHODS: &[#root::__private::Method] = &[#(#methods),*];
    }
}

fn description(method: &Method, root: &TokenStream) -> TokenStream {
    let (text, doc) = (method.text(), doc(&method.function.attrs));
    let labels = method.args.iter().map(|(name, ty)| {
        let (name, ty) = (name.unraw().to_string(), spaced(ty.to_token_stream()));
        quote!((#name, #ty))
    });
    let reply = reply_label(&method.function.sig.output);
    let (ack, concurrent, awaits) = (method.ack, method.concurrent, method.awaits());
    quote! {
        #root::__private::Method {
            signature: #root::__private::Signature {
                name: #text,
                doc: #doc,
                args: &[#(#labels),*],
                reply: #reply,
            },
            ack: #ack,
            concurrent: #concurrent,
            awaits: #awaits,
        }
    }
}

/// The commands as methods on the proxy.
fn calls(actor: &Actor, root: &TokenStream) -> TokenStream {
    let Generics {
        declared,
        used,
        bounds,
        marker,
    } = Generics::new(actor);
    let methods = actor.methods.iter().map(|method| call(actor, method, root));
    let allow = allow(&[
        "dead_code",
        "private_interfaces",
        "missing_docs",
        "unreachable_pub",
        "clippy::too_many_arguments",
    ]);
    quote! {
        #[doc(hidden)]
        pub struct __PulsarCalls #declared (#root::RawProxy, #marker) #bounds;

        #[automatically_derived]
        impl #declared ::core::convert::From<#root::RawProxy> for __PulsarCalls #used #bounds {
            fn from(raw: #root::RawProxy) -> Self {
                Self(raw, ::core::marker::PhantomData)
            }
        }

        #[automatically_derived]
        impl #declared ::core::convert::AsRef<#root::RawProxy> for __PulsarCalls #used #bounds {
            fn as_ref(&self) -> &#root::RawProxy {
                &self.0
            }
        }

        #[automatically_derived]
        impl #declared ::core::clone::Clone for __PulsarCalls #used #bounds {
            fn clone(&self) -> Self {
                Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
            }
        }

        #allow
        impl #declared __PulsarCalls #used #bounds {
            #(#methods)*
        }
    }
}

fn call(actor: &Actor, method: &Method, root: &TokenStream) -> TokenStream {
    let self_type = &actor.block.self_ty;
    let (vis, name, variant) = (&method.function.vis, method.name(), &method.variant);
    let (docs, deprecated) = (
        docs(&method.function.attrs),
        deprecated(&method.function.attrs),
    );
    let shown = signature(&method.args, &method.function.sig.output);
    let shown = format!("The command `{}{shown}`.", method.text());
    let (names, types) = unzipped(&method.args);
    let (reply, error) = outcome(method, root);
    // What is wrong with the reply shall be said where it stands.
    let at = method.output_span();
    let make = match actor.is_local {
        true => quote!(local),
        false => quote!(portable),
    };
    let value = match method.is_fallible() {
        true => quote!(value),
        false => quote!(::core::result::Result::Ok(value)),
    };
    let take = quote_spanned! {at=>
        |reply| match reply {
            __PulsarReply::#variant(value) => ::core::option::Option::Some(#value),
            _ => ::core::option::Option::None,
        }
    };
    quote! {
        #(#docs)*
        #[doc = ""]
        #[doc = #shown]
        #deprecated
        #vis fn #name(&self, #(#names: #types),*) -> #root::ActorCall<#self_type, #reply, #error> {
            #root::ActorCall::#make(
                &self.0,
                __PulsarMessage::#variant((#(#names,)*)),
                #take,
            )
        }
    }
}

/// The types of its reply and of its own error.
fn outcome(method: &Method, root: &TokenStream) -> (TokenStream, TokenStream) {
    let returned = method.returned();
    match method.is_fallible() {
        false => (returned, quote!(#root::Never)),
        true => (
            quote!(<#returned as #root::__private::ResultParts>::Ok),
            quote!(<#returned as #root::__private::ResultParts>::Err),
        ),
    }
}

fn implementation(actor: &Actor, root: &TokenStream) -> TokenStream {
    let Generics {
        declared,
        used,
        bounds,
        ..
    } = Generics::new(actor);
    let self_type = &actor.block.self_ty;
    let start_types = actor.start.args.iter().map(|(_, ty)| ty);
    let outlives_panics = actor.outlives_panics;
    let start = start(actor, root);
    let stopping = act(actor.stopping.as_ref(), "stopping", root);
    let periodic_task = act(actor.periodic_task.as_ref(), "periodic_task", root);
    let has_periodic_task = actor.periodic_task.is_some();
    let (variants, indexes) = variants(actor);
    let dispatches = dispatches(actor, root);
    let is_failure = is_failure(actor);
    let work = match actor.methods.iter().any(|method| method.concurrent) {
        true => quote!(side_by_side),
        false => quote!(in_turn),
    };
    let wire = wire(actor, root);
    quote! {
        #[automatically_derived]
        impl #declared #root::Actor for #self_type #bounds {
            type Calls = __PulsarCalls #used;
            type Start = (#(#start_types,)*);
            type Message = __PulsarMessage #used;
            type Reply = __PulsarReply #used;
            const METHODS: &'static [#root::__private::Method] = __PULSAR_METHODS;
            const OUTLIVES_PANICS: bool = #outlives_panics;
            #start
            #stopping
            const HAS_PERIODIC_TASK: bool = #has_periodic_task;
            #periodic_task

            fn work(self, cx: #root::Context) -> #root::__private::BoxFuture<#root::__private::Worked> {
                ::std::boxed::Box::pin(#root::__private::#work(self, cx))
            }

            fn index(message: &Self::Message) -> usize {
                match message {
                    #(__PulsarMessage::#variants(..) => #indexes,)*
                    __PulsarMessage::__Never(_, never) => match *never {},
                }
            }

            #dispatches

            #is_failure
            #wire
        }
    }
}

/// Run the commands that have the state for themselves: those that do not await, and those that may.
fn dispatches(actor: &Actor, root: &TokenStream) -> TokenStream {
    let at_once = dispatch(actor, |method| !method.awaits());
    let awaiting = dispatch(actor, |method| method.awaits() && !method.concurrent);
    // Of their callers, not of what runs them.
    let allow_deprecated = allow(&["deprecated"]);
    quote! {
        #allow_deprecated
        fn dispatch_at_once(
            &mut self,
            __pulsar_called: #root::__private::Called<'_>,
            message: Self::Message,
        ) -> Self::Reply {
            #at_once
        }

        #allow_deprecated
        async fn dispatch(
            &mut self,
            __pulsar_called: #root::__private::Called<'_>,
            message: Self::Message,
        ) -> Self::Reply {
            #awaiting
        }
    }
}

/// Tells an error of a command's own from a reply.
fn is_failure(actor: &Actor) -> TokenStream {
    let arms = actor.methods.iter().map(|method| {
        let variant = &method.variant;
        match method.is_fallible() {
            true => quote!(__PulsarReply::#variant(value) => value.is_err()),
            false => quote!(__PulsarReply::#variant(_) => false),
        }
    });
    quote! {
        fn is_failure(reply: &Self::Reply) -> bool {
            match reply {
                #(#arms,)*
                __PulsarReply::__Never(_, never) => match *never {},
            }
        }
    }
}

fn start(actor: &Actor, root: &TokenStream) -> TokenStream {
    let (names, _) = unzipped(&actor.start.args);
    let dot_await = actor.start.function.sig.asyncness.map(|_| quote!(.await));
    let state = quote!(Self::start(__pulsar_cx, #(#names),*) #dot_await);
    let state = match actor.start.is_fallible {
        true => quote!(#state.map_err(::core::convert::Into::into)),
        false => quote!(::core::result::Result::Ok(#state)),
    };
    quote! {
        async fn start(
            __pulsar_cx: #root::Context,
            (#(#names,)*): Self::Start,
        ) -> #root::Result<Self> {
            #state
        }
    }
}

/// What an actor does that is no command, under its name.
fn act(act: Option<&Act>, name: &str, root: &TokenStream) -> Option<TokenStream> {
    let act = act?;
    let (at, name) = (act.output, format_ident!("{name}"));
    let cx = act.takes_context.then(|| quote!(, __pulsar_cx));
    let dot_await = act.is_async.then(|| quote_spanned!(at=> .await));
    let ended = quote_spanned!(at=> Self::#name(self #cx) #dot_await);
    Some(quote! {
        async fn #name(&mut self, __pulsar_cx: #root::Context) -> #root::Result<()> {
            #root::HookOutput::into_result(#ended)
        }
    })
}

/// The variants and the places of the commands.
fn variants(actor: &Actor) -> (Vec<&proc_macro2::Ident>, Vec<usize>) {
    let variants = actor.methods.iter().map(|method| &method.variant);
    (variants.collect(), (0..actor.methods.len()).collect())
}

/// Runs one of the commands that are dispatched so.
fn dispatch(actor: &Actor, so: impl Fn(&Method) -> bool) -> TokenStream {
    let arms = actor.methods.iter().filter(|method| so(method)).map(arm);
    let others = match actor.methods.iter().all(&so) {
        true => quote!(__PulsarMessage::__Never(_, never) => match never {}),
        false => quote!(_ => ::core::unreachable!("the command is dispatched otherwise")),
    };
    quote! {
        match message {
            #(#arms,)*
            #others,
        }
    }
}

/// Runs one command.
fn arm(method: &Method) -> TokenStream {
    let (name, variant) = (method.name(), &method.variant);
    let (names, _) = unzipped(&method.args);
    let cx = method
        .takes_context
        .then(|| quote!(__pulsar_called.context(),));
    let dot_await = method.function.sig.asyncness.map(|_| quote!(.await));
    quote! {
        __PulsarMessage::#variant((#(#names,)*)) => {
            __PulsarReply::#variant(Self::#name(self, #cx #(#names),*) #dot_await)
        }
    }
}

fn concurrent(actor: &Actor, root: &TokenStream) -> Option<TokenStream> {
    if !actor.methods.iter().any(|method| method.concurrent) {
        return None;
    }
    let Generics {
        declared, bounds, ..
    } = Generics::new(actor);
    let self_type = &actor.block.self_ty;
    let shared = dispatch(actor, |method| method.concurrent);
    let allow_deprecated = allow(&["deprecated"]);
    Some(quote! {
        #[automatically_derived]
        impl #declared #root::__private::Concurrent for #self_type #bounds {
            #allow_deprecated
            async fn dispatch_shared(
                &self,
                __pulsar_called: #root::__private::Called<'_>,
                message: Self::Message,
            ) -> Self::Reply {
                #shared
            }
        }
    })
}

/// How messages and replies leave the process and come in.
fn wire(actor: &Actor, root: &TokenStream) -> TokenStream {
    let private = quote!(#root::__private);
    let result = |value: TokenStream| quote!(::core::result::Result<#value, #root::SendError>);
    let (written, message) = (result(quote!(())), result(quote!(Self::Message)));
    let (write_message, read_message, write_reply) = match actor.is_local {
        true => refusals(root),
        false => codecs(actor, root),
    };
    quote! {
        fn write_message(message: &Self::Message, draft: &mut #private::Draft) -> #written {
            #write_message
        }

        fn read_message(index: usize, codec: #private::Codec, body: #private::BodyView<'_>) -> #message {
            #read_message
        }

        fn write_reply(reply: &Self::Reply, draft: &mut #private::Draft) -> #written {
            #write_reply
        }
    }
}

/// The bodies that write a message, read one, and write a reply.
type Bodies = (TokenStream, TokenStream, TokenStream);

/// Those of a local actor.
fn refusals(root: &TokenStream) -> Bodies {
    let refuse = |unused: TokenStream| {
        quote! {
            let _ = #unused;
            ::core::result::Result::Err(#root::__private::local_only())
        }
    };
    (
        refuse(quote!((message, draft))),
        refuse(quote!((index, codec, body))),
        refuse(quote!((reply, draft))),
    )
}

fn codecs(actor: &Actor, root: &TokenStream) -> Bodies {
    let private = quote!(#root::__private);
    let (variants, indexes) = variants(actor);
    let portable = actor.methods.iter().flat_map(|method| &method.args);
    let portable = portable.map(|(_, ty)| assertion(ty, root));
    let writes = actor.methods.iter().map(|method| {
        let (variant, at) = (&method.variant, method.args_span());
        let args = quote_spanned!(at=> args);
        quote!(__PulsarMessage::#variant(#args) => #private::write(#args, draft))
    });
    let args = actor.methods.iter().map(Method::args_type);
    let start = actor.start.args.iter().map(|(_, ty)| assertion(ty, root));
    let replies = actor.methods.iter();
    let replies = replies.map(|method| write_reply(method, &private));
    let write_message = quote! {
        #(#start)*
        #(#portable)*
        match message {
            #(#writes,)*
            __PulsarMessage::__Never(_, never) => match *never {},
        }
    };
    let read_message = quote! {
        match index {
            #(#indexes => #private::read_args::<#args>(&__PULSAR_METHODS[#indexes], codec, body)
                .map(__PulsarMessage::#variants),)*
            _ => ::core::result::Result::Err(#root::SendError::codec("no such command")),
        }
    };
    let write_reply = quote! {
        match reply {
            #(#replies,)*
            __PulsarReply::__Never(_, never) => match *never {},
        }
    };
    (write_message, read_message, write_reply)
}

/// Writes the reply of one command, or its own error.
fn write_reply(method: &Method, private: &TokenStream) -> TokenStream {
    let (variant, at) = (&method.variant, method.output_span());
    let (value, error) = (quote_spanned!(at=> value), quote_spanned!(at=> error));
    match method.is_fallible() {
        true => quote! {
            __PulsarReply::#variant(::core::result::Result::Ok(#value)) => #private::write(#value, draft),
            __PulsarReply::#variant(::core::result::Result::Err(#error)) => #private::write(#error, draft)
        },
        false => quote!(__PulsarReply::#variant(#value) => #private::write(#value, draft)),
    }
}

/// Says at the type itself that it cannot travel.
fn assertion(ty: &Type, root: &TokenStream) -> TokenStream {
    quote_spanned! {ty.span()=>
        #root::__private::assert_portable::<#ty>();
    }
}

fn unzipped(args: &[(syn::Ident, Type)]) -> (Vec<&syn::Ident>, Vec<&Type>) {
    args.iter().map(|(name, ty)| (name, ty)).unzip()
}

/// What is seen and used of the expansion is up to the program.
pub(crate) fn allow(lints: &[&str]) -> TokenStream {
    let level = format_ident!("allow");
    let lints = lints.iter().map(|lint| {
        let words = lint.split("::").map(|word| format_ident!("{word}"));
        quote!(#(#words)::*)
    });
    quote!(#[#level(#(#lints,)* reason = "written by a macro of Pulsar")])
}
