//! More direct links than a process keeps.

use pulsar::prelude::*;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::{count, double, never};

/// More than a process keeps links open.
const PEERS: usize = 70;
/// Links that a process keeps open, beside the one to the arbiter.
const KEPT: u64 = 64;

/// As many actors, all booting at once.
async fn spawn_peers() -> Result<Vec<Proxy>> {
    let spawning: Vec<_> = (0..PEERS).map(|_| spawn().begin()).collect();
    let mut peers = Vec::new();
    for peer in spawning {
        peers.push(peer?.await?);
    }
    Ok(peers)
}

/// Counts at each of these in turn, again and again; whether each number came in its turn.
#[command]
async fn go_round(_cx: Context, peers: Vec<Proxy>, rounds: u32) -> Result<bool, Error> {
    let mut in_order = true;
    for number in 0..rounds {
        for peer in &peers {
            in_order &= send(peer, count, number).await?;
        }
    }
    Ok(in_order)
}

/// Lets nobody pass until it is opened.
struct Gate {
    opened: Notify,
}

#[pulsar::actor]
impl Gate {
    fn start(_cx: Context) -> Self {
        let opened = Notify::new();
        Self { opened }
    }

    #[command(concurrent)]
    async fn pass(&self) -> u32 {
        self.opened.notified().await;
        std::process::id()
    }

    #[command(concurrent)]
    fn open(&self) {
        self.opened.notify_one();
    }
}

/// Asks to pass, visits so many others that the link of that ask is retired, and opens.
#[command]
async fn go_and_open(cx: Context, gate: Proxy<Gate>, peers: Vec<Proxy>) -> Result<u64, Error> {
    let passing = tokio::spawn(gate.pass().into_future());
    // Behind it on the same link.
    send(&gate, ping, ()).await?;
    for peer in &peers {
        send(peer, count, 0).await?;
    }
    gate.open().await?;
    passing.await??;
    Ok(cx.info().links.stray_replies)
}

#[pulsar::test]
async fn the_least_recently_used_links_are_closed_and_no_message_is_lost_or_overtaken() -> Result<()>
{
    let traveller = spawn().await?;
    let peers = spawn_peers().await?;
    let in_order = send(&traveller, go_round, (peers.clone(), 5_u32)).await?;
    assert!(in_order);
    let links = loop {
        let links = send(&traveller, info, ()).await?.links;
        // Those that are being retired end a moment later.
        if links.open <= KEPT + 1 {
            break links;
        }
    };
    assert_eq!((links.open, links.stray_replies), (KEPT + 1, 0));
    Ok(())
}

#[pulsar::test]
async fn a_link_that_is_retired_still_carries_what_is_in_flight() -> Result<()> {
    let (traveller, gate) = (spawn().await?, Gate::spawn().await?);
    let peers = spawn_peers().await?;
    assert_eq!(send(&traveller, go_and_open, (gate, peers)).await?, 0);
    Ok(())
}

/// Two tasks of this process, the first with room for one message.
#[command]
async fn host_two(_cx: Context) -> Result<(Proxy, Proxy), Error> {
    let slow = spawn().task().mailbox_capacity(1).await?;
    Ok((slow, spawn().task().await?))
}

/// Asks of the slow actor: one runs, one is in the mailbox, and the others wait before it.
const SLOW_ASKS: usize = 5;

/// Has more asks wait for `slow` than it has room for, visits so many others that their link is
/// retired, and then asks `other`, which lives in the same process.
#[command]
async fn go_past(
    _cx: Context,
    slow: Proxy,
    other: Proxy,
    peers: Vec<Proxy>,
) -> Result<Vec<u32>, Error> {
    let asks: Vec<_> = (0..SLOW_ASKS)
        .map(|_| tokio::spawn(send(&slow, never, ()).into_future()))
        .collect();
    // They are polled, and are in front of what is sent from here on.
    yield_now().await;
    let mut doubled = vec![send(&other, double, 1).await?];
    for peer in &peers {
        send(peer, double, 0).await?;
    }
    for number in 2..5 {
        doubled.push(send(&other, double, number).await?);
    }
    for ask in asks {
        ask.abort();
    }
    Ok(doubled)
}

#[pulsar::test]
async fn a_slow_actor_holds_up_no_other_of_its_process_when_the_link_is_retired() -> Result<()> {
    let (traveller, hosting) = (spawn().await?, spawn().await?);
    let (slow, other) = send(&hosting, host_two, ()).await?;
    let peers = spawn_peers().await?;
    let doubled = send(&traveller, go_past, (slow, other, peers)).await?;
    assert_eq!(doubled, [2, 4, 6, 8]);
    Ok(())
}
