//! The orderly end of a direct link, which nobody needs for the time being.
//!
//! Each side says [`Kind::Retire`]: it asks nothing more here. The other answers
//! [`Kind::Retired`] when it has handed on all that came before; from then on the sender may use
//! another way to the same process, and nothing overtakes. Replies flow to the last. A side
//! closes its end when for it all is done:
//!
//! 1. both have said `Retire`, and both have answered it;
//! 2. no ask of its own waits for a reply;
//! 3. no ask of the other side waits for a reply here.
//!
//! # Nothing is lost
//!
//! When one side closes, by 3 each ask of the other has its reply in the outbox, which is written
//! out before the socket is closed, and a Unix socket delivers what was written before its end.
//! Since `Retire` came before by 1, no further ask was on its way. By 2 no reply is, but to asks
//! whose callers have given up. What the other side still writes, such replies and credit, is
//! of no use to anybody.
//!
//! # Nobody waits for ever
//!
//! No condition waits for the other side's *close*, so there is no circle: 1 needs that both
//! pumps run and that what came is handed on; 2 that the other side answers or the caller gives
//! up, and each caller has a timeout; 3 that the actors here answer or drop what they were asked.
//! Each of these comes about by itself, and the first side for which all have come closes; the
//! other finds the end of the stream, in order ([`Link::ended_in_order`]), or closes as well.
//!
//! Each step that may make a condition true does so first, and then calls `try_finish`, which
//! looks at all of them. Of the steps that come last on several threads, one sees all: the flags
//! and the count are accessed in one order for all threads (`SeqCst`), and the table of asks
//! under its lock. Take two steps, A and B, that each write and then look. If A's look does not
//! see what B wrote, then A's look comes before B's write in that order (or A's turn with the
//! lock before B's), A's write comes before A's look, and B's look after B's write: so B sees it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use bytes::Bytes;
use pulsar_wire::{Frame, Kind};

use crate::Link;

/// This side has said `Retire`.
const RETIRED: u8 = 1;
/// The other side has answered that.
const READ_OUT: u8 = 2;
/// The other side has said `Retire`.
const RETIRED_BY_PEER: u8 = 4;
/// This side is answering that.
const ANSWERING: u8 = 8;
/// The answer is in the outbox.
const ANSWERED: u8 = 16;

const ALL: u8 = RETIRED | READ_OUT | RETIRED_BY_PEER | ANSWERING | ANSWERED;
/// What is true once the other side may have closed: it had the answer, so that is under way.
const ENDED_IN_ORDER: u8 = ALL & !ANSWERED;

/// How far a link is on its way to its orderly end.
#[derive(Debug, Default)]
pub(crate) struct Retirement {
    steps: AtomicU8,
    /// Asks of the other side that have not been answered here.
    unanswered: AtomicUsize,
}

impl Retirement {
    /// Takes a step; false if it has been taken before.
    fn take(&self, step: u8) -> bool {
        self.steps.fetch_or(step, Ordering::SeqCst) & step == 0
    }

    fn has(&self, steps: u8) -> bool {
        self.steps.load(Ordering::SeqCst) & steps == steps
    }
}

impl Link {
    /// Begins to retire a direct link: nothing more is asked or told over it from here, and who
    /// waits to do so gets its message back. It closes by itself. Once is enough; a link that is
    /// not direct is not retired.
    pub fn retire(&self) {
        if !self.is_direct() || !self.retirement.take(RETIRED) {
            return;
        }
        let frame = Frame::new(Kind::Retire, Bytes::new());
        let pushed = self.outbox.push_retire(&frame);
        // Those who wait for credit find the link retiring.
        self.credits.close();
        self.give_up_on(pushed);
    }

