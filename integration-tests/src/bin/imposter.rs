//! A program whose children may say another hello than theirs: those whose names say so. It spawns one of each kind
//! beside two honest ones, and tells how they fared.
#![forbid(unsafe_code)]

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use pulsar::prelude::*;
use pulsar_sys::descriptors::recv_with_descriptors;
use pulsar_sys::{Build, boot};
use pulsar_wire::{
    Aid, BootRecord, Frame, FrameDecoder, Hello, Incarnation, Kind, MAX_FRAME_BYTES,
    PROTOCOL_VERSION,
};

/// What stands before the name of a child that is none.
const IMPOSTER: &str = "[imposter-";

/// The kinds of them.
const KINDS: [&str; 8] = [
    "place", "arbiter", "life", "version", "build", "twice", "garbage", "silence",
];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    match name.strip_prefix(IMPOSTER) {
        Some(kind) => match impose(kind.trim_end_matches(']')) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        None => {
            // Its children enter above, and not as forks of a template.
            pulsar::__private::mark(None, None);
            pulsar::__private::run_main(honest, None)
        }
    }
}

/// The arbiter's side.
async fn honest() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    assert_eq!(send(&one, ask_other, other.clone()).await?, "pong");
    for kind in KINDS {
        let name = format!("imposter-{kind}");
        let spawned = spawn().name(&name).await;
        let end = match spawned {
            Ok(_) => "it is ready".to_owned(),
            Err(error) => error.to_string(),
        };
        println!("{kind}: {end}");
        assert_eq!(send(&one, ask_other, other.clone()).await?, "pong");
        // Its name is free as soon as it has gone.
        if spawn().thread().name(&name).await.is_err() {
            println!("{kind}: its name is taken still");
        }
    }
    println!("{} actors", arbiter().actors().len());
    Ok(())
}

#[command]
async fn ask_other(_cx: Context, to: Proxy) -> Result<String, Error> {
    Ok(send(&to, ping, ()).await?)
}

/// The child's side, in the place of the runtime's: says a hello of this kind, and waits for what comes of it.
fn impose(kind: &str) -> Result<()> {
    let socket = boot::take().ok_or_else(|| Error::msg("no child of an arbiter's"))??;
    let mut link = socket.link;
    let hello = hello(&mut link)?;
    let say = |link: &mut UnixStream, hello: &Hello| -> Result<()> {
        let mut bytes = BytesMut::new();
        Frame::new(Kind::Hello, hello.encode()).encode(&mut bytes, MAX_FRAME_BYTES)?;
        Ok(link.write_all(&bytes)?)
    };
    let aid = hello.aid;
    let other_arbiter = pulsar_wire::ArbiterId::from_entropy(0x5eed);
    let wrong = match kind {
        "place" => Hello {
            aid: Aid::new(aid.arbiter(), aid.place() + 1),
            ..hello
        },
        "arbiter" => Hello {
            aid: Aid::new(other_arbiter, aid.place()),
            ..hello
        },
        "life" => Hello {
            incarnation: Incarnation(7),
            ..hello
        },
        "version" => Hello {
            version: PROTOCOL_VERSION + 1,
            ..hello
        },
        "build" => Hello {
            build: Bytes::from_static(b"another"),
            ..hello
        },
        "twice" => {
            say(&mut link, &hello)?;
            hello
        }
        "garbage" => {
            let frame = Frame::new(Kind::Hello, Bytes::from_static(b"hello?"));
            let mut bytes = BytesMut::new();
            frame.encode(&mut bytes, MAX_FRAME_BYTES)?;
            link.write_all(&bytes)?;
            return wait(&link);
        }
        // It goes without a word.
        _ => return Ok(()),
    };
    say(&mut link, &wrong)?;
    wait(&link)
}

/// What this process should say: as the boot record has it.
fn hello(link: &mut UnixStream) -> Result<Hello> {
    let decoder = FrameDecoder::new(MAX_FRAME_BYTES);
    let (mut buffer, mut chunk) = (BytesMut::new(), vec![0; 64 << 10]);
    let boot = loop {
        let read = recv_with_descriptors(&*link, &mut chunk, &mut Vec::new())?;
        buffer.extend_from_slice(&chunk[..read.bytes]);
        if let Some(frame) = decoder.decode(&mut buffer)? {
            break BootRecord::decode(frame.body)?;
        }
    };
    let ((aid, incarnation), _) = postcard::take_from_bytes::<(Aid, Incarnation)>(&boot.identity)?;
    Ok(Hello {
        version: boot.version,
        build: postcard::to_stdvec(&Build::current()?)?.into(),
        aid,
        incarnation,
        pid: std::process::id(),
    })
}

/// Until the arbiter closes the link; it kills this process then.
fn wait(mut link: &UnixStream) -> Result<()> {
    std::io::copy(&mut link, &mut std::io::sink())?;
    std::thread::park();
    Ok(())
}
