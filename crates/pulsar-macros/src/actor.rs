//! `#[pulsar::actor]`: an `impl` block becomes an actor type.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, GenericParam, Ident, ImplItem, ImplItemFn, ItemImpl,
    Lit, Meta, ReturnType, Token, Type, WherePredicate,
};

use crate::actor_expansion::expand;
use crate::method::{Method, is_borrowed, is_context, place, refuse_borrowed, refuse_cfg};
use crate::root::root;
use crate::signature::{argument, is_result, refuse_many};

/// What goes before every `start`.
const START: &str = "an actor begins with `async fn start(cx: Context, …) -> Result<Self>`";

pub(crate) fn actor(attributes: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let block: ItemImpl = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), "#[pulsar::actor] marks an `impl` block"))?;
    Ok(match Actor::new(attributes, block.clone()) {
        Ok(actor) => expand(&actor, &root()),
        Err(mistake) => unmarked(block, &mistake),
    })
}

/// The block itself, without our markers, and what is wrong with it: so the compiler does not
/// complain of its absence as well.
fn unmarked(mut block: ItemImpl, mistake: &Error) -> TokenStream {
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            function.attrs.retain(|attribute| !is_marker(attribute));
        }
    }
    let mistake = mistake.to_compile_error();
    quote!(#block #mistake)
}

/// True for `#[command]`.
fn is_marker(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "command")
}

/// An actor type, as its author wrote it.
pub(crate) struct Actor {
    /// The block, without our markers.
    pub(crate) block: ItemImpl,
    pub(crate) is_local: bool,
    pub(crate) outlives_panics: bool,
    pub(crate) start: Start,
    /// Its last act, if it has one.
    pub(crate) stopping: Option<Act>,
    /// What it does again and again, if it does.
    pub(crate) periodic_task: Option<Act>,
    pub(crate) methods: Vec<Method>,
}

/// How it begins.
pub(crate) struct Start {
    pub(crate) function: ImplItemFn,
    pub(crate) args: Vec<(Ident, Type)>,
    pub(crate) is_fallible: bool,
}

/// What it does that is no command.
pub(crate) struct Act {
    pub(crate) is_async: bool,
    pub(crate) takes_context: bool,
    /// Where its return type stands.
    pub(crate) output: Span,
}

impl Actor {
    fn new(attributes: TokenStream, mut block: ItemImpl) -> syn::Result<Self> {
        let options = options(attributes)?;
        if let Some((path, _)) = &block.trait_ {
            let message =
                "#[pulsar::actor] marks the actor's own `impl` block, not that of a trait";
            return Err(Error::new_spanned(path, message));
        }
        if let Some(lifetime) = lifetime(&block) {
            let message =
                "an actor may live in another process: it owns its state and has no lifetimes";
            return Err(Error::new(lifetime, message));
        }
        refuse_unbounded(&block, options.is_local)?;
        let (mut start, mut methods) = (None, Vec::new());
        let (mut stopping, mut periodic_task) = (None, None);
        let self_type = block.self_ty.to_token_stream();
        for item in &mut block.items {
            let ImplItem::Fn(function) = item else {
                continue;
            };
            let marker = function.attrs.iter().position(is_marker);
            let name = function.sig.ident.to_string();
            match (marker, name.as_str()) {
                (Some(at), _) => {
                    let marker = function.attrs.remove(at);
                    let named = named_self(function, &self_type)?;
                    refuse_twice(&methods, &named.sig.ident)?;
                    let local = options.is_local;
                    methods.push(Method::new(named, &marker, methods.len(), local)?);
                }
                (None, "start") => {
                    let named = named_self(function, &self_type)?;
                    start = Some(Start::new(named, options.is_local)?);
                }
                (None, "stopping") => {
                    let shape =
                        "an actor's last act is `async fn stopping(&mut self, cx: Context)`";
                    stopping = Some(Act::new(function, shape)?);
                }
                (None, "periodic_task") => {
                    let shape = "an actor's periodic task is `async fn periodic_task(&mut self, cx: Context)`";
                    periodic_task = Some(Act::new(function, shape)?);
                }
                (None, "spawn") => {
                    let message =
                        "`spawn` is made by #[pulsar::actor]: give this function another name";
                    return Err(Error::new_spanned(&function.sig.ident, message));
                }
                (None, _) => {}
            }
        }
        let start = start.ok_or_else(|| Error::new_spanned(&block.self_ty, START))?;
        Ok(Self {
            is_local: options.is_local,
            outlives_panics: options.outlives_panics,
            start,
            stopping,
            periodic_task,
            methods,
            block,
        })
    }
}

impl Start {
    fn new(function: ImplItemFn, is_local: bool) -> syn::Result<Self> {
        refuse_cfg(&function.attrs)?;
        let signature = &function.sig;
        if !signature.generics.params.is_empty() {
            let message = "the parameters of an actor's type are those of its `impl` block";
            return Err(Error::new_spanned(&signature.generics, message));
        }
        let mut inputs = signature.inputs.iter();
        match inputs.next() {
            Some(first) if is_context(first) => {}
            first => {
                let at =
                    first.map_or_else(|| signature.to_token_stream(), ToTokens::to_token_stream);
                return Err(Error::new_spanned(at, START));
            }
        }
        let args = inputs.map(argument).collect::<syn::Result<Vec<_>>>()?;
        refuse_many(signature, args.len())?;
        args.iter()
            .try_for_each(|(_, ty)| refuse_borrowed(ty, is_local))?;
        let ReturnType::Type(_, returned) = &signature.output else {
            return Err(Error::new_spanned(signature, START));
        };
        Ok(Self {
            is_fallible: is_result(returned),
            args,
            function,
        })
    }
}