    /// A `Retire` came. This side retires the link too; when all that came before has been handed
    /// on, to a mailbox or to the [`Arrivals`](crate::Arrivals) that the next link shares, call
    /// [`answer_retire`](Self::answer_retire).
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted, if it may not say this now.
    pub fn retire_came(&self) -> Result<(), String> {
        if !self.is_direct() {
            return Err("it retires a link that is not direct".to_owned());
        }
        if !self.retirement.take(RETIRED_BY_PEER) {
            return Err("it retires a link twice".to_owned());
        }
        self.retire();
        Ok(())
    }

    /// All that came before the other side's `Retire` has been handed on: says `Retired`. Does
    /// nothing before that `Retire`, and nothing the second time.
    pub fn answer_retire(&self) {
        if !self.retirement.has(RETIRED_BY_PEER) || !self.retirement.take(ANSWERING) {
            return;
        }
        self.send_plain(Kind::Retired);
        // After the push: a close in between would leave the answer out.
        self.retirement.take(ANSWERED);
        self.try_finish();
    }

    /// A `Retired` came.
    ///
    /// # Errors
    ///
    /// Why the peer is not to be trusted, if it has nothing to answer.
    pub fn retired_came(&self) -> Result<(), String> {
        if !self.retirement.has(RETIRED) || !self.retirement.take(READ_OUT) {
            return Err("it answers a retirement that it was not told of".to_owned());
        }
        self.changes.announce();
        self.try_finish();
        Ok(())
    }

    /// True once either side has begun to retire the link: it is not for new messages.
    pub fn is_retiring(&self) -> bool {
        self.retirement.steps.load(Ordering::SeqCst) & (RETIRED | RETIRED_BY_PEER) != 0
    }

    /// Waits until the other side has handed on all that was sent over this link before it was
    /// retired, or the link has ended. Only then may new messages to that process go another way,
    /// or they could overtake. For a link that is being retired.
    pub async fn is_read_out(&self) {
        self.changes.until(|| self.has_been_read_out()).await;
    }

    /// True if the end of this link is no death: both sides have retired it, and nobody here waits
    /// for a reply.
    pub fn ended_in_order(&self) -> bool {
        self.retirement.has(ENDED_IN_ORDER) && self.pending.is_empty()
    }

    pub(crate) fn has_been_read_out(&self) -> bool {
        self.retirement.has(READ_OUT) || self.has_ended()
    }

    pub(crate) fn is_retired_by_peer(&self) -> bool {
        self.retirement.has(RETIRED_BY_PEER)
    }

    /// An ask came that wants an answer. The pump counts it before its handler can answer it.
    pub(crate) fn ask_came(&self) {
        self.retirement.unanswered.fetch_add(1, Ordering::SeqCst);
    }

    /// It was counted too early, and is yet to come.
    pub(crate) fn ask_comes_again(&self) {
        self.retirement.unanswered.fetch_sub(1, Ordering::SeqCst);
    }

    /// The answer to an ask of the other side is in the outbox.
    pub(crate) fn answered(&self, request: u64) {
        if request == 0 {
            return;
        }
        let less = |count: usize| count.checked_sub(1);
        let unanswered = &self.retirement.unanswered;
        // An answer that nobody asked for leaves it at zero.
        let counted = unanswered.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if counted.is_err() {
            tracing::debug!(peer = %self.peer(), request, "answer to an ask that is not counted");
        }
        self.try_finish();
    }

