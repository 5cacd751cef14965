//! The attribute macros of Pulsar. Use them through the face crate, as `#[pulsar::main]`,
//! `#[pulsar::test]` and `#[command]`.
//!
//! # Layout
//!
//! * `actor`, `method`: an actor type as its author wrote it; `actor_expansion`: what becomes of it.
//! * `command`: a function becomes a command; `signature`: what its signature says.
//! * `program`: `main` and tests get an arbiter, and an entry for child processes.
//! * `remote`: a function that runs on any actor.
//! * `task`: a method of an async object.
//! * `root`: finds the name under which the user's crate knows Pulsar.
#![forbid(unsafe_code)]

mod actor;
mod actor_expansion;
mod command;
mod method;
mod program;
mod remote;
mod root;
mod signature;
mod task;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::quote;

/// Makes an actor type of a struct's `impl` block.
///
/// * `start`, with the actor's `Context` and arguments, makes the state. It returns `Self` or a
///   `Result` of it.
/// * Each method marked `#[command]` is a command: `&mut self`, optionally a `Context`, then the
///   arguments. `async` or not. It returns the reply, or a `Result` whose error reaches the caller
///   with its type. `#[command(no_ack)]`: nobody waits for it. `#[command(concurrent)]`: it takes
///   `&self` and runs beside others of its kind, before and after those that take `&mut self`.
/// * `stopping`, if there is one, runs last: `async fn stopping(&mut self, cx: Context)`. It does
///   not run after a panic, nor when the drain timeout cuts a command. Its own failure is logged.
/// * `periodic_task`, if there is one, runs again and again, in its turn among the commands: `async fn
///   periodic_task(&mut self, cx: Context)`. Its period is said at the spawn, `every(…)`. An error is
///   logged and ends nothing; a panic is as one of a command.
///
/// The type then has `spawn`, with the arguments of `start` and as visible as that, and each command
/// is a method of its `Proxy`, as visible as it is here. A command cannot have the name of a built-in
/// one.
///
/// `#[pulsar::actor(local)]`: arguments and replies need not be serde types; such actors are
/// threads or tasks. `#[pulsar::actor(on_panic = "continue")]`: a panic costs one command and does
/// not end the actor.
#[proc_macro_attribute]
pub fn actor(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(actor::actor(attributes.into(), item.into()))
}

/// Makes a command of a function: any actor of the program answers it, by the function's name.
///
/// The function is `async` or not; its first parameter is the actor's `Context`, the others are
/// the arguments. It returns the reply, or a `Result` whose error reaches the caller with its
/// type. Arguments, reply and error are serde types, since the caller may be another process.
///
/// The name then stands for the command: `send(&actor, greetme, "luca")`.
#[proc_macro_attribute]
pub fn command(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let item = TokenStream2::from(item);
    let expansion = command::registered(attributes.into(), item.clone());
    expand(expansion.or_else(|mistake| {
        let mistake = mistake.to_compile_error();
        // With the function itself: so the compiler does not complain of its absence as well.
        Ok(quote!(#item #mistake))
    }))
}

/// Registers a function, so that `run` may be given it anywhere: its name
/// travels, and each actor of the program runs it on its event loop.
///
/// It is an `async fn` that takes the actor's `Context` and one value, a serde type as what it returns.
/// Otherwise it stays as it is: it may be called, and passed as a function pointer.
#[proc_macro_attribute]
pub fn remote(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(remote::remote(&attributes.into(), item.into()))
}

/// `#[command]` for the built-ins, which stand in a table of their own.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn builtin(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(command::builtin(attributes.into(), item.into()))
}

/// Makes a method of an async object one that can be awaited in async code and waited for in
/// synchronous code.
///
/// The method is an `async fn` with `&self`, of a type that is an `AsyncObject` and, as a cheap handle,
/// `Clone + Send + Sync + 'static`. Its arguments and its value are owned. It then returns a `Task` of
/// its value, which runs on the object's event loop.
#[proc_macro_attribute]
pub fn task(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(task::task(&attributes.into(), item.into()))
}

/// Makes `main` the arbiter's: its body runs on the arbiter's event loop, on the main thread,
/// and processes that are spawned enter the program here instead of running `main` again.
///
/// `main` is `async`, takes nothing, and returns what any `main` may return. As with tasks of other
/// runtimes, what it holds across an `.await` is `Send`.
///
/// Without `async` the body runs as any `main` does, before there is an arbiter: it starts that itself,
/// by `arbiter().start()`, which blocks until the end. Processes that are spawned enter here as well.
#[proc_macro_attribute]
pub fn main(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(program::main(attributes.into(), item.into()))
}

/// A test that runs in a process of its own, with the arbiter on that process's main thread: it
/// may spawn actors of any placement, and no other test's children are seen from it.
///
/// The function is `async` and takes nothing. It fails if it panics, returns an error, or leaves
/// a child process, a zombie or a descriptor behind.
#[proc_macro_attribute]
pub fn test(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(program::test(attributes.into(), item.into()))
}

fn expand(expansion: syn::Result<TokenStream2>) -> TokenStream {
    expansion
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
