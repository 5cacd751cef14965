//! A command of an actor's own, as its author wrote it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItemFn, Lifetime, Meta, PathArguments,
    Receiver, ReceiverKind, ReturnType, Signature, Token, Type,
};

use crate::signature::{argument, bare, is_named, is_result, refuse_generics, refuse_many};

/// Names that a command cannot have, since the proxy has methods of these names, by itself or by
/// traits that are implemented for any type in libraries that many use: they would be called in its
/// place.
const PROXY_METHODS: &[&str] = &[
    "aid",
    "as_mut",
    "as_ref",
    "borrow",
    "borrow_mut",
    "clone",
    "clone_from",
    "clone_into",
    "clone_to_uninit",
    "cmp",
    "deref",
    "deref_mut",
    "eq",
    "equivalent",
    "fmt",
    "from",
    "hash",
    "in_current_span",
    "instrument",
    "into",
    "into_args",
    "into_either",
    "name",
    "ne",
    "pipe",
    "serialize",
    "tap",
    "to_owned",
    "to_string",
    "try_from",
    "try_into",
    "type_id",
    "typed",
    "untyped",
    "with_current_subscriber",
    "with_subscriber",
];

/// The built-in commands, those to come too: each actor has them, and tools and older processes
/// know them by name.
const BUILTINS: &[&str] = &[
    "actors",
    "commands",
    "config",
    "config_get",
    "config_set",
    "echo",
    "halt",
    "info",
    "kill_actor",
    "metrics",
    "notify",
    "ping",
    "run",
    "run_pointer",
    "stop",
];

/// A command of an actor's own.
pub(crate) struct Method {
    pub(crate) function: ImplItemFn,
    /// Its arguments, without the context.
    pub(crate) args: Vec<(Ident, Type)>,
    /// Whether it takes the actor's context first.
    pub(crate) takes_context: bool,
    pub(crate) ack: bool,
    pub(crate) concurrent: bool,
    /// The variant that stands for it in the message and the reply.
    pub(crate) variant: Ident,
}

impl Method {
    /// The `index`th command of an actor; `marker` is its `#[command]`.
    pub(crate) fn new(
        function: ImplItemFn,
        marker: &Attribute,
        index: usize,
        is_local: bool,
    ) -> syn::Result<Self> {
        let Options { ack, concurrent } = options(marker)?;
        let signature = &function.sig;
        refuse_generics(signature)?;
        refuse_name(&signature.ident)?;
        refuse_cfg(&function.attrs)?;
        let mut inputs = signature.inputs.iter().peekable();
        check_receiver(signature, inputs.next(), concurrent)?;
        let takes_context = inputs.next_if(|input| is_context(input)).is_some();
        let args = inputs.map(argument).collect::<syn::Result<Vec<_>>>()?;
        refuse_many(signature, args.len())?;
        args.iter()
            .try_for_each(|(_, ty)| refuse_borrowed(ty, is_local))?;
        if let ReturnType::Type(_, returned) = &signature.output {
            refuse_borrowed_reply(returned, is_local)?;
        }
        if !ack && let ReturnType::Type(_, returned) = &signature.output {
            let message = "nobody waits for a command without acknowledgement: it returns nothing";
            return Err(Error::new_spanned(returned, message));
        }
        Ok(Self {
            args,
            takes_context,
            ack,
            concurrent,
            variant: format_ident!("C{index}"),
            function,
        })
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    /// The name as tools and the wire have it.
    pub(crate) fn text(&self) -> String {
        self.name().unraw().to_string()
    }

    /// The type that it returns, as written.
    pub(crate) fn returned(&self) -> TokenStream {
        match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, returned) => returned.to_token_stream(),
        }
    }

    /// Whether it may give way to others before its end.
    pub(crate) fn awaits(&self) -> bool {
        self.concurrent || self.function.sig.asyncness.is_some()
    }

    pub(crate) fn is_fallible(&self) -> bool {
        matches!(&self.function.sig.output, ReturnType::Type(_, returned) if is_result(returned))
    }

    /// Where the type of its reply stands; its name, if it has none.
    pub(crate) fn output_span(&self) -> Span {
        match &self.function.sig.output {
            ReturnType::Type(_, returned) => place(returned),
            ReturnType::Default => place(self.name()),
        }
    }

    /// Where the type of its first argument stands; its name, if it has none.
    pub(crate) fn args_span(&self) -> Span {
        let first = self.args.first();
        first.map_or_else(|| place(self.name()), |(_, ty)| place(ty))
    }

    /// The tuple of its arguments' types.
    pub(crate) fn args_type(&self) -> TokenStream {
        let types = self.args.iter().map(|(_, ty)| ty);
        quote_spanned!(self.args_span()=> (#(#types,)*))
    }
}

/// Where something stands, for what is made of it: the compiler then points there, and names mean
/// what they mean in the rest of the expansion.
pub(crate) fn place(tokens: &impl Spanned) -> Span {
    tokens.span().resolved_at(Span::call_site())
}

struct Options {
    ack: bool,
    concurrent: bool,
}

fn options(marker: &Attribute) -> syn::Result<Options> {
    let mut options = Options {
        ack: true,
        concurrent: false,
    };
    if matches!(marker.meta, Meta::Path(_)) {
        return Ok(options);
    }
    let words = marker.parse_args_with(Punctuated::<Ident, Token![,]>::parse_terminated)?;
    for word in words {
        match word.to_string().as_str() {
            "no_ack" => options.ack = false,
            "concurrent" => options.concurrent = true,
            _ => {
                let message = "unknown option: #[command(concurrent)] or #[command(no_ack)]";
                return Err(Error::new_spanned(word, message));
            }
        }
    }
    Ok(options)
}

fn check_receiver(
    signature: &Signature,
    first: Option<&FnArg>,
    concurrent: bool,
) -> syn::Result<()> {
    let Some(FnArg::Receiver(receiver)) = first else {
        let message = "a command of an actor takes `&mut self`, or `&self`; one that needs no state is a \
                       free function with #[command]";
        let at = first.map_or_else(|| signature.to_token_stream(), ToTokens::to_token_stream);
        return Err(Error::new_spanned(at, message));
    };
    if !is_borrowed(receiver) {
        let message = "a command leaves the state where it is: take `&mut self` or `&self`";
        return Err(Error::new_spanned(receiver, message));
    }
    if concurrent && is_mutable(receiver) {
        let message = "a concurrent command shares the state with others: take `&self`";
        return Err(Error::new_spanned(receiver, message));
    }
    Ok(())
}

/// True for `&self` and `&mut self`.
pub(crate) fn is_borrowed(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(..))
}

