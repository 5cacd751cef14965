//! kameo: <https://crates.io/crates/kameo>.

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::Context;

use crate::local::{CAPACITY, Local};
use crate::message::{Ledger, Message};

/// A reference to the actor.
pub(super) struct Counter(ActorRef<Behaviour>);

#[derive(Actor, Default)]
struct Behaviour {
    ledger: Ledger,
}

struct Count(Message);
struct Total;

impl kameo::message::Message<Count> for Behaviour {
    type Reply = u64;

    async fn handle(&mut self, Count(message): Count, _: &mut Context<Self, u64>) -> u64 {
        self.ledger.enter(&message)
    }
}

impl kameo::message::Message<Total> for Behaviour {
    type Reply = u64;

    async fn handle(&mut self, _: Total, _: &mut Context<Self, u64>) -> u64 {
        self.ledger.total()
    }
}

impl Local for Counter {
    const IS_BOUNDED: bool = true;

    async fn spawn() -> anyhow::Result<Self> {
        let actor = Behaviour::spawn_with_mailbox(Behaviour::default(), mailbox::bounded(CAPACITY));
        actor.wait_for_startup().await;
        Ok(Self(actor))
    }

    async fn ask(&self, message: Message) -> anyhow::Result<u64> {
        let asked = self.0.ask(Count(message)).await;
        asked.map_err(|_| anyhow::anyhow!("no answer"))
    }

    async fn tell(&self, message: Message) -> anyhow::Result<()> {
        let told = self.0.tell(Count(message)).await;
        told.map_err(|_| anyhow::anyhow!("it has ended"))
    }

    async fn total(&self) -> anyhow::Result<u64> {
        let asked = self.0.ask(Total).await;
        asked.map_err(|_| anyhow::anyhow!("no answer"))
    }

    async fn end(self) -> anyhow::Result<()> {
        let stopped = self.0.stop_gracefully().await;
        stopped.map_err(|_| anyhow::anyhow!("it has ended"))?;
        self.0.wait_for_shutdown().await;
        Ok(())
    }
}