impl Act {
    /// `shape` says what it looks like.
    fn new(function: &ImplItemFn, shape: &str) -> syn::Result<Self> {
        refuse_cfg(&function.attrs)?;
        let inputs: Vec<_> = function.sig.inputs.iter().collect();
        let takes_context = match inputs[..] {
            [FnArg::Receiver(receiver)] if is_borrowed(receiver) => false,
            [FnArg::Receiver(receiver), cx] if is_borrowed(receiver) && is_context(cx) => true,
            _ => {
                return Err(Error::new_spanned(&function.sig, shape));
            }
        };
        Ok(Self {
            is_async: function.sig.asyncness.is_some(),
            takes_context,
            output: match &function.sig.output {
                ReturnType::Type(_, returned) => place(returned),
                ReturnType::Default => place(&function.sig.ident),
            },
        })
    }
}

#[derive(Default)]
struct Options {
    is_local: bool,
    outlives_panics: bool,
}

fn options(attributes: TokenStream) -> syn::Result<Options> {
    use syn::parse::Parser;

    let words = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(attributes)?;
    let mut options = Options::default();
    for word in words {
        match &word {
            Meta::Path(path) if path.is_ident("local") => options.is_local = true,
            Meta::NameValue(pair) if pair.path.is_ident("on_panic") => match &pair.value {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) if text.value() == "continue" => options.outlives_panics = true,
                other => {
                    let message =
                        "on_panic = \"continue\" keeps the actor; without it a panic ends it";
                    return Err(Error::new_spanned(other, message));
                }
            },
            other => {
                let message = "unknown option: #[pulsar::actor(local)] or \
                               #[pulsar::actor(on_panic = \"continue\")]";
                return Err(Error::new_spanned(other, message));
            }
        }
    }
    Ok(options)
}

/// A lifetime of the actor's type, other than `'static`.
fn lifetime(block: &ItemImpl) -> Option<Span> {
    let mut params = block.generics.params.iter();
    let declared = params.find(|param| matches!(param, GenericParam::Lifetime(_)));
    let declared = declared.map(Spanned::span);
    let tokens: Vec<_> = block.self_ty.to_token_stream().into_iter().collect();
    let mut pairs = tokens.windows(2);
    let named = pairs.find_map(|pair| match pair {
        [TokenTree::Punct(tick), TokenTree::Ident(name)]
            if tick.as_char() == '\'' && name != "static" =>
        {
            Some(name.span())
        }
        _ => None,
    });
    declared.or(named)
}

/// # Errors
///
/// For a type parameter without any bound: it could not be sent to where the actor lives.
fn refuse_unbounded(block: &ItemImpl, is_local: bool) -> syn::Result<()> {
    let conditions = block.generics.where_clause.iter();
    let conditions: Vec<_> = conditions.flat_map(|clause| &clause.predicates).collect();
    for param in &block.generics.params {
        let GenericParam::Type(param) = param else {
            continue;
        };
        let name = &param.ident;
        let is_bound = conditions.iter().any(|condition| match condition {
            WherePredicate::Type(condition) => {
                matches!(&condition.bounded_ty, Type::Path(path) if path.path.is_ident(name))
            }
            _ => false,
        });
        if param.bounds.is_empty() && !is_bound {
            let message = match is_local {
                true => format!(
                    "the state moves to where the actor runs: write `{name}: Send + 'static`"
                ),
                false => format!(
                    "what an actor is told may travel between processes: write `{name}: Serialize + \
                     DeserializeOwned + Send + 'static`"
                ),
            };
            return Err(Error::new_spanned(param, message));
        }
    }
    Ok(())
}

/// # Errors
///
/// If there is a command of this name.
fn refuse_twice(methods: &[Method], name: &Ident) -> syn::Result<()> {
    match methods.iter().any(|method| method.name() == name) {
        true => Err(Error::new(
            name.span(),
            "the actor has a command of this name already",
        )),
        false => Ok(()),
    }
}

/// The function's signature with the actor's type for `Self`: it is also written where `Self` is
/// another.
fn named_self(function: &ImplItemFn, self_type: &TokenStream) -> syn::Result<ImplItemFn> {
    let mut named = function.clone();
    for input in &mut named.sig.inputs {
        if let FnArg::Typed(argument) = input {
            *argument.ty = syn::parse2(replace_self(argument.ty.to_token_stream(), self_type))?;
        }
    }
    if let ReturnType::Type(_, returned) = &mut named.sig.output {
        **returned = syn::parse2(replace_self(returned.to_token_stream(), self_type))?;
    }
    Ok(named)
}

fn replace_self(tokens: TokenStream, self_type: &TokenStream) -> TokenStream {
    let replace = |token: TokenTree| match token {
        TokenTree::Ident(ident) if ident == "Self" => self_type.clone(),
        TokenTree::Group(group) => {
            let inner = replace_self(group.stream(), self_type);
            let mut replaced = proc_macro2::Group::new(group.delimiter(), inner);
            replaced.set_span(group.span());
            quote!(#replaced)
        }
        other => other.into(),
    };
    tokens.into_iter().map(replace).collect()
}
