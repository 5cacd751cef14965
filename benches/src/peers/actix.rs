//! actix: <https://crates.io/crates/actix>.

use actix::{Actor, ActorContext, Addr, Context, Handler};

use crate::local::{CAPACITY, Local, work};
use crate::message::{Ledger, Message};
use crate::order::{Order, Reading};

pub(super) fn read(order: &Order) -> anyhow::Result<Reading> {
    let order = order.clone();
    let system = actix::System::new();
    system.block_on(async { actix::spawn(work::<Counter>(order)).await? })
}

/// A reference to the actor.
struct Counter(Addr<Behaviour>);

#[derive(Default)]
struct Behaviour {
    ledger: Ledger,
}

impl Actor for Behaviour {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(CAPACITY);
    }
}

struct Count(Message);
struct Total;
struct End;

impl actix::Message for Count {
    type Result = u64;
}

impl actix::Message for Total {
    type Result = u64;
}

impl actix::Message for End {
    type Result = ();
}

impl Handler<Count> for Behaviour {
    type Result = u64;

    fn handle(&mut self, Count(message): Count, _: &mut Self::Context) -> u64 {
        self.ledger.enter(&message)
    }
}

impl Handler<Total> for Behaviour {
    type Result = u64;

    fn handle(&mut self, _: Total, _: &mut Self::Context) -> u64 {
        self.ledger.total()
    }
}

impl Handler<End> for Behaviour {
    type Result = ();

    fn handle(&mut self, _: End, context: &mut Self::Context) {
        context.terminate();
    }
}

impl Local for Counter {
    // `do_send` never waits, whatever the capacity.
    const IS_BOUNDED: bool = false;

    async fn spawn() -> anyhow::Result<Self> {
        let actor = Self(Behaviour::default().start());
        actor.total().await?;
        Ok(actor)
    }

    async fn ask(&self, message: Message) -> anyhow::Result<u64> {
        Ok(self.0.send(Count(message)).await?)
    }

    async fn tell(&self, message: Message) -> anyhow::Result<()> {
        self.0.do_send(Count(message));
        Ok(())
    }

    async fn total(&self) -> anyhow::Result<u64> {
        Ok(self.0.send(Total).await?)
    }

    async fn end(self) -> anyhow::Result<()> {
        self.0.do_send(End);
        Ok(())
    }
}
