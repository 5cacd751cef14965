//! What a child passes that was taken over, and speaks with the arbiter as it likes.

use std::fs::File;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::{Bytes, BytesMut};
use pulsar::prelude::*;
use pulsar_wire::{CommandBody, Frame, Kind, MAX_FRAME_BYTES};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use crate::sockets::{arbiters_link, open_files};
use crate::{not_answered, sum};

/// Writes a frame to the arbiter, and this descriptor with its first byte.
fn say(link: BorrowedFd<'_>, frame: &Frame, descriptor: BorrowedFd<'_>) -> Result<()> {
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes, MAX_FRAME_BYTES)?;
    let passed = [descriptor];
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&passed));
        let slices = [IoSlice::new(&bytes)];
        match sendmsg(link, &slices, &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() => return Ok(()),
            Ok(_) => return Err(Error::msg("a part of the frame was sent")),
            // The socket is the runtime's, and does not block.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&link, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The length that each frame says of its shared bytes.
const LENGTH: u8 = 5;

/// The command `sum` for this actor, its argument the first of the frame's descriptors.
fn sum_for(to: &Proxy, request: u64) -> Result<Frame> {
    let body = CommandBody::encode("sum", &[0, LENGTH])?;
    Ok(Frame {
        request,
        place: to.aid().place(),
        task: to.aid().task(),
        descriptors: 1,
        ..Frame::new(Kind::Ask, body)
    })
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Forged {
    /// As it should be.
    Nothing,
    Pipe,
    Disk,
    /// Its owner may still change it.
    Unsealed,
    OtherLength,
    /// It would be filled by whoever looks.
    Hole,
}

impl Forged {
    fn descriptor(self) -> Result<OwnedFd> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut memory = File::from(memfd_create("forged", flags)?);
        match self {
            Self::Pipe => return Ok(std::io::pipe()?.0.into()),
            Self::Disk => return Ok(File::open("/proc/self/exe")?.into()),
            Self::Nothing | Self::Unsealed => memory.write_all(b"bytes")?,
            Self::OtherLength => memory.write_all(b"more bytes")?,
            Self::Hole => memory.set_len(LENGTH.into())?,
        }
        if !matches!(self, Self::Unsealed) {
            let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
            fcntl_add_seals(&memory, seals)?;
        }
        Ok(memory.into())
    }
}

#[command]
async fn never(cx: Context) {
    cx.set_extra("ready", true);
    std::future::pending::<()>().await;
}

/// Asks in flight at once from this process to the arbiter's, and how often each place among them has been used: more
/// than have been, so that its next numbers are among these. Too few for their credit to be returned, which the
/// runtime here has not spent.
const PLACES: u64 = 2;
const USES: u64 = 16;

fn numbers() -> impl Iterator<Item = u64> {
    (0..PLACES).flat_map(|place| (1..=USES).map(move |used| used << 32 | place))
}

/// Has `to` asked with what is forged, under the number of an ask that `silent` does not answer. What that ask is
/// answered.
#[command]
async fn forge(
    _cx: Context,
    what: Forged,
    to: Proxy,
    silent: Proxy,
) -> Result<Option<SendError>, Error> {
    // The way is known then.
    send(&silent, ping, ()).await?;
    let asking = tokio::spawn(send(&silent, never, ()).into_future());
    while !send(&silent, info, ()).await?.extra.0.contains_key("ready") {}
    let (link, descriptor) = (arbiters_link()?, what.descriptor()?);
    for request in numbers() {
        say(link.as_fd(), &sum_for(&to, request)?, descriptor.as_fd())?;
    }
    let answer = asking.await?.map_err(not_answered).err();
    // Asks with those numbers may be answered by what was forged: none that matters has one.
    for _ in numbers() {
        let _ = send(&to, ping, ()).await;
    }
    Ok(answer)
}

#[command]
async fn ask_honestly(_cx: Context, to: Proxy) -> Result<u64, Error> {
    Ok(send(&to, sum, SharedBytes::copy_from(b"AB")?).await?)
}

#[pulsar::test]
async fn what_is_no_sealed_memory_of_its_length_is_refused_and_the_link_lives() -> Result<()> {
    let victim = spawn().thread().await?;
    for (what, told) in [
        (Forged::Nothing, None),
        (Forged::Pipe, Some("no sealed memory")),
        (Forged::Disk, Some("no sealed memory")),
        (Forged::Unsealed, Some("no sealed memory")),
        (Forged::OtherLength, Some("10 bytes and should have 5")),
        (Forged::Hole, Some("holes")),
    ] {
        let (hostile, silent) = (spawn().await?, spawn().thread().await?);
        let before = open_files()?;
        let error = send(&hostile, forge, (what, victim.clone(), silent.clone())).await?;
        match (&error, told) {
            (Some(SendError::Codec { message }), Some(told)) if message.contains(told) => {}
            (None, None) => {}
            _ => return Err(Error::msg(format!("{what:?}: {error:?}"))),
        }
        assert_eq!(send(&hostile, ask_honestly, victim.clone()).await?, 131);
        assert_eq!(open_files()?, before, "{what:?}");
        // It would not stop by itself.
        arbiter().kill_actor(&silent).await?;
    }
    Ok(())
}

/// Asks with descriptors, far more than may wait.
const FLOOD: u64 = 4_000;
/// Descriptors that they may cost the arbiter.
const MOST_WAITING: usize = 1_100;

/// Floods an actor with asks that each pass a descriptor.
#[command]
async fn flood(_cx: Context, to: Proxy) -> Result<(), Error> {
    let (link, descriptor) = (arbiters_link()?, Forged::Nothing.descriptor()?);
    for number in 0..FLOOD {
        let frame = sum_for(&to, (1 << 40) + number)?;
        say(link.as_fd(), &frame, descriptor.as_fd())?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_child_cannot_use_up_the_arbiters_descriptors() -> Result<()> {
    let (hostile, busy) = (spawn().await?, spawn().thread().await?);
    let blocking = tokio::spawn(send(&busy, never, ()).into_future());
    while !send(&busy, info, ()).await?.extra.0.contains_key("ready") {
        yield_now().await;
    }
    let before = open_files()?;
    // It may have been ended for what it did: then its link was read to the end.
    let _ = send(&hostile, flood, busy.clone()).await;
    let after = open_files()?;
    assert!(
        after < before + MOST_WAITING,
        "{before} descriptors before, {after} after"
    );
    let bytes = SharedBytes::copy_from(b"AB")?;
    assert_eq!(send(&spawn().await?, sum, bytes).await?, 131);
    arbiter().kill_actor(&busy).await?;
    blocking.await?.unwrap_err();
    while open_files()? > before {
        yield_now().await;
    }
    Ok(())
}

/// Floods nobody.
#[command]
async fn flood_nobody(_cx: Context) -> Result<(), Error> {
    let (link, descriptor) = (arbiters_link()?, Forged::Nothing.descriptor()?);
    for number in 0..FLOOD {
        let body = CommandBody::encode("sum", &[0, LENGTH])?;
        let frame = Frame {
            request: (1 << 40) + number,
            place: 1 << 20,
            descriptors: 1,
            ..Frame::new(Kind::Ask, body)
        };
        say(link.as_fd(), &frame, descriptor.as_fd())?;
    }
    Ok(())
}

#[pulsar::test]
async fn descriptors_for_nobody_are_closed_at_once() -> Result<()> {
    let hostile = spawn().await?;
    let before = open_files()?;
    let _ = send(&hostile, flood_nobody, ()).await;
    assert!(open_files()? <= before + 1);
    Ok(())
}

/// Passes a descriptor with what carries none.
#[command]
async fn pass_with_a_seek(_cx: Context) -> Result<(), Error> {
    let frame = Frame {
        request: 1 << 40,
        descriptors: 1,
        ..Frame::new(Kind::Seek, Bytes::new())
    };
    let descriptor = Forged::Nothing.descriptor()?;
    say(arbiters_link()?.as_fd(), &frame, descriptor.as_fd())?;
    std::future::pending().await
}

#[pulsar::test]
async fn a_frame_that_carries_none_ends_who_passes_descriptors_with_it() -> Result<()> {
    let hostile = spawn().await?;
    let ended = send(&hostile, pass_with_a_seek, ()).await;
    let Err(CallError::Send(SendError::ActorDied { .. })) = ended else {
        return Err(Error::msg(format!("{ended:?}")));
    };
    Ok(())
}