    /// Closes the link if all is done. To be called after each step that may have been the last;
    /// why, see above.
    pub(crate) fn try_finish(&self) {
        let done = self.retirement.has(ALL)
            && self.retirement.unanswered.load(Ordering::SeqCst) == 0
            && self.pending.is_empty();
        if done {
            self.outbox.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use pulsar_wire::{Aid, ArbiterId, Codec, Incarnation};

    use super::*;
    use crate::{AskBody, Fare, Unsent};

    fn peer() -> Aid {
        Aid::new(ArbiterId::from_entropy(1), 1)
    }

    fn link() -> Link {
        Link::direct(peer(), Incarnation::FIRST)
    }

    fn body() -> AskBody {
        AskBody::new(peer(), "greet", Codec::Postcard, b"", None).unwrap()
    }

    fn ask(link: &Link) -> u64 {
        link.try_send_ask(body(), Fare::Credit, None).unwrap()
    }

    fn exchange(link: &Link) {
        link.retire();
        link.retired_came().unwrap();
        link.retire_came().unwrap();
        link.answer_retire();
    }

    #[test]
    fn an_idle_link_closes_when_both_have_retired_and_answered() {
        let link = link();
        link.retire_came().unwrap();
        assert!(link.is_retiring());
        link.retired_came().unwrap();
        assert!(!link.outbox.is_closed());
        link.answer_retire();
        assert!(link.outbox.is_closed() && link.ended_in_order());
    }

    #[test]
    fn an_ask_in_flight_keeps_it_open_until_its_reply_or_until_it_is_taken_back() {
        for taken_back in [false, true] {
            let link = std::sync::Arc::new(link());
            let request = ask(&link);
            exchange(&link);
            assert!(!link.outbox.is_closed() && !link.ended_in_order());
            match taken_back {
                true => link.take_back(request),
                false => {
                    let frame = Frame::new(Kind::Reply, Bytes::new());
                    link.reply_came(Frame { request, ..frame }, Vec::new());
                }
            }
            assert!(link.outbox.is_closed() && link.ended_in_order());
        }
    }

    #[test]
    fn an_ask_of_the_other_side_keeps_it_open_until_each_is_answered_once() {
        let link = link();
        link.ask_came();
        link.ask_came();
        exchange(&link);
        // Too large: the error goes instead, and counts once.
        let large = Bytes::from(vec![0; pulsar_wire::MAX_FRAME_BYTES]);
        link.answer(1, Codec::Postcard, Ok((Kind::Reply, large.into())));
        assert!(!link.outbox.is_closed());
        link.answer(2, Codec::Postcard, Ok((Kind::Reply, Bytes::new().into())));
        assert!(link.outbox.is_closed());
    }

    #[test]
    fn a_message_for_a_retired_link_is_given_back_and_leaves_nothing() {
        let link = link();
        link.retire();
        let unsent = link.try_send_ask(body(), Fare::Free, None);
        assert!(matches!(unsent, Err(Unsent::Retired(_))));
        let unsent = link.try_send_tell(body(), Fare::Credit);
        assert!(matches!(unsent, Err(Unsent::Retired(_))));
        assert!(link.pending.is_empty());
    }

    #[test]
    fn an_ask_that_comes_too_late_does_not_keep_it_open() {
        for _ in 0..1000 {
            let link = link();
            let begun = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                // Each enters the table of asks for a moment, in which it is not empty.
                scope.spawn(|| {
                    begun.wait();
                    while !link.outbox.is_closed() && !link.retirement.has(ALL) {
                        if let Ok(request) = link.try_send_ask(body(), Fare::Free, None) {
                            link.take_back(request);
                        }
                    }
                });
                begun.wait();
                exchange(&link);
            });
            assert!(link.outbox.is_closed());
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_trusted() {
        link().retired_came().unwrap_err();
        let link = link();
        link.retire();
        link.retired_came().unwrap();
        link.retired_came().unwrap_err();
        link.retire_came().unwrap();
        link.retire_came().unwrap_err();
        Link::new(peer()).retire_came().unwrap_err();
    }

    #[test]
    fn the_link_to_the_arbiter_is_not_retired() {
        let link = Link::new(peer());
        link.retire();
        assert!(!link.is_retiring() && link.outbox.is_empty());
    }

    #[tokio::test]
    async fn the_end_counts_as_read_out() {
        let link = std::sync::Arc::new(link());
        link.retire();
        let waiter = {
            let link = std::sync::Arc::clone(&link);
            tokio::spawn(async move { link.is_read_out().await })
        };
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        link.end(&pulsar_model::Cause::Unknown);
        waiter.await.unwrap();
        assert!(!link.ended_in_order());
    }
}
