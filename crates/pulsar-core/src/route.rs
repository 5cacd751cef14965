//! From a target to the way there, and from a frame to its target.

use std::sync::Arc;

use pulsar_wire::{Aid, CommandBody, Frame, Kind};
use tokio::time::Instant;

use crate::arbiter::Reached;
use crate::command::{self, CommandDef};
use crate::context::{Context, get_actor};
use crate::mailbox::{Envelope, ReplyTo};
use crate::node::{Node, Upward};
use crate::queue::Put;
use crate::{Cause, DeadReason, SendError, State, Target, builtin};
use pulsar_link::payload::NATIVE;
use pulsar_link::payload::Payload;
use pulsar_link::{Link, PendingReply};

/// The way to an actor.
pub(crate) enum Route {
    /// It lives in this process.
    Local(Context),
    /// It lives behind this link, in this place.
    Link(Arc<Link>, Aid),
    /// Only the arbiter, behind this link, knows who has this name.
    Named(Arc<Link>, String),
}

impl Node {
    /// The way to `target`, as the actor that sends sees it.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownActor`], [`SendError::Restarting`] or [`SendError::ActorDied`].
    pub(crate) fn route(&self, target: &Target) -> Result<Route, SendError> {
        match target {
            Target::Aid(aid) => self.route_aid(*aid),
            Target::Name(name) => self.route_name(name),
        }
    }

    fn route_aid(&self, aid: Aid) -> Result<Route, SendError> {
        let unknown = || SendError::UnknownActor {
            target: aid.to_string(),
        };
        if aid.arbiter() != self.arbiter_id() {
            return Err(unknown());
        }
        match self.registry.lock().reach(aid, Instant::now())? {
            Some(Reached::Local(cx)) => Ok(Route::Local(cx)),
            Some(Reached::Link(link)) => Ok(Route::Link(link, aid)),
            None => match &self.upward {
                Upward::Child { link, .. } if aid.host() != self.here => {
                    Ok(Route::Link(Arc::clone(link), aid))
                }
                _ => Err(unknown()),
            },
        }
    }

    fn route_name(&self, name: &str) -> Result<Route, SendError> {
        match name {
            "arbiter" => return self.route_aid(self.arbiter_aid()),
            "monitor" => {
                let manager = get_actor().map(|cx| cx.cell.birth.manager);
                return self.route_aid(manager.unwrap_or_else(|| self.arbiter_aid()));
            }
            _ => {}
        }
        let known = self.registry.lock().named(name);
        if let Some(aid) = known.or_else(|| self.parse(name)) {
            return self.route_aid(aid);
        }
        match &self.upward {
            Upward::Child { link, .. } => Ok(Route::Named(Arc::clone(link), name.to_owned())),
            Upward::Master(_) => Err(SendError::UnknownActor {
                target: name.to_owned(),
            }),
        }
    }

    /// An id of this system, in its full or local form. What looks like an id of another may as
    /// well be a name.
    pub(crate) fn parse(&self, text: &str) -> Option<Aid> {
        let aid = Aid::parse_in(self.arbiter_id(), text).ok()?;
        (aid.arbiter() == self.arbiter_id()).then_some(aid)
    }

    /// Takes an ask or a tell that came over `from`: puts it into the mailbox of an actor here,
    /// or, in the arbiter, passes it on. It never waits.
    ///
    /// # Errors
    ///
    /// If the frame is garbage; an ask that cannot be delivered is answered, not an error.
    pub(crate) fn command_came(&self, from: &Arc<Link>, frame: Frame) -> Result<(), String> {
        let body = CommandBody::decode(frame.body.clone()).map_err(|error| error.to_string())?;
        let request = frame.request;
        if let Err(error) = self.deliver(from, frame, body) {
            from.undelivered(request, &error);
        }
        Ok(())
    }

