//! From a frame to the mailbox of its target.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar_link::payload::{NATIVE, Payload};
use pulsar_link::{Arrivals, Intake, Link, Receipt};
use pulsar_mailbox::{Deadline, ReplyTo};
use pulsar_wire::{Aid, CommandBody, Frame, FrameView, Kind};

use crate::node::Node;
use crate::{Context, DeadReason, Overflow, SendError};
use pulsar_actor::runtime::{
    Envelope, NAMING_CODE, Posted, RUN_POINTER, is_builtin, named, near_here, refuse_code,
    remember_here, settle,
};
use pulsar_registry::Reached;

/// A message that came over a link and waits for room in its mailbox. Its sender has one credit
/// less until it is taken in.
pub(crate) struct Held {
    cx: Context,
    envelope: Box<Envelope>,
    /// `None` where it waits with the message's descriptors.
    receipt: Option<Receipt>,
}

impl Node {
    /// Takes an ask or a tell that came over `from`: puts it into the mailbox of an actor here, or
    /// into `arrivals`, where it waits for room. It never waits itself. The descriptors that came with
    /// it wait with it; those for nobody are closed at once.
    ///
    /// # Errors
    ///
    /// If the frame is garbage; an ask that cannot be delivered is answered, not an error.
    pub(crate) fn command_came(
        &self,
        from: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
        arrivals: &Arc<Arrivals<Held>>,
    ) -> Result<(), String> {
        let body = CommandBody::decode(&frame.body).map_err(|error| error.to_string())?;
        let (request, key) = (frame.request, (frame.place, frame.task));
        // Every command of the user's cost its sender a credit, whatever becomes of it here.
        let is_users = !is_builtin(body.command);
        let mut receipt = is_users.then(|| Receipt::new(from, frame.place, frame.task));
        let (cx, mut envelope) = match self.addressed(from, &frame, body) {
            Ok(addressed) => addressed,
            Err(error) => {
                from.undelivered(request, &error);
                return Ok(());
            }
        };
        match from.admit(&frame, descriptors, &mut receipt) {
            Ok(passed) => {
                if let Payload::Wire(_, body) = &mut envelope.args {
                    body.passed = passed;
                }
            }
            Err(error) => {
                cx.dead_letter(envelope.into(), DeadReason::Lost(error));
                return Ok(());
            }
        }
        if !is_users {
            let posted = cx.cell().mailbox.try_put(envelope);
            refuse(settle(&cx, posted));
            return Ok(());
        }
        let held = |cx, envelope| Held {
            cx,
            envelope,
            receipt,
        };
        if arrivals.waits(key) {
            hold(arrivals, key, held(cx, envelope));
            return Ok(());
        }
        match cx.cell().mailbox.try_put(envelope) {
            Posted::Full(envelope) if cx.cell().mailbox.messages().overflow() == Overflow::Wait => {
                hold(arrivals, key, held(cx, envelope));
            }
            posted => refuse(settle(&cx, posted)),
        }
        Ok(())
    }

    /// The same for a command that lies still where it was read, if it can be taken in by an actor of this process that
    /// has been spoken with before; and for a small reply.
    pub(crate) fn take_in(
        &self,
        from: &Arc<Link>,
        frame: &FrameView<'_>,
        arrivals: &Arc<Arrivals<Held>>,
    ) -> Intake {
        if matches!(frame.header.kind, Kind::Reply | Kind::Failure) {
            return match from.take_in_reply(frame) {
                true => Intake::TakenIn,
                false => Intake::Left,
            };
        }
        let (place, task) = (frame.header.place, frame.header.task);
        if arrivals.waits((place, task)) {
            return Intake::Left;
        }
        let Some(cx) = near_here(Aid::task_in(self.arbiter_id(), place, task)) else {
            return Intake::Left;
        };
        let messages = cx.cell().mailbox.messages();
        messages.take_in(&cx, from, frame, self.sender(from))
    }

    /// Who has sent what came over this link, as far as that is known: over the arbiter's come messages of all who live
    /// in its process.
    fn sender(&self, from: &Link) -> Option<Aid> {
        (self.master().is_some() || from.is_direct()).then(|| from.peer())
    }

    /// The actor here that a frame is for, and the frame's message.
    ///
    /// # Errors
    ///
    /// If there is none, or the sender may not have it run.
    fn addressed(
        &self,
        from: &Arc<Link>,
        frame: &Frame,
        body: CommandBody<'_>,
    ) -> Result<(Context, Box<Envelope>), SendError> {
        let aid = Aid::task_in(self.arbiter_id(), frame.place, frame.task);
        let cx = match near_here(aid) {
            Some(cx) => cx,
            None => self.reach_here(aid)?,
        };
        // Code that is not registered is run for managers only: not for what comes from below or
        // beside, and not for what tools wrote.
        let names_code = NAMING_CODE.contains(&body.command);
        let is_manager = self.master().is_none() && !from.is_direct();
        let is_spawn = body.command != RUN_POINTER && self.master().is_some();
        if names_code && (frame.codec != NATIVE || !(is_manager || is_spawn)) {
            return Err(refuse_code());
        }
        let command = named(cx.cell().kind, body.command, frame.codec)?;
        let reply = match frame.kind {
            Kind::Tell => ReplyTo::nobody(),
            _ => ReplyTo::link(Arc::clone(from), frame.request, frame.codec),
        };
        let envelope = Box::new(Envelope {
            command,
            args: Payload::Wire(frame.codec, body.args.into()),
            reply,
            deadline: frame.deadline.map(Deadline::after),
            sender: self.sender(from),
        });
        Ok((cx, envelope))
    }
}

impl Node {
    /// An actor of this process.
    fn reach_here(&self, aid: Aid) -> Result<Context, SendError> {
        match self.registry.lock().reach(aid)? {
            Some(Reached::Local(cx)) => {
                remember_here(aid, &cx);
                Ok(cx)
            }
            // For somebody elsewhere: nobody relays. Its sender would have asked for the way.
            _ => Err(SendError::UnknownActor {
                target: aid.to_string(),
            }),
        }
    }
}

/// Has a message wait for room, behind those of its sender that wait already. If too many do, it is
/// refused.
fn hold(arrivals: &Arc<Arrivals<Held>>, key: (u32, u32), held: Held) {
    match arrivals.push(key, held) {
        Ok(true) => drop(tokio::spawn(move_in(Arc::clone(arrivals), key))),
        Ok(false) => {}
        Err(held) => {
            let full = Posted::Full(held.envelope);
            refuse(settle(&held.cx, full));
        }
    }
}

/// Moves what waits into the mailbox, in its order, as room is made.
async fn move_in(arrivals: Arc<Arrivals<Held>>, key: (u32, u32)) {
    while let Some(held) = arrivals.next(key) {
        let Held {
            cx,
            envelope,
            receipt,
        } = held;
        tokio::select! {
            biased;
            posted = cx.cell().mailbox.put(envelope) => refuse(settle(&cx, posted)),
            () = cx.cell().gone.cancelled() => {}
        }
        drop(receipt);
    }
}

/// Tells the sender of a message that was not taken.
fn refuse(settled: Result<(), (Box<Envelope>, SendError)>) {
    if let Err((envelope, error)) = settled {
        envelope.reply.refuse(error);
    }
}
