//! Sending commands over a link, with or without waiting.

use std::task::Waker;
use std::time::Duration;

use pulsar_model::SendError;
use pulsar_wire::{Aid, Header, Kind};

use crate::ask::{AskBody, Fare, Unsent};
use crate::credit::{NoCredit, WINDOW};
use crate::key::Key;
use crate::outbox::PushError;
use crate::queue::refused;
use crate::{Draft, Link};

/// Who sends a command.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Nobody waits for a reply.
    Teller,
    /// Somebody does, and is woken by it so; or looks for it.
    Asker(Option<&'a Waker>),
}

impl<'a> By<'a> {
    /// Somebody, if they wait.
    pub fn who_waits(waits: bool, caller: Option<&'a Waker>) -> Self {
        match waits {
            true => Self::Asker(caller),
            false => Self::Teller,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Teller => Kind::Tell,
            Self::Asker(_) => Kind::Ask,
        }
    }
}

impl Link {
    /// Sends an ask as soon as there is credit and room; its number, by which its caller
    /// [waits for the reply](Self::poll_reply) and [takes it back](Self::take_back) when it gives up.
    ///
    /// Senders to one target get its credit in the order of their coming. If this is dropped
    /// before its end, nothing was sent.
    ///
    /// # Errors
    ///
    /// [`Unsent`]; with [`SendError::ActorDied`] if the link ends meanwhile.
    pub async fn send_ask(&self, body: AskBody, fare: Fare) -> Result<u64, Unsent> {
        self.send(body, By::Asker(None), fare).await
    }

    /// As [`send_ask`](Self::send_ask), for a command that nobody waits for.
    ///
    /// # Errors
    ///
    /// As [`send_ask`](Self::send_ask).
    pub async fn send_tell(&self, body: AskBody, fare: Fare) -> Result<(), Unsent> {
        self.send(body, By::Teller, fare).await.map(drop)
    }

    /// Sends an ask now; its number, as for [`send_ask`](Self::send_ask). `caller` is woken by the reply; without it the
    /// reply is told to who polls for it.
    ///
    /// # Errors
    ///
    /// [`Unsent`]; with [`SendError::MailboxFull`] if there is no credit or no room now.
    pub fn try_send_ask(
        &self,
        body: AskBody,
        fare: Fare,
        caller: Option<&Waker>,
    ) -> Result<u64, Unsent> {
        self.try_send(body, By::Asker(caller), fare)
    }

    /// As [`try_send_ask`](Self::try_send_ask), for a command that nobody waits for.
    ///
    /// # Errors
    ///
    /// As [`try_send_ask`](Self::try_send_ask).
    pub fn try_send_tell(&self, body: AskBody, fare: Fare) -> Result<(), Unsent> {
        self.try_send(body, By::Teller, fare).map(drop)
    }

    /// Sends a command of the user's to `target` just as its draft stands, if there is credit and nobody waits for any; the
    /// number of the ask, or 0 for one that nobody waits for. It is worth running `within` that time.
    ///
    /// `None` if it was not sent: it has to wait, or to go another way, or has descriptors that go with it; or what is
    /// wrong is found again by [`try_send_ask`](Self::try_send_ask).
    pub fn send_draft(
        &self,
        target: Aid,
        draft: &mut Draft,
        within: Duration,
        by: By<'_>,
    ) -> Option<u64> {
        if !draft.is_plain() {
            return None;
        }
        let (place, task) = (target.place(), target.task());
        self.credits.try_spend((place, task)).ok()?;
        let push = |request| {
            let header = Header {
                codec: draft.codec(),
                request,
                place,
                task,
                deadline: Some(within),
                ..Header::new(by.kind())
            };
            let frame = draft.frame(&header).map_err(refused)?;
            self.outbox.push_encoded_ask(frame, request != 0)
        };
        self.post_paid((place, task), by, push).ok()
    }

