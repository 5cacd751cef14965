//! An actor in a process of its own: the manager's side.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use pulsar_sys::descriptors::MAX_DESCRIPTORS;
use pulsar_sys::{Build, ExecSpec, Signal, Surveyed, World};
use pulsar_wire::{BootRecord, Frame, FrameView, Hello, Kind, MAX_FRAME_BYTES, PROTOCOL_VERSION};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::sync::mpsc;

use super::{Commission, Doomed, Unlaunched, Vessel};
use crate::arbiter::{Hooking, orphans};
use crate::delivery::Held;
use crate::entry;
use crate::node::{Node, PLACES_SET_ASIDE};
use crate::{Overflow, SendError, SpawnError};
use pulsar_actor::runtime::Identity;
use pulsar_child::{Confinement, Letter, Stderr, Surroundings, make, marked};
use pulsar_link::payload::{NATIVE, decode, encode};
use pulsar_link::{Arrivals, Begun, Body, CloseReason, Intake, Link, LinkHandler, pump};
use pulsar_policy::ChildEvent;
use pulsar_reports::offer_notify;

/// The identity part of the boot record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChildIdentity {
    pub(crate) birth: Identity,
    pub(crate) mailbox_capacity: usize,
    pub(crate) overflow: Overflow,
    /// Places set aside for what it will spawn.
    pub(crate) places: Vec<u32>,
}

/// Makes the process and begins to speak with it.
///
/// # Errors
///
/// [`SpawnError::NoEntry`], [`SpawnError::Exec`], or [`SpawnError::Hook`] if what it is to run
/// cannot be written down; [`SpawnError::Limit`] or [`SpawnError::Unsupported`] for a limit that
/// cannot be set.
pub(super) async fn launch(node: &Arc<Node>, commission: Commission) -> Result<Vessel, Unlaunched> {
    if !entry::is_marked() {
        return Err(SpawnError::NoEntry.into());
    }
    let Some(master) = node.master() else {
        let message = "processes are made in the arbiter's process".to_owned();
        return Err(SpawnError::Unsupported { message }.into());
    };
    let spec = &commission.order.spec;
    let keep_lines = spec.stderr_lines;
    let confinement = Confinement::prepare(
        &master.memory,
        spec.limits,
        (commission.birth.aid, commission.birth.incarnation),
    );
    let pipes_stderr = keep_lines.is_some() || confinement.needs_stderr();
    // First, so that the template forks while the rest is made ready. What fails then drops it, and the fork with it.
    let ordered = match spec.by_exec {
        true => None,
        false => master.templates.order(&master.brood, pipes_stderr),
    };
    let Surveyed {
        inheritance,
        world,
        build,
    } = master
        .survey()
        .map_err(|error| exec_error(&error, "what the process is to inherit cannot be read"))?;
    let ordered = ordered.and_then(|fork| fork.if_inherits(&master.templates, &inheritance));
    let (record, descriptors) = boot_frame(node, &commission, &world)?;
    Confinement::check_room(&spec.limits, descriptors.len())?;
    let expected = hello(&commission.birth, build)?;
    let mut letter = Letter::new(record.into(), descriptors);
    let by_exec = || exec_spec(world, &commission.birth, pipes_stderr);
    let made = make(&master.brood, ordered, by_exec, &mut letter).await?;
    let stderr = made.stderr.and_then(|pipe| read_stderr(pipe, keep_lines));
    let aid = commission.birth.aid;
    let link = Arc::new(node.links.lock().apply(Link::new(aid), true));
    if let Err(error) = confinement.apply(made.pid) {
        master.brood.signal(made.pid, Signal::Kill);
        let doomed = Doomed {
            exit: made.exit,
            confinement,
        };
        return Err(Unlaunched {
            error,
            doomed: Some(Box::new(doomed)),
        });
    }
    letter.release();
    // What finds no room is sent by who speaks with it, who sees a failure again too.
    let _ = letter.send(&made.link);
    let speaker = Speaker {
        handler: FromChild {
            node: Arc::clone(node),
            expected,
            greeted: AtomicBool::new(false),
            control: commission.control,
            arrivals: Arc::default(),
        },
        letter,
    };
    tokio::spawn(speaker.run(Arc::clone(&link), made.link));
    Ok(Vessel::Process {
        pid: made.pid,
        link,
        exit: Some(made.exit),
        confinement,
        stderr,
    })
}

