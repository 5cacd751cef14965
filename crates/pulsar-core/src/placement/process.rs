//! An actor in a process of its own: the manager's side.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use pulsar_sys::descriptors::{self, MAX_DESCRIPTORS};
use pulsar_sys::{Build, ExecSpec, Inheritance, Signal, World};
use pulsar_wire::{BootRecord, Frame, Hello, Kind, MAX_FRAME_BYTES, PROTOCOL_VERSION};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::{Commission, Doomed, Unlaunched, Vessel};
use crate::arbiter::{Hooking, orphans};
use crate::delivery::Held;
use crate::entry;
use crate::node::{Node, PLACES_SET_ASIDE};
use crate::{Overflow, SendError, SpawnError};
use pulsar_actor::runtime::{Identity, offer_notify};
use pulsar_child::{Confinement, Stderr, make};
use pulsar_link::payload::{NATIVE, decode, encode};
use pulsar_link::{Arrivals, Begun, Body, CloseReason, Link, LinkHandler, pump};
use pulsar_policy::ChildEvent;

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
    let (inheritance, mut world) = Inheritance::with_world()
        .map_err(|error| exec_error(&error, "the world cannot be read"))?;
    // In place of a mark that this process may itself have.
    let (variable, mark) = orphans::mark(&commission.birth);
    world.environment.retain(|(name, _)| name != variable);
    world.environment.push((variable.into(), mark.into()));
    let (boot, descriptors) = boot_frame(node, &commission, &world)?;
    let expected = hello(&commission.birth)?;
    let name = commission.birth.process_name();
    let confinement = Confinement::prepare(
        &master.memory,
        commission.order.spec.limits,
        descriptors.len(),
        (commission.birth.aid, commission.birth.incarnation),
    )?;
    let keep_lines = commission.order.spec.stderr_lines;
    let spec = ExecSpec {
        environment: world.environment,
        program_name: std::env::args_os()
            .next()
            .unwrap_or_else(|| OsString::from("pulsar")),
        arguments: vec![format!("[{name}]").into()],
        pipes_stderr: keep_lines.is_some() || confinement.needs_stderr(),
    };
    let desk = match commission.order.spec.by_exec {
        true => None,
        false => master.templates.desk(inheritance),
    };
    let made = make(&master.brood, desk, &spec).await?;
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
    let speaker = Speaker {
        handler: FromChild {
            node: Arc::clone(node),
            expected,
            greeted: AtomicBool::new(false),
            control: commission.control,
            arrivals: Arc::default(),
        },
        boot,
        descriptors,
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

fn exec_error(error: &std::io::Error, what: &str) -> SpawnError {
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
) -> Result<(Bytes, Vec<Arc<OwnedFd>>), SpawnError> {
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
        world: encode(NATIVE, world).map_err(hook_error)?,
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
    Ok((bytes.freeze(), descriptors))
}

/// What the child should say: the same executable as this one is now.
fn hello(birth: &Identity) -> Result<Hello, SpawnError> {
    let build = Build::current()
        .map_err(|error| exec_error(&error, "the program's own file cannot be read"))?;
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
    boot: Bytes,
    descriptors: Vec<Arc<OwnedFd>>,
}

impl Speaker {
    async fn run(self, link: Arc<Link>, stream: std::os::unix::net::UnixStream) {
        let Self {
            handler,
            boot,
            descriptors,
        } = self;
        let reason = match begin(stream, boot, descriptors).await {
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

/// Writes the boot record; the descriptors go with its first bytes. Both are dropped then: a
/// listener that this process goes on holding would not close when its workers close it.
async fn begin(
    stream: std::os::unix::net::UnixStream,
    boot: Bytes,
    descriptors: Vec<Arc<OwnedFd>>,
) -> std::io::Result<UnixStream> {
    let stream = UnixStream::from_std(stream)?;
    let fds: Vec<BorrowedFd<'_>> = descriptors.iter().map(|fd| fd.as_fd()).collect();
    let (mut left, mut fds) = (&boot[..], &fds[..]);
    while !left.is_empty() {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                descriptors::send_with_descriptors(&stream, left, fds)
            })
            .await?;
        left = &left[sent..];
        fds = &[];
    }
    Ok(stream)
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
