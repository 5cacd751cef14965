//! What a function's signature says of a command.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Expr, FnArg, Ident, Lit, Meta, Pat, ReturnType, Signature, Type};

/// Most arguments a command may have: as many as `IntoArgs` takes.
const MAX_ARGS: usize = 8;

/// Name and type of an argument.
pub(crate) fn argument(input: &FnArg) -> syn::Result<(Ident, Type)> {
    let FnArg::Typed(argument) = input else {
        return Err(Error::new_spanned(input, "an argument is expected here"));
    };
    match &*argument.pat {
        Pat::Ident(name) => Ok((name.ident.clone(), (*argument.ty).clone())),
        other => Err(Error::new_spanned(
            other,
            "a command's argument has a plain name: callers see it",
        )),
    }
}

/// # Errors
///
/// For more arguments than a command may have.
pub(crate) fn refuse_many(signature: &Signature, args: usize) -> syn::Result<()> {
    if args <= MAX_ARGS {
        return Ok(());
    }
    let message = format!("a command takes at most {MAX_ARGS} arguments: pass a struct");
    Err(Error::new_spanned(&signature.inputs, message))
}

/// # Errors
///
/// For a command with type parameters of its own.
pub(crate) fn refuse_generics(signature: &Signature) -> syn::Result<()> {
    if signature.generics.params.is_empty() {
        return Ok(());
    }
    let message = "a command has a name of its own on the wire and so cannot be generic: write one \
                   function for each type";
    Err(Error::new_spanned(&signature.generics, message))
}

/// True for `Result`, whatever its parameters.
pub(crate) fn is_result(returned: &Type) -> bool {
    is_named(returned, "Result")
}

/// True for a path that ends with this name.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    let Type::Path(path) = bare(ty) else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// The type without what is around it: parentheses, or the invisible ones of what a macro wrote.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// The documentation, as attributes.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<&Attribute> {
    let docs = attributes.iter();
    docs.filter(|attribute| attribute.path().is_ident("doc"))
        .collect()
}

/// The word to callers that they should use something else.
pub(crate) fn deprecated(attributes: &[Attribute]) -> Option<&Attribute> {
    let mut all = attributes.iter();
    all.find(|attribute| attribute.path().is_ident("deprecated"))
}

/// The text of the documentation, as tools show it: up to its first example, heading or section.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter_map(|attribute| match &attribute.meta {
            Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
                Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(line) => Some(line.value().trim().to_owned()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        });
    let shown = lines.take_while(|line| !line.starts_with("```") && !line.starts_with("# "));
    shown.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The type of the reply, as written.
pub(crate) fn reply_label(output: &ReturnType) -> String {
    match output {
        ReturnType::Default => "()".to_owned(),
        ReturnType::Type(_, returned) => spaced(returned.to_token_stream()),
    }
}

/// The signature, as tools show it.
pub(crate) fn signature(args: &[(Ident, Type)], output: &ReturnType) -> String {
    let args = args
        .iter()
        .map(|(name, ty)| format!("{}: {}", name.unraw(), spaced(ty.to_token_stream())));
    let args = args.collect::<Vec<_>>().join(", ");
    format!("({args}) -> {}", reply_label(output))
}

/// Tokens as one would write them: the printer puts spaces around each.
pub(crate) fn spaced(tokens: TokenStream) -> String {
    let mut text = tokens.to_string();
    for (from, to) in [
        (" < ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (" ,", ","),
        ("& ", "&"),
    ] {
        text = text.replace(from, to);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_show_what_stands_before_the_first_example() {
        let function: syn::ItemFn = syn::parse_quote! {
            /// Adds.
            ///
            /// Twice.
            ///
            /// ```
            /// add();
            /// ```
            fn add() {}
        };
        assert_eq!(doc(&function.attrs), "Adds.\n\nTwice.");
    }

    #[test]
    fn what_is_around_a_type_does_not_hide_it() {
        let ty: Type = syn::parse_quote!((pulsar::Result<u8>));
        assert!(is_result(&ty));
        let group = Type::Group(syn::TypeGroup {
            attrs: Vec::new(),
            group_token: syn::token::Group::default(),
            elem: Box::new(ty),
        });
        assert!(is_result(&group));
    }
}
