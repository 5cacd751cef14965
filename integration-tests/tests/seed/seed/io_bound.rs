//! IO-bound: "The most common usage for an Actor is to handle Input/Output events on file descriptors.
//! An `Actor._loop` tells the operating system that it should be notified when a new connection is made,
//! and then it goes to sleep."

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use pulsar::prelude::*;
use pulsar::{Interest, Watching};

use super::PLACEMENTS;

/// Registers a listener's descriptor with the actor's loop: each connection is told what number it is.
async fn serve(cx: Context, _: ()) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    cx.set_extra("address", listener.local_addr()?.to_string());
    let mut served = 0_u32;
    let shown = cx.clone();
    let watch = cx.event_loop().on_readable(listener, move |listener| {
        let (mut stream, _) = listener.accept()?;
        served += 1;
        shown.set_extra("served", served);
        stream.write_all(format!("{served}").as_bytes())?;
        Ok(Watching::Continue)
    })?;
    let stopped = cx.clone();
    cx.spawn(async move {
        stopped.stop_asked().await;
        watch.cancel();
    });
    Ok(())
}

#[pulsar::test]
async fn its_loop_is_notified_of_new_connections() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).start(serve, ()).await?;
        let extra = send(&actor, info, ()).await?.extra;
        let address = extra.get("address").and_then(|it| it.as_str());
        let address: SocketAddr = address.expect("the hook has run").parse()?;
        for number in 1..=3 {
            // In the executor: this client blocks.
            let me = get_actor().expect("the test runs in the arbiter");
            let said = me.executor().run(move || read_all(address)).await??;
            assert_eq!(said, number.to_string(), "{placement}");
        }
        // Beside its commands, and seen by them.
        let extra = send(&actor, info, ()).await?.extra;
        assert_eq!(extra.get("served"), Some(&3.into()), "{placement}");
        arbiter().stop_actor(&actor).await?;
        // With the actor its descriptors go.
        assert!(TcpStream::connect(address).is_err(), "{placement}");
    }
    Ok(())
}

fn read_all(address: SocketAddr) -> std::io::Result<String> {
    let mut said = String::new();
    TcpStream::connect(address)?.read_to_string(&mut said)?;
    Ok(said)
}

#[pulsar::test]
async fn descriptors_may_be_awaited_too() -> Result<()> {
    let (mut near, far) = std::os::unix::net::UnixStream::pair()?;
    far.set_nonblocking(true)?;
    let cx = get_actor().expect("the test runs in the arbiter");
    let registered = cx.event_loop().register(far, Interest::READABLE)?;
    let reading = cx.spawn(async move {
        let mut bytes = [0; 5];
        let read = registered.read_with(|mut far| far.read(&mut bytes)).await;
        read.map(|read| bytes[..read].to_vec())
    });
    near.write_all(b"hello")?;
    let read = reading.await?.expect("the actor lives")?;
    assert_eq!(read, b"hello");
    Ok(())
}

#[pulsar::test]
async fn between_events_it_goes_to_sleep() -> Result<()> {
    #[pulsar::remote]
    async fn cpu_used_ms(_cx: Context, _: ()) -> Result<u64> {
        // Of the process's main thread, which is the actor's: its first number is in nanoseconds.
        let used = std::fs::read_to_string("/proc/self/schedstat")?;
        let used = used.split(' ').next().unwrap_or_default().parse::<u64>()?;
        Ok(used / 1_000_000)
    }
    let actor = spawn().start(serve, ()).await?;
    let clock = spawn()
        .every(std::time::Duration::from_millis(2))
        .periodic_task(tick)
        .await?;
    let before = run(&actor, cpu_used_ms, ()).await??;
    // A fifth of a second passes, by the clock of another process.
    while send(&clock, info, ())
        .await?
        .extra
        .get("ticks")
        .is_none_or(|it| it.as_u64() < Some(80))
    {}
    let used = run(&actor, cpu_used_ms, ()).await?? - before;
    assert!(used < 80, "{used} ms");
    Ok(())
}

async fn tick(cx: Context) {
    let extra = cx.info().extra;
    let ticks = extra.get("ticks").and_then(serde_json::Value::as_u64);
    cx.set_extra("ticks", ticks.unwrap_or(0) + 1);
}