/// How the process is executed, where it is not forked.
fn exec_spec(world: World, birth: &Identity, pipes_stderr: bool) -> ExecSpec {
    ExecSpec {
        environment: marked(world.environment, &orphans::mark(birth)),
        program_name: std::env::args_os()
            .next()
            .unwrap_or_else(|| OsString::from("pulsar")),
        arguments: vec![format!("[{}]", birth.process_name()).into()],
        pipes_stderr,
    }
}

/// Reads what the process says on its standard error stream. If that cannot be it is lost, and the process gets an error
/// where it writes.
fn read_stderr(pipe: OwnedFd, keep_lines: Option<usize>) -> Option<Stderr> {
    match Stderr::read(pipe, keep_lines.unwrap_or(0)) {
        Ok(stderr) => Some(stderr),
        Err(error) => {
            tracing::error!(%error, "an actor's stderr cannot be read");
            None
        }
    }
}

fn exec_error(error: &io::Error, what: &str) -> SpawnError {
    SpawnError::Exec {
        errno: error.raw_os_error().unwrap_or(0),
        message: format!("{what}: {error}"),
    }
}

fn hook_error(error: SendError) -> SpawnError {
    SpawnError::Hook {
        message: error.to_string(),
    }
}

/// The boot record, encoded, and the descriptors that go with it: those that it names, then those of what is shared
/// with the behaviour.
fn boot_frame(
    node: &Node,
    commission: &Commission,
    world: &World,
) -> Result<(BytesMut, Vec<Arc<OwnedFd>>), SpawnError> {
    let Hooking::Portable(behaviour) = &commission.order.hooking else {
        return Err(SpawnError::Unsupported {
            message: "this actor's hooks belong to this process; spawn it as a task".to_owned(),
        });
    };
    let identity = ChildIdentity {
        birth: (*commission.birth).clone(),
        mailbox_capacity: commission.order.spec.mailbox_capacity,
        overflow: commission.order.spec.overflow,
        places: node.master().map_or_else(Vec::new, |master| {
            master.grant_places(commission.birth.aid, PLACES_SET_ASIDE)
        }),
    };
    let behaviour = Body::of(NATIVE, behaviour).map_err(hook_error)?;
    let named = commission.order.descriptors.iter().map(|(_, fd)| fd);
    let descriptors: Vec<_> = named.chain(behaviour.passed.all()).cloned().collect();
    if descriptors.len() > MAX_DESCRIPTORS {
        return Err(SpawnError::Hook {
            message: format!(
                "an actor is given at most {MAX_DESCRIPTORS} descriptors and shared bytes together"
            ),
        });
    }
    let record = BootRecord {
        version: PROTOCOL_VERSION,
        identity: encode(NATIVE, &identity).map_err(hook_error)?,
        world: Surroundings::of(world)
            .and_then(|world| world.written())
            .map_err(SendError::codec)
            .map_err(hook_error)?,
        timing: encode(NATIVE, &(&node.timing, *node.links.lock())).map_err(hook_error)?,
        log: encode(NATIVE, &node.log.get()).map_err(hook_error)?,
        settings: Bytes::new(),
        behaviour: behaviour.bytes,
        descriptors: commission
            .order
            .descriptors
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
    };
    let mut bytes = BytesMut::new();
    let frame = Frame {
        descriptors: u8::try_from(descriptors.len()).unwrap_or(u8::MAX),
        ..Frame::new(Kind::Boot, record.encode())
    };
    frame
        .encode(&mut bytes, MAX_FRAME_BYTES)
        .map_err(SendError::codec)
        .map_err(hook_error)?;
    Ok((bytes, descriptors))
}

/// What the child should say: the same executable as this one is now.
fn hello(birth: &Identity, build: Build) -> Result<Hello, SpawnError> {
    Ok(Hello {
        version: PROTOCOL_VERSION,
        build: encode(NATIVE, &build).map_err(hook_error)?,
        aid: birth.aid,
        incarnation: birth.incarnation,
        pid: 0,
    })
}

