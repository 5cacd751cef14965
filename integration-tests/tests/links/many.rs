//! More direct links than a process keeps.

use pulsar::prelude::*;

use crate::count;
use tokio::sync::Notify;

/// More than a process keeps links open.
const PEERS: usize = 70;
/// Links that a process keeps open, beside the one to the arbiter.
const KEPT: u64 = 64;

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
    let spawning: Vec<_> = (0..PEERS).map(|_| spawn().begin()).collect();
    let mut peers = Vec::new();
    for peer in spawning {
        peers.push(peer?.await?);
    }
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
    let mut peers = Vec::new();
    for peer in (0..PEERS).map(|_| spawn().begin()).collect::<Vec<_>>() {
        peers.push(peer?.await?);
    }
    assert_eq!(send(&traveller, go_and_open, (gate, peers)).await?, 0);
    Ok(())
}
