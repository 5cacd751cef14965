//! What a child writes past the runtime that is no frame, or comes in an unusual way.

use std::fs::read_link;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use bytes::{Bytes, BytesMut};
use pulsar::prelude::*;
use pulsar_wire::{Frame, HEADER_BYTES, Kind, MAX_FRAME_BYTES};
use rustix::net::{Shutdown, shutdown};
use tokio::task::yield_now;

use crate::flood::peak_of_this_process;
use crate::hostile::{REQUEST, claim, gone, write_all};
use crate::sockets::{arbiters_link, own_sockets};
use crate::{double, pid};

/// What the arbiter may come to need more for a hostile child: far less than the frame that it announces.
const ROOM_BYTES: u64 = 8 << 20;

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    frame
        .encode(&mut bytes, MAX_FRAME_BYTES)
        .expect("it may be sent");
    bytes.to_vec()
}

/// A frame of which one byte is another.
fn with(at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = encoded(&claim(1, "garbled"));
    bytes[at] = byte;
    bytes
}

/// So many bytes that say that they are a frame of this length.
fn claiming(length: usize, bytes: usize) -> Vec<u8> {
    let length = u32::try_from(length).expect("a length of four bytes");
    let mut claiming = vec![0; bytes];
    claiming[..4].copy_from_slice(&length.to_le_bytes());
    claiming
}

/// What no child may write, each with what it is.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let plain = |kind| encoded(&Frame::new(kind, Bytes::new()));
    vec![
        ("an unknown kind", with(4, 0)),
        ("an unknown codec", with(5, 9)),
        ("a trace longer than its frame", with(6, 255)),
        ("descriptors that do not come", with(7, 3)),
        ("no length", claiming(0, 4)),
        (
            "a length below that of a header",
            claiming(HEADER_BYTES - 5, 40),
        ),
        ("a length over the limit", claiming(MAX_FRAME_BYTES, 40)),
        ("the largest length", claiming(u32::MAX as usize, 4)),
        ("text", b"GET / HTTP/1.1\r\nHost: arbiter\r\n\r\n".to_vec()),
        ("a boot record", plain(Kind::Boot)),
        ("a notify of nothing", plain(Kind::Notify)),
        ("an end of nothing", plain(Kind::Ended)),
        ("a second hello", plain(Kind::Hello)),
    ]
}

/// Writes this to the arbiter, and answers no more.
#[command]
async fn write_raw(_cx: Context, bytes: Vec<u8>) -> Result<(), Error> {
    // The arbiter may have read enough before the end.
    let _ = write_all(arbiters_link()?.as_fd(), &bytes);
    std::future::pending().await
}

/// Writes this to the arbiter, and then no more: half a connection.
#[command]
async fn write_and_close(_cx: Context, bytes: Vec<u8>) -> Result<(), Error> {
    let link = arbiters_link()?;
    write_all(link.as_fd(), &bytes)?;
    shutdown(&link, Shutdown::Write)?;
    std::future::pending().await
}

/// Writes this to the arbiter, a byte at a time.
#[command]
async fn write_slowly(_cx: Context, bytes: Vec<u8>) -> Result<(), Error> {
    let link = arbiters_link()?;
    for byte in bytes {
        write_all(link.as_fd(), &[byte])?;
        // The arbiter may read it by itself.
        std::thread::yield_now();
    }
    Ok(())
}

/// Two that ask each other, and whom nobody else's end may touch.
async fn bystanders() -> Result<(Proxy, Proxy)> {
    let pair = (spawn().await?, spawn().await?);
    assert_eq!(send(&pair.0, ask_other, pair.1.clone()).await?, 42);
    Ok(pair)
}

#[command]
async fn ask_other(_cx: Context, to: Proxy) -> Result<u32, Error> {
    Ok(send(&to, double, 21).await?)
}

fn has_died<T: std::fmt::Debug, E: std::fmt::Debug>(
    what: &str,
    ended: Result<T, CallError<E>>,
) -> Cause {
    match ended {
        Err(CallError::Send(SendError::ActorDied { cause })) => cause,
        other => panic!("{what}: {other:?}"),
    }
}

#[pulsar::test]
async fn fault_27_a_child_that_writes_what_is_no_frame_is_closed_and_others_do_not_notice()
-> Result<()> {
    let (one, other) = bystanders().await?;
    let pids = (send(&one, pid, ()).await?, send(&other, pid, ()).await?);
    let before = peak_of_this_process()?;
    for (what, bytes) in malformed() {
        let hostile = spawn().await?;
        let cause = has_died(what, send(&hostile, write_raw, bytes).await);
        assert!(matches!(cause, Cause::Failed(_)), "{what}: {cause:?}");
        gone(&hostile).await;
        assert_eq!(send(&one, ask_other, other.clone()).await?, 42, "{what}");
    }
    let after = peak_of_this_process()?;
    assert!(after < before + ROOM_BYTES, "{before} became {after}");
    assert_eq!(
        (send(&one, pid, ()).await?, send(&other, pid, ()).await?),
        pids
    );
    Ok(())
}

#[pulsar::test]
async fn fault_27_a_frame_that_is_cut_off_ends_its_writer_alone() -> Result<()> {
    let (one, other) = bystanders().await?;
    let whole = encoded(&claim(1, "never heard"));
    for length in [1, 4, HEADER_BYTES - 1, HEADER_BYTES, whole.len() - 1] {
        let hostile = spawn().await?;
        let ended = send(&hostile, write_and_close, whole[..length].to_vec()).await;
        has_died("cut off", ended);
        gone(&hostile).await;
        assert_eq!(send(&one, ask_other, other.clone()).await?, 42, "{length}");
    }
    spawn().name("never-heard").await?;
    Ok(())
}

