//! Commands from another process that are taken in from where they lie.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use pulsar_link::payload::NATIVE;
use pulsar_link::{BodyView, Link};
use pulsar_mailbox::{Deadline, ReplyTo};
use pulsar_wire::{Aid, CommandBody, FrameView, Kind};

use crate::actor::{Actor, ActorKind};
use crate::command::known;
use crate::context::Context;
use crate::mailbox::{Caller, Direct, Messages, Named, There, settle};

/// A body of more is read by the actor itself, on its own loop: that may take long.
const MOST_BYTES: usize = 2 << 10;

/// Takes in a command that came over `link` without descriptors, and lies still where it was read: its arguments are
/// read, and it is put into the mailbox with its types, as one from this process is. True if it was.
///
/// False, and nothing has been done, where that is not all that there is to it: it is not one of the actor's own, or the
/// first of its name on this thread; it is large, cannot be read, or finds no room. It is to be put into an
/// [`Envelope`](crate::mailbox::Envelope) then.
pub(crate) fn take_in<A: Actor>(
    messages: &Messages<A>,
    cx: &Context,
    link: &Arc<Link>,
    frame: &FrameView<'_>,
    sender: Option<Aid>,
) -> bool {
    let header = &frame.header;
    if header.codec != NATIVE || frame.body.len() > MOST_BYTES {
        return false;
    }
    let Some((name, args)) = CommandBody::split(frame.body) else {
        return false;
    };
    let Some(Named::Own { method, index }) = known(ActorKind::of::<A>(), name, NATIVE) else {
        return false;
    };
    // The user's own code reads it; a panic comes again, where it is told to the caller.
    let read = || A::read_message(index, NATIVE, BodyView::of_bytes(args));
    let Ok(Ok(message)) = catch_unwind(AssertUnwindSafe(read)) else {
        return false;
    };
    let caller = match header.kind {
        Kind::Tell => Caller::Nobody,
        _ => Caller::There(Box::new(There {
            reply: ReplyTo::link(Arc::clone(link), header.request, NATIVE),
            deadline: header.deadline.filter(|_| method.ack).map(Deadline::after),
        })),
    };
    let direct = Direct {
        message,
        caller,
        sender,
    };
    match settle(cx, messages.try_put_direct(direct)) {
        Ok(()) => true,
        Err((direct, _)) => {
            if let Caller::There(there) = direct.caller {
                there.reply.forget();
            }
            false
        }
    }
}
