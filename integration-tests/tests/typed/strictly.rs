//! Actors of a library, used from outside of it.

use integration_tests::strict::{Drawer, Listener, SoldOut, Tickets, skip_in_secret};
use pulsar::prelude::*;

use crate::PLACEMENTS;

#[pulsar::test]
async fn a_librarys_actors_are_used_as_ones_own() -> Result<()> {
    for placement in PLACEMENTS {
        let tickets = Tickets::spawn(1).placement(placement).await?;
        assert_eq!(tickets.draw().await?.number(), 1, "{placement}");
        let (before, next) = skip_in_secret(&tickets, 10).await?;
        assert_eq!((before, next.number()), (0, 12), "{placement}");
        let drawer = Drawer::spawn().placement(placement).await?;
        assert_eq!(drawer.put(tickets.clone()).await?, None, "{placement}");
        assert_eq!(drawer.put(tickets.clone()).await?, Some(tickets));
    }
    let last = Tickets::spawn(u64::MAX - 1).await?;
    assert_eq!(last.draw().await?.number(), u64::MAX - 1);
    match last.draw().await {
        Err(CallError::Command(SoldOut)) => {}
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[pulsar::test]
async fn a_librarys_local_actors_are_used_as_ones_own() -> Result<()> {
    let (to, heard) = std::sync::mpsc::channel();
    let listener = Listener::spawn(heard).await?;
    to.send(5)?;
    assert_eq!(listener.heard().await?, [5]);
    Ok(())
}