#[pulsar::test]
async fn fault_27_a_frame_that_comes_one_byte_at_a_time_is_heard() -> Result<()> {
    let hostile = spawn().await?;
    let before = peak_of_this_process()?;
    let reply = Frame {
        request: REQUEST,
        ..Frame::new(Kind::Reply, vec![0; 4096].into())
    };
    let bytes = [encoded(&reply), encoded(&claim(1, "slowly"))].concat();
    send(&hostile, write_slowly, bytes).await?;
    // The arbiter knows the name when it has heard all that came before; nobody lives there.
    while send("slowly", ping, ()).try_send().is_err() {
        yield_now().await;
    }
    assert_eq!(send(&hostile, double, 21).await?, 42);
    let after = peak_of_this_process()?;
    assert!(after < before + ROOM_BYTES, "{before} became {after}");
    Ok(())
}

/// Hostile children at once.
const MANY: usize = 20;

#[pulsar::test]
async fn fault_27_frames_that_are_announced_and_do_not_come_cost_no_memory() -> Result<()> {
    let (one, other) = bystanders().await?;
    let before = virtual_bytes()?;
    let announced = claiming(MAX_FRAME_BYTES - 4, 40);
    let mut asks = Vec::new();
    let mut children = Vec::new();
    for _ in 0..MANY {
        let hostile = spawn().await?;
        let ask = send(&hostile, write_raw, announced.clone()).into_future();
        asks.push(tokio::spawn(ask));
        children.push(hostile);
    }
    for child in &children {
        // Behind the ask, and answered into the frame that never ends: that it writes is seen by its silence.
        let short = std::time::Duration::from_millis(100);
        let silent = send(child, ping, ()).timeout(short).await;
        assert!(matches!(
            silent,
            Err(CallError::Send(SendError::Timeout { .. }))
        ));
    }
    let after = virtual_bytes()?;
    let announced = (MANY * MAX_FRAME_BYTES) as u64;
    assert!(after < before + announced / 4, "{before} became {after}");
    assert_eq!(send(&one, ask_other, other).await?, 42);
    for (child, ask) in children.iter().zip(asks) {
        arbiter().kill_actor(child).await?;
        has_died("killed", ask.await?);
    }
    Ok(())
}

/// The memory that this process has asked for, used or not.
fn virtual_bytes() -> Result<u64> {
    crate::flood::status_bytes("VmSize:")
}

/// Makes the way to `to`, and writes there what is no frame.
#[command]
async fn write_to_peer(_cx: Context, to: Proxy, bytes: Vec<u8>) -> Result<(), Error> {
    let before = names_of(&own_sockets()?)?;
    send(&to, double, 1).await?;
    let direct = own_sockets()?.into_iter().find(|socket| {
        names_of(std::slice::from_ref(socket)).is_ok_and(|name| !before.contains(&name[0]))
    });
    let direct = direct.ok_or_else(|| Error::msg("no direct link"))?;
    write_all(direct.as_fd(), &bytes)
}

/// The system's names of these sockets, which all descriptors of one share.
fn names_of(sockets: &[OwnedFd]) -> Result<Vec<String>> {
    let paths = sockets
        .iter()
        .map(|socket| format!("/proc/self/fd/{}", socket.as_raw_fd()));
    let names = paths.map(|path| Ok(read_link(path)?.display().to_string()));
    names.collect()
}

#[pulsar::test]
async fn fault_27_a_peer_that_writes_what_is_no_frame_loses_its_direct_link_alone() -> Result<()> {
    let (victim, other) = bystanders().await?;
    let its_pid = send(&victim, pid, ()).await?;
    let open = send(&victim, info, ()).await?.links.open;
    for (what, bytes) in malformed().into_iter().take(9) {
        let hostile = spawn().await?;
        send(&hostile, write_to_peer, (victim.clone(), bytes)).await?;
        // Its link was there, and is closed without anybody's death.
        while send(&victim, info, ()).await?.links.open > open {
            yield_now().await;
        }
        assert_eq!(send(&hostile, double, 4).await?, 8, "{what}");
        assert_eq!(send(&victim, ask_other, other.clone()).await?, 42, "{what}");
        assert_eq!(send(&other, ask_other, victim.clone()).await?, 42, "{what}");
        arbiter().kill_actor(&hostile).await?;
    }
    assert_eq!(send(&victim, pid, ()).await?, its_pid);
    Ok(())
}

/// Replies that nobody waits for.
const STRAYS: u64 = 1_000;

/// Answers what was not asked.
#[command]
async fn answer_unasked(_cx: Context) -> Result<(), Error> {
    let kinds = [Kind::Reply, Kind::Failure, Kind::Undelivered];
    let replies = (0..STRAYS)
        .zip(kinds.into_iter().cycle())
        .map(|(number, kind)| Frame {
            request: REQUEST + number,
            ..Frame::new(kind, Bytes::from_static(b"unasked"))
        });
    let bytes: Vec<u8> = replies.flat_map(|frame| encoded(&frame)).collect();
    write_all(arbiters_link()?.as_fd(), &bytes)
}

#[pulsar::test]
async fn fault_29_replies_to_unknown_requests_are_dropped_and_counted() -> Result<()> {
    let me = get_actor().ok_or_else(|| Error::msg("no actor"))?;
    let child = spawn().await?;
    let before = me.info().links.stray_replies;
    // Its own reply comes behind them, and is none of them.
    send(&child, answer_unasked, ()).await?;
    assert_eq!(me.info().links.stray_replies, before + STRAYS);
    assert_eq!(send(&child, double, 21).await?, 42);
    Ok(())
}