/// Speaks with one child, from the boot record to the end of the link.
struct Speaker {
    handler: FromChild,
    letter: Letter,
}

impl Speaker {
    async fn run(self, link: Arc<Link>, stream: UnixStream) {
        let Self { handler, letter } = self;
        let reason = match begin(stream, letter).await {
            Ok(stream) => pump(&link, stream, Begun::default(), &handler).await,
            Err(error) => CloseReason::Io(error),
        };
        tracing::debug!(peer = %link.peer(), %reason, "link ended");
        let untrusted = match reason {
            CloseReason::Frame(_) | CloseReason::Ring(_) | CloseReason::Untrusted(_) => {
                Some(reason.to_string())
            }
            CloseReason::PeerClosed | CloseReason::Closed | CloseReason::Io(_) => None,
        };
        drop(
            handler
                .control
                .send(ChildEvent::LinkClosed(untrusted))
                .await,
        );
    }
}

/// Sends what is left of the letter. Then its descriptors are dropped: a listener that this process goes on holding would not
/// close when its workers close it.
async fn begin(stream: UnixStream, mut letter: Letter) -> io::Result<UnixStream> {
    if letter.send(&stream)? {
        return Ok(stream);
    }
    // Seldom: the record is larger than the socket's room.
    let stream = tokio::net::UnixStream::from_std(stream)?;
    let sending = stream.async_io(Interest::WRITABLE, || match letter.send(&stream)? {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    });
    sending.await?;
    stream.into_std()
}

/// Handles what a child says.
struct FromChild {
    node: Arc<Node>,
    expected: Hello,
    greeted: AtomicBool,
    control: mpsc::Sender<ChildEvent>,
    arrivals: Arc<Arrivals<Held>>,
}

impl LinkHandler for FromChild {
    fn take_in(&self, link: &Arc<Link>, command: &FrameView<'_>) -> Intake {
        match self.greeted.load(Ordering::Relaxed) {
            true => self.node.take_in(link, command, &self.arrivals),
            false => Intake::Left,
        }
    }

    fn frame_came(
        &self,
        link: &Arc<Link>,
        frame: Frame,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), String> {
        if frame.kind == Kind::Hello {
            return self.hello_came(frame);
        }
        if !self.greeted.load(Ordering::Relaxed) {
            return Err("it spoke before its hello".to_owned());
        }
        match frame.kind {
            Kind::Notify => {
                let info = decode(NATIVE, &frame.body).map_err(|error| error.to_string())?;
                offer_notify(&self.control, info);
                Ok(())
            }
            Kind::Ended => {
                let cause = decode(NATIVE, &frame.body).map_err(|error| error.to_string())?;
                self.news(ChildEvent::EndSaid(cause))?;
                if let Some(master) = self.node.master() {
                    master.words.said(self.expected.aid);
                }
                Ok(())
            }
            Kind::Ask | Kind::Tell => {
                let node = &self.node;
                node.command_came(link, frame, descriptors, &self.arrivals)
            }
            Kind::Credit => link.credit_came(&frame),
            Kind::Seek => self.node.seek_came(link, &frame),
            Kind::Claim => self.node.claim_came(link, &frame),
            Kind::Release => self.node.release_came(link, &frame),
            Kind::Reply | Kind::Failure | Kind::Undelivered => {
                link.reply_came(frame, descriptors);
                Ok(())
            }
            other => Err(format!("a child does not send {other:?}")),
        }
    }
}

impl FromChild {
    fn hello_came(&self, frame: Frame) -> Result<(), String> {
        if self.greeted.swap(true, Ordering::Relaxed) {
            return Err("it said hello twice".to_owned());
        }
        let hello = Hello::decode(frame.body).map_err(|error| error.to_string())?;
        hello
            .check(&self.expected)
            .map_err(|error| error.to_string())?;
        self.news(ChildEvent::HelloCame)
    }

    fn news(&self, event: ChildEvent) -> Result<(), String> {
        self.control
            .try_send(event)
            .map_err(|_| "it sends more news than one life has".to_owned())
    }
}