    fn deliver(&self, from: &Arc<Link>, frame: Frame, body: CommandBody) -> Result<(), SendError> {
        let target = match body.target.as_str() {
            "" => Target::Aid(Aid::task_in(self.arbiter_id(), frame.place, frame.task)),
            _ => Target::Name(body.target.clone()),
        };
        let route = self.route(&target)?;
        // Code that is not registered is run for managers only: not for what comes from below,
        // here or on its way to another, and not for what tools wrote.
        let names_code = builtin::NAMING_CODE.contains(&body.command.as_str());
        if names_code && frame.codec != NATIVE {
            return Err(builtin::refuse_code());
        }
        if self.master().is_some() && body.command == builtin::RUN {
            return Err(builtin::refuse_code());
        }
        let deadline = frame.deadline.map(|left| Instant::now() + left);
        match route {
            Route::Local(cx) => {
                let command = command::lookup(&body.command)?;
                put_frame(&cx, command, from, &frame, body, deadline)
            }
            Route::Link(to, aid) if self.master().is_some() => {
                relay(&to, aid, from, frame, body, deadline)
            }
            // In a child: a frame for somebody else came down; it is not sent up again.
            Route::Link(..) | Route::Named(..) => Err(SendError::UnknownActor {
                target: target.to_string(),
            }),
        }
    }
}

fn put_frame(
    cx: &Context,
    command: &'static CommandDef,
    from: &Arc<Link>,
    frame: &Frame,
    body: CommandBody,
    deadline: Option<Instant>,
) -> Result<(), SendError> {
    let reply = match frame.kind {
        Kind::Tell => ReplyTo::nobody(),
        _ => ReplyTo::link(Arc::clone(from), frame.request, frame.codec),
    };
    let envelope = Envelope {
        command,
        args: Payload::Wire(frame.codec, body.args),
        reply,
        deadline,
        sender: cx.cell.node.master().map(|_| from.peer()),
    };
    settle(cx, cx.cell.mailbox.queue(command).try_put(envelope))
}

/// What became of a message that was put into a mailbox. One that was not taken is given back to
/// its sender by way of the error, which is its only answer.
pub(crate) fn settle(cx: &Context, put: Put<Envelope>) -> Result<(), SendError> {
    let (refused, error) = match put {
        Put::Taken => return Ok(()),
        Put::TakenFor(oldest) => {
            let capacity = cx.cell.mailbox.queue(oldest.command).capacity();
            cx.dead_letter(oldest, DeadReason::DroppedForNewer { capacity });
            return Ok(());
        }
        Put::Full(refused) => {
            let capacity = cx.cell.mailbox.queue(refused.command).capacity();
            (refused, SendError::MailboxFull { capacity })
        }
        Put::Closed(refused) => (refused, died(cx)),
    };
    refused.reply.forget();
    Err(error)
}

/// Passes an ask from one child to another. Its name, if that is how it was addressed, has been
/// turned into a place.
fn relay(
    to: &Arc<Link>,
    aid: Aid,
    from: &Arc<Link>,
    frame: Frame,
    body: CommandBody,
    deadline: Option<Instant>,
) -> Result<(), SendError> {
    let address = pulsar_link::Address::Aid(aid);
    let ask = pulsar_link::AskBody::new(address, &body.command, frame.codec, &body.args, deadline)?;
    if frame.kind == Kind::Tell {
        return to.tell(ask);
    }
    let reply = PendingReply::Relay {
        link: Arc::clone(from),
        request: frame.request,
        until: deadline,
    };
    to.ask(ask, reply).map(drop)
}

/// What a message ends with whose actor has closed its mailbox.
pub(crate) fn died(cx: &Context) -> SendError {
    let cause = cx.cell.cause.get().cloned();
    let cause = cause.unwrap_or_else(|| match cx.state() {
        // It takes no more messages and will end so.
        State::Stopping => Cause::Stopped,
        _ => Cause::Unknown,
    });
    SendError::ActorDied { cause }
}