    async fn send(&self, mut body: AskBody, by: By<'_>, fare: Fare) -> Result<u64, Unsent> {
        let mut credit = match fare {
            Fare::Free => None,
            Fare::Credit => match self.credits.acquire(body.target()).await {
                Ok(credit) => Some(credit),
                Err(error) => return Err(self.no_credit(error, body)),
            },
        };
        // It loops only if others have taken the room in between. Nothing is held meanwhile that
        // others need: a send that its owner keeps, but does not poll, stops nobody else.
        let mut is_refused = false;
        loop {
            if is_refused && !self.outbox.has_room() {
                if let Some(credit) = &mut credit {
                    credit.stand_in_line();
                }
                self.outbox.room().await;
                if let Some(credit) = &credit {
                    credit.let_others_go_first().await;
                }
            }
            if let Some(credit) = &mut credit {
                credit.spend();
            }
            let posted = self.post(by, |request| self.push_body(&mut body, by, request));
            match (&mut credit, &posted) {
                (Some(_), Ok(_)) => self.note_message(),
                (Some(credit), Err(_)) => credit.unspend(),
                (None, _) => {}
            }
            match posted {
                Err(PushError::Full { .. }) => is_refused = true,
                Err(error) => return Err(self.unsent(error, body)),
                Ok(request) => return Ok(request),
            }
        }
    }

    fn try_send(&self, mut body: AskBody, by: By<'_>, fare: Fare) -> Result<u64, Unsent> {
        let target = body.target();
        if fare == Fare::Credit
            && let Err(error) = self.credits.try_spend(target)
        {
            return Err(self.no_credit(error, body));
        }
        let push = |request| self.push_body(&mut body, by, request);
        let posted = match fare {
            Fare::Free => self.post(by, push),
            Fare::Credit => self.post_paid(target, by, push),
        };
        posted.map_err(|error| self.unsent(error, body))
    }

    fn push_body(&self, body: &mut AskBody, by: By<'_>, request: u64) -> Result<(), PushError> {
        body.prepare(by.kind(), request);
        let (frame, passed) = body.prepared();
        self.outbox.push_ask(frame, passed)
    }

    /// Has `push` push a command whose credit has been spent; where that fails, it is taken back.
    fn post_paid(
        &self,
        target: Key,
        by: By<'_>,
        push: impl FnOnce(u64) -> Result<(), PushError>,
    ) -> Result<u64, PushError> {
        let posted = self.post(by, push);
        match &posted {
            Ok(_) => self.note_message(),
            Err(_) => self.credits.unspend(target),
        }
        posted
    }

    /// Has `push` push a command, with the number of the ask.
    fn post(
        &self,
        by: By<'_>,
        push: impl FnOnce(u64) -> Result<(), PushError>,
    ) -> Result<u64, PushError> {
        match by {
            By::Asker(caller) => self.post_ask(caller, push),
            By::Teller => push(0).map(|()| 0),
        }
    }

    /// The entry is made before the frame leaves, so that no reply can come before it; and if
    /// the link ends between the two, either its end finds the entry or the push finds the end.
    fn post_ask(
        &self,
        caller: Option<&Waker>,
        push: impl FnOnce(u64) -> Result<(), PushError>,
    ) -> Result<u64, PushError> {
        let entered = self.pending.insert(caller);
        let request = entered.map_err(PushError::Refused)?;
        let Err(error) = push(request) else {
            return Ok(request);
        };
        if !self.pending.take_unanswered(request) {
            // The link's end has found the entry: its caller has an answer already.
            return Ok(request);
        }
        self.try_finish();
        Err(error)
    }

    fn no_credit(&self, error: NoCredit, body: AskBody) -> Unsent {
        match error {
            NoCredit::Spent => Unsent::Refused(SendError::MailboxFull { capacity: WINDOW }),
            NoCredit::Closed if self.is_retiring() => Unsent::Retired(Box::new(body)),
            NoCredit::Closed => Unsent::Refused(self.died()),
        }
    }

    fn unsent(&self, error: PushError, body: AskBody) -> Unsent {
        match error {
            PushError::Retired => Unsent::Retired(Box::new(body)),
            other => Unsent::Refused(self.refusal(other)),
        }
    }

