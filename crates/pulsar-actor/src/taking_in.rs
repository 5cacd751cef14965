//! Commands from another process that are taken in from where they lie.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pulsar_link::payload::NATIVE;
use pulsar_link::{BodyView, Intake, Link};
use pulsar_mailbox::{Deadline, ReplyTo};
use pulsar_wire::{Aid, CommandBody, FrameView, Kind};

use crate::actor::Actor;
use crate::command::known;
use crate::context::Context;
use crate::mailbox::{Direct, Messages, Named, Post, Posted, There, settle, there};
use crate::worker::run_if_idle;

/// A body of more is read by the actor itself, on its own loop: that may take long.
const MOST_BYTES: usize = 2 << 10;

/// Takes in a command that came over `link` without descriptors, and lies still where it was read: its arguments are
/// read, and it is run at once if it does not await and its actor waits for a message on this thread; or it is put into the
/// mailbox with its types, as one from this process is.
///
/// It is left where that is not all that there is to it: it is not one of the actor's own, or the first of its name on this
/// thread; it is large, cannot be read, or finds no room. It is to be put into an
/// [`Envelope`](crate::mailbox::Envelope) then.
pub(crate) fn take_in<A: Actor>(
    messages: &Messages<A>,
    cx: &Context,
    link: &Arc<Link>,
    frame: &FrameView<'_>,
    sender: Option<Aid>,
) -> Intake {
    let header = &frame.header;
    if header.codec != NATIVE || frame.body.len() > MOST_BYTES {
        return Intake::Left;
    }
    let Some((name, args)) = CommandBody::split(frame.body) else {
        return Intake::Left;
    };
    let Some(Named::Own { method, index }) = known(cx.cell.kind, name, NATIVE) else {
        return Intake::Left;
    };
    // The user's own code reads it; a panic comes again, where it is told to the caller.
    let read = || A::read_message(index, NATIVE, BodyView::of_bytes(args));
    let Ok(Ok(message)) = catch_unwind(AssertUnwindSafe(read)) else {
        return Intake::Left;
    };
    if header.kind == Kind::Tell {
        let told = Direct {
            message,
            caller: None,
            sender,
        };
        let settled = settle(cx, messages.try_put_direct(told));
        return settled.map_or(Intake::Left, |()| Intake::TakenIn);
    }
    let caller = There {
        reply: ReplyTo::link(Arc::clone(link), header.request, NATIVE),
        deadline: header.deadline.filter(|_| method.ack).map(Deadline::after),
    };
    let asked = Direct {
        message,
        caller,
        sender,
    };
    // Whoever waits for a reply gets it sooner so; of those that nobody waits for, some are run in one go.
    let asked = match method.awaits {
        true => asked,
        false => match run_if_idle(cx, messages, asked) {
            None => return Intake::Run,
            Some(asked) => asked,
        },
    };
    let put = messages.queue.try_put(Post::There(Box::new(asked)));
    match settle(cx, Posted::of(put, there)) {
        Ok(()) => Intake::TakenIn,
        Err((asked, _)) => {
            asked.caller.reply.forget();
            Intake::Left
        }
    }
}