/// True for `&mut self`.
pub(crate) fn is_mutable(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
}

/// True for an argument of type `Context`.
pub(crate) fn is_context(input: &FnArg) -> bool {
    matches!(input, FnArg::Typed(argument) if is_named(&argument.ty, "Context"))
}

fn refuse_name(name: &Ident) -> syn::Result<()> {
    let text = name.unraw().to_string();
    if let Some((_, message)) = RESERVED.iter().find(|(reserved, _)| *reserved == text) {
        return Err(Error::new_spanned(name, message));
    }
    if BUILTINS.contains(&text.as_str()) {
        let message = format!(
            "every actor has a built-in command `{text}`, which tools would mean: give this one another \
             name"
        );
        return Err(Error::new_spanned(name, message));
    }
    if !PROXY_METHODS.contains(&text.as_str()) {
        return Ok(());
    }
    let message =
        format!("every proxy has a method `{text}` already: give the command another name");
    Err(Error::new_spanned(name, message))
}

/// Functions of an actor that are no commands, and what they are.
const RESERVED: &[(&str, &str)] = &[
    (
        "spawn",
        "`spawn` is made by #[pulsar::actor]: give the command another name",
    ),
    (
        "start",
        "`start` makes the actor's state and is no command: remove #[command], or give it another name",
    ),
    (
        "stopping",
        "`stopping` is the actor's last act and no command: remove #[command], or give it another name",
    ),
    (
        "periodic_task",
        "`periodic_task` is run by the actor itself and is no command: remove #[command], or give it another \
         name",
    ),
];

/// # Errors
///
/// For a function that some builds have and others do not.
pub(crate) fn refuse_cfg(attributes: &[Attribute]) -> syn::Result<()> {
    let conditional = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("cfg"));
    match conditional {
        Some(cfg) => {
            let message = "an actor is the same in each build: put the condition into the body";
            Err(Error::new_spanned(cfg, message))
        }
        None => Ok(()),
    }
}

/// # Errors
///
/// For an argument that belongs to somebody else, or has no type of its own.
pub(crate) fn refuse_borrowed(ty: &Type, is_local: bool) -> syn::Result<()> {
    if matches!(bare(ty), Type::ImplTrait(_)) {
        let message =
            "a command has a name of its own on the wire and so cannot be generic: write the type";
        return Err(Error::new_spanned(ty, message));
    }
    let message = "an argument may come from another process and is owned: take `String` for `&str`, `Vec<T>` for \
                   `&[T]`";
    borrowed(ty, is_local).map_or(Ok(()), |part| Err(Error::new_spanned(part, message)))
}

/// # Errors
///
/// For a reply that belongs to the actor.
fn refuse_borrowed_reply(ty: &Type, is_local: bool) -> syn::Result<()> {
    let message = "a reply may go to another process and is owned: give `String` for `&str`, `Vec<T>` for `&[T]`";
    borrowed(ty, is_local).map_or(Ok(()), |part| Err(Error::new_spanned(part, message)))
}

/// # Errors
///
/// With `message`, for a type with a reference that does not live for ever.
pub(crate) fn refuse_reference(ty: &Type, message: &str) -> syn::Result<()> {
    borrowed(ty, true).map_or(Ok(()), |part| Err(Error::new_spanned(part, message)))
}

/// The reference in a type, if there is one; what lives for ever may stay in its process.
fn borrowed(ty: &Type, is_local: bool) -> Option<&Type> {
    let lives_for_ever =
        |lifetime: &Option<Lifetime>| lifetime.as_ref().is_some_and(|it| it.ident == "static");
    match bare(ty) {
        Type::Reference(reference) => {
            (!is_local || !lives_for_ever(&reference.lifetime)).then_some(ty)
        }
        Type::Tuple(tuple) => tuple.elems.iter().find_map(|part| borrowed(part, is_local)),
        Type::Array(array) => borrowed(&array.elem, is_local),
        Type::Path(path) => {
            let segments = path.path.segments.iter();
            let mut arguments = segments.flat_map(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(arguments) => arguments.args.iter().collect(),
                _ => Vec::new(),
            });
            arguments.find_map(|argument| match argument {
                GenericArgument::Type(part) => borrowed(part, is_local),
                _ => None,
            })
        }
        _ => None,
    }
}
