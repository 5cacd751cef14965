//! ractor: <https://crates.io/crates/ractor>.

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, rpc::CallResult};

use crate::local::Local;
use crate::message::{Ledger, Message};

/// A reference to the actor.
pub(super) struct Counter(ActorRef<Mail>);

struct Behaviour;

#[derive(Debug)]
enum Mail {
    Count(Message, RpcReplyPort<u64>),
    Note(Message),
    Total(RpcReplyPort<u64>),
}

impl Actor for Behaviour {
    type Msg = Mail;
    type State = Ledger;
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<Mail>,
        (): (),
    ) -> Result<Ledger, ActorProcessingErr> {
        Ok(Ledger::default())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Mail>,
        mail: Mail,
        ledger: &mut Ledger,
    ) -> Result<(), ActorProcessingErr> {
        match mail {
            Mail::Count(message, reply) => reply.send(ledger.enter(&message))?,
            Mail::Note(message) => drop(ledger.enter(&message)),
            Mail::Total(reply) => reply.send(ledger.total())?,
        }
        Ok(())
    }
}

fn answer(result: CallResult<u64>) -> anyhow::Result<u64> {
    match result {
        CallResult::Success(total) => Ok(total),
        other => anyhow::bail!("no answer: {other:?}"),
    }
}

impl Local for Counter {
    const IS_BOUNDED: bool = false;

    async fn spawn() -> anyhow::Result<Self> {
        let (actor, _task) = Actor::spawn(None, Behaviour, ()).await?;
        Ok(Self(actor))
    }

    async fn ask(&self, message: Message) -> anyhow::Result<u64> {
        answer(
            self.0
                .call(|reply| Mail::Count(message, reply), None)
                .await?,
        )
    }

    async fn tell(&self, message: Message) -> anyhow::Result<()> {
        Ok(self.0.cast(Mail::Note(message))?)
    }

    async fn total(&self) -> anyhow::Result<u64> {
        answer(self.0.call(Mail::Total, None).await?)
    }

    async fn end(self) -> anyhow::Result<()> {
        Ok(self.0.stop_and_wait(None, None).await?)
    }
}
