//! What a child cannot do that was taken over, and speaks with the arbiter as it likes.

use std::os::fd::{AsFd, BorrowedFd};

use bytes::{Bytes, BytesMut};
use pulsar::prelude::*;
use pulsar_wire::{Frame, Kind, MAX_FRAME_BYTES};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Signal;
use tokio::task::yield_now;

use crate::sockets::{arbiters_link, open_files};
use crate::{pid, signal};

/// A number that no request of the runtime's has.
pub(crate) const REQUEST: u64 = 1 << 40;

fn seek(number: u32, place: u32) -> Frame {
    Frame {
        request: REQUEST + u64::from(number),
        place,
        ..Frame::new(Kind::Seek, Bytes::new())
    }
}

pub(crate) fn claim(task: u32, name: &str) -> Frame {
    Frame {
        request: REQUEST,
        task,
        ..Frame::new(Kind::Claim, Bytes::copy_from_slice(name.as_bytes()))
    }
}

/// Writes these frames to the arbiter.
fn say(frames: impl IntoIterator<Item = Frame>) -> Result<()> {
    let mut bytes = BytesMut::new();
    for frame in frames {
        frame.encode(&mut bytes, MAX_FRAME_BYTES)?;
    }
    write_all(arbiters_link()?.as_fd(), &bytes)
}

pub(crate) fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(written) => bytes = &bytes[written..],
            // The socket is the runtime's, and does not block.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Seeks of one actor, each of which could cost a descriptor on either side.
const SEEKS: u32 = 3_000;
/// Descriptors that they may cost one process in all.
const MOST_DESCRIPTORS: usize = 100;
/// A name that is claimed behind the seeks.
const BEHIND: &str = "behind";

/// Seeks the same actor again and again, and reads no answer any more.
#[command]
async fn seek_and_stand_still(_cx: Context, place: u32) -> Result<(), Error> {
    let seeks = (0..SEEKS).map(|number| seek(number, place));
    say(seeks.chain([claim(1, BEHIND)]))?;
    signal(std::process::id(), Signal::STOP)
}

#[command]
async fn count_open_files(_cx: Context) -> Result<usize, Error> {
    open_files()
}

#[pulsar::test]
async fn a_child_that_seeks_without_reading_costs_others_no_descriptors() -> Result<()> {
    let (hostile, victim) = (spawn().await?, spawn().await?);
    let before = (open_files()?, send(&victim, count_open_files, ()).await?);
    let seeking = send(&hostile, seek_and_stand_still, victim.aid().place());
    let seeking = tokio::spawn(seeking.into_future());
    // The arbiter knows the name when it has heard all that came before.
    while send(BEHIND, ping, ()).try_send().is_err() {
        yield_now().await;
    }
    let after = (open_files()?, send(&victim, count_open_files, ()).await?);
    arbiter().kill_actor(&hostile).await?;
    seeking.await?.unwrap_err();
    assert!(
        after.0 < before.0 + MOST_DESCRIPTORS && after.1 < before.1 + MOST_DESCRIPTORS,
        "the arbiter and the victim had {before:?} and have {after:?}"
    );
    // What was meant for the dead is closed.
    while open_files()? > before.0 {
        yield_now().await;
    }
    Ok(())
}

/// Claims names for a task that need not be there; so many of the form `squat-0`.
#[command]
async fn claim_many(_cx: Context, names: u32) -> Result<(), Error> {
    // The arbiter may have heard enough before the end.
    let _ = say((0..names).map(|number| claim(1, &format!("squat-{number}"))));
    std::future::pending().await
}

/// Claims a name whatever it looks like.
#[command]
async fn claim_one(_cx: Context, name: String) -> Result<(), Error> {
    say([claim(1, &name)])?;
    std::future::pending().await
}

/// Waits until an actor is known no more.
pub(crate) async fn gone(actor: &Proxy) {
    while arbiter().find(&actor.into()).is_ok() {
        yield_now().await;
    }
}

#[pulsar::test]
async fn a_child_cannot_take_the_id_of_another_for_a_name() -> Result<()> {
    let (hostile, victim) = (spawn().await?, spawn().await?);
    let (victims, id) = (send(&victim, pid, ()).await?, victim.aid().local());
    assert_eq!(send(id.clone(), pid, ()).await?, victims);
    let claimed = send(&hostile, claim_one, id.clone()).await;
    let Err(CallError::Send(SendError::ActorDied { .. })) = claimed else {
        return Err(Error::msg(format!("{claimed:?}")));
    };
    gone(&hostile).await;
    assert_eq!(send(id, pid, ()).await?, victims);
    Ok(())
}

#[pulsar::test]
async fn a_child_cannot_take_names_without_end() -> Result<()> {
    let hostile = spawn().await?;
    let claimed = send(&hostile, claim_many, 10_000_u32).await;
    let Err(CallError::Send(SendError::ActorDied { .. })) = claimed else {
        return Err(Error::msg(format!("{claimed:?}")));
    };
    gone(&hostile).await;
    for free in ["squat-0", "squat-4000", "squat-9999"] {
        spawn().name(free).await?;
    }
    Ok(())
}