    /// What a push that failed is to its caller.
    pub(crate) fn refusal(&self, error: PushError) -> SendError {
        match error {
            PushError::Closed | PushError::Retired => self.died(),
            PushError::Full { limit_bytes } => SendError::MailboxFull {
                capacity: limit_bytes,
            },
            PushError::Refused(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use pulsar_wire::{ArbiterId, Codec, MAX_FRAME_BYTES};

    use super::*;

    fn link() -> Link {
        Link::new(Aid::new(ArbiterId::from_entropy(1), 1))
    }

    fn body(args_bytes: usize) -> AskBody {
        let aid = Aid::new(ArbiterId::from_entropy(1), 7);
        let args = vec![0; args_bytes];
        AskBody::new(aid, "greet", Codec::Postcard, &args, None).unwrap()
    }

    #[tokio::test]
    async fn a_message_that_is_not_sent_costs_nothing_and_leaves_no_entry() {
        let link = link();
        for _ in 0..=WINDOW {
            let large = body(MAX_FRAME_BYTES);
            let unsent = link.try_send_ask(large, Fare::Credit, None);
            let Err(Unsent::Refused(SendError::TooLarge { .. })) = unsent else {
                panic!("{unsent:?}");
            };
        }
        let large = body(MAX_FRAME_BYTES);
        let unsent = link.send_ask(large, Fare::Credit).await;
        assert!(matches!(
            unsent,
            Err(Unsent::Refused(SendError::TooLarge { .. }))
        ));
        assert!(link.pending.is_empty());
        for _ in 0..WINDOW {
            link.try_send_tell(body(1), Fare::Credit).unwrap();
        }
        link.try_send_tell(body(1), Fare::Credit).unwrap_err();
    }

    #[tokio::test]
    async fn a_send_that_is_dropped_while_it_waits_has_sent_nothing() {
        let link = std::sync::Arc::new(link());
        let large = MAX_FRAME_BYTES - 1024;
        while link.try_send_tell(body(large), Fare::Free).is_ok() {}
        let waiting = {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.send_ask(body(1), Fare::Credit).await })
        };
        tokio::task::yield_now().await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert!(link.pending.is_empty());
        link.outbox.discard();
        for _ in 0..WINDOW {
            link.try_send_tell(body(1), Fare::Credit).unwrap();
        }
    }

    /// Who comes when there is room again overtakes who has waited for it.
    #[tokio::test]
    async fn nobody_overtakes_who_waits_for_room() {
        let link = std::sync::Arc::new(link());
        let large = MAX_FRAME_BYTES - 1024;
        while link.try_send_tell(body(large), Fare::Free).is_ok() {}
        let waiting = {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.send_ask(body(1), Fare::Credit).await })
        };
        tokio::task::yield_now().await;
        // The other side has read.
        let all = |bytes: &[u8], _: &[std::os::fd::BorrowedFd<'_>]| Ok(bytes.len());
        link.outbox.write_with(all).unwrap();
        let later = link.try_send_ask(body(1), Fare::Credit, None);
        let first = waiting.await.unwrap().unwrap();
        assert!(later.is_err() || later.unwrap() > first);
    }

    /// Who comes when credit has just come back overtakes who has waited for it.
    #[tokio::test]
    async fn nobody_overtakes_who_waits_for_credit() {
        let link = std::sync::Arc::new(link());
        while link.try_send_tell(body(1), Fare::Credit).is_ok() {}
        let waiting = {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.send_ask(body(1), Fare::Credit).await })
        };
        tokio::task::yield_now().await;
        let returned = pulsar_wire::Frame {
            place: 7,
            request: 64,
            ..pulsar_wire::Frame::new(Kind::Credit, bytes::Bytes::new())
        };
        link.credit_came(&returned).unwrap();
        let later = link.try_send_ask(body(1), Fare::Credit, None);
        let first = waiting.await.unwrap().unwrap();
        assert!(later.is_err() || later.unwrap() > first);
    }
}
