//! Tasks and channels of tokio, on one thread.

use anyhow::Context;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::local::{CAPACITY, Local};
use crate::message::{Ledger, Message};

/// A task with a bounded channel.
pub(super) struct Counter {
    mailbox: mpsc::Sender<Mail>,
    task: JoinHandle<()>,
}

enum Mail {
    Count(Message, oneshot::Sender<u64>),
    Note(Message),
    Total(oneshot::Sender<u64>),
}

async fn count(mut mailbox: mpsc::Receiver<Mail>) {
    let mut ledger = Ledger::default();
    while let Some(mail) = mailbox.recv().await {
        // A caller that has gone wants no answer.
        match mail {
            Mail::Count(message, reply) => drop(reply.send(ledger.enter(&message))),
            Mail::Note(message) => drop(ledger.enter(&message)),
            Mail::Total(reply) => drop(reply.send(ledger.total())),
        }
    }
}

impl Counter {
    async fn send(&self, mail: Mail) -> anyhow::Result<()> {
        let sent = self.mailbox.send(mail).await;
        sent.ok().context("the task has ended")
    }
}

impl Local for Counter {
    const IS_BOUNDED: bool = true;

    async fn spawn() -> anyhow::Result<Self> {
        let (mailbox, mail) = mpsc::channel(CAPACITY);
        let (ready, is_ready) = oneshot::channel();
        let task = tokio::spawn(async move {
            // Whoever waits for it waits until it is there.
            let _ = ready.send(());
            count(mail).await;
        });
        is_ready.await?;
        Ok(Self { mailbox, task })
    }

    async fn ask(&self, message: Message) -> anyhow::Result<u64> {
        let (reply, answer) = oneshot::channel();
        self.send(Mail::Count(message, reply)).await?;
        Ok(answer.await?)
    }

    async fn tell(&self, message: Message) -> anyhow::Result<()> {
        self.send(Mail::Note(message)).await
    }

    async fn total(&self) -> anyhow::Result<u64> {
        let (reply, answer) = oneshot::channel();
        self.send(Mail::Total(reply)).await?;
        Ok(answer.await?)
    }

    async fn end(self) -> anyhow::Result<()> {
        drop(self.mailbox);
        Ok(self.task.await?)
    }
}
