//! Descriptors that go with a message.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pulsar_model::SendError;
use pulsar_wire::Frame;
use rustix::process::{Resource, getrlimit};

use crate::credit::WINDOW;
use crate::{Link, Receipt};

/// Descriptors that wait here to be read and came over one link: as many as four targets let wait that are sent one
/// with each message.
const MOST_FROM_ONE: usize = 4 * WINDOW;
/// The part of the limit of open files that one link may have wait.
const SHARE_OF_ONE: usize = 8;
/// The part that all links together may have wait: the rest is for the process's own work.
const SHARE_OF_ALL: usize = 2;

/// Descriptors that wait to be read in this process, whichever link they came over.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Descriptors that go with a message, or have come with it. A clone is a reference; those that nobody has taken are
/// closed with the last.
#[derive(Clone, Default)]
pub struct Passed(
    /// `None` if there are none, as with nearly all messages.
    Option<Arc<Descriptors>>,
);

struct Descriptors {
    // In this order: they are closed before they are no longer counted.
    all: Vec<Arc<OwnedFd>>,
    waiting: Option<Arc<Waiting>>,
}

impl Passed {
    /// These, in their order.
    pub fn new(descriptors: Vec<Arc<OwnedFd>>) -> Self {
        Self::held(descriptors, None)
    }

    /// Some of these descriptors, which have a place of their own from now on. They count as these do, until they
    /// are read or closed as well.
    pub(crate) fn part(&self, descriptors: Vec<Arc<OwnedFd>>) -> Self {
        let whole = self.0.as_ref();
        Self::held(descriptors, whole.and_then(|whole| whole.waiting.clone()))
    }

    fn held(all: Vec<Arc<OwnedFd>>, waiting: Option<Arc<Waiting>>) -> Self {
        match all.is_empty() {
            true => Self(None),
            false => Self(Some(Arc::new(Descriptors { all, waiting }))),
        }
    }

    /// The same descriptors, as this process's own: they do not wait to be read, and are not counted
    /// among those that do.
    #[must_use]
    pub fn taken_over(&self) -> Self {
        Self::new(self.all().to_vec())
    }

    /// All of them, in their order.
    pub fn all(&self) -> &[Arc<OwnedFd>] {
        self.0.as_ref().map_or(&[], |descriptors| &descriptors.all)
    }

    pub(crate) fn borrowed(&self) -> Vec<BorrowedFd<'_>> {
        self.all().iter().map(AsFd::as_fd).collect()
    }

    /// How many there are, as a frame says it. No body takes more than that.
    pub(crate) fn count(&self) -> u8 {
        u8::try_from(self.all().len()).unwrap_or(u8::MAX)
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Vec<OwnedFd>> for Passed {
    fn from(descriptors: Vec<OwnedFd>) -> Self {
        Self::new(descriptors.into_iter().map(Arc::new).collect())
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passed({} descriptors)", self.all().len())
    }
}

/// Descriptors that have come and are counted until they are read or closed.
struct Waiting {
    link: Arc<Link>,
    count: usize,
    /// Their message has not been taken in before: so a sender has no more of them here than it has credit.
    _receipt: Option<Receipt>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.link
            .descriptors_here
            .fetch_sub(self.count, Ordering::Relaxed);
        WAITING.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Link {
    /// Takes the descriptors that came with a frame. They wait until the frame's body is read, and with them the
    /// message's credit. Each peer may have so many wait here; those past that are closed at once.
    ///
    /// # Errors
    ///
    /// [`SendError::Refused`] if there is no room for them here, or was none on the way: the message cannot be read.
    pub fn admit(
        self: &Arc<Self>,
        frame: &Frame,
        descriptors: Vec<OwnedFd>,
        receipt: &mut Option<Receipt>,
    ) -> Result<Passed, SendError> {
        if frame.descriptors == 0 {
            return Ok(Passed::default());
        }
        if descriptors.is_empty() {
            return Err(refused(
                "the shared bytes of the message were lost: its sender or its receiver has too many open files",
            ));
        }
        let count = descriptors.len();
        // Relaxed: numbers only. Two links at once may each go over the limit of all by one frame.
        let from_here = self.descriptors_here.load(Ordering::Relaxed) + count;
        let from_all = WAITING.load(Ordering::Relaxed) + count;
        let limit = getrlimit(Resource::Nofile).current;
        let limit = limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        if from_here > MOST_FROM_ONE.min(limit / SHARE_OF_ONE) || from_all > limit / SHARE_OF_ALL {
            return Err(refused(
                "the receiver has no room for the shared bytes of the message: others wait to be read",
            ));
        }
        self.descriptors_here.fetch_add(count, Ordering::Relaxed);
        WAITING.fetch_add(count, Ordering::Relaxed);
        let waiting = Waiting {
            link: Arc::clone(self),
            count,
            _receipt: receipt.take(),
        };
        let descriptors = descriptors.into_iter().map(Arc::new).collect();
        Ok(Passed::held(descriptors, Some(Arc::new(waiting))))
    }
}

fn refused(what: &str) -> SendError {
    SendError::Refused {
        reason: format!(
            "{what}; raise the limit of open files (`ulimit -n`), or send fewer at once"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use bytes::Bytes;
    use pulsar_wire::{Aid, ArbiterId, DESCRIPTORS_LOST, Kind};

    use super::*;

    fn link() -> Arc<Link> {
        Arc::new(Link::new(Aid::new(ArbiterId::from_entropy(1), 1)))
    }

    fn frame(descriptors: u8) -> Frame {
        Frame {
            descriptors,
            ..Frame::new(Kind::Ask, Bytes::new())
        }
    }

    fn came() -> Vec<OwnedFd> {
        vec![UnixStream::pair().unwrap().0.into()]
    }

    #[test]
    fn what_waits_is_bounded_for_each_link_and_room_is_made_by_reading() {
        let (link, other) = (link(), link());
        let mut waiting = Vec::new();
        let refused = loop {
            match link.admit(&frame(1), came(), &mut None) {
                Ok(passed) => waiting.push(passed),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, SendError::Refused { .. }), "{refused}");
        assert!((64..=MOST_FROM_ONE).contains(&waiting.len()));
        // A clone is the same; another link is not held up.
        waiting.push(waiting[0].clone());
        other.admit(&frame(1), came(), &mut None).unwrap();
        waiting.pop();
        link.admit(&frame(1), came(), &mut None).unwrap_err();
        waiting.pop();
        link.admit(&frame(1), came(), &mut None).unwrap();
    }

    #[test]
    fn a_part_of_what_waits_counts_as_the_whole_does() {
        let link = link();
        let whole = link.admit(&frame(1), came(), &mut None).unwrap();
        let part = whole.part(whole.all().to_vec());
        drop(whole);
        assert_eq!(link.descriptors_here.load(Ordering::Relaxed), 1);
        drop(part);
        assert_eq!(link.descriptors_here.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_message_that_lost_its_descriptors_is_refused_and_one_without_any_is_not() {
        let link = link();
        for announced in [1, DESCRIPTORS_LOST] {
            let lost = link.admit(&frame(announced), Vec::new(), &mut None);
            let error = lost.unwrap_err().to_string();
            assert!(error.contains("open files"), "{error}");
        }
        assert!(
            link.admit(&frame(0), Vec::new(), &mut None)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn the_credit_of_a_message_goes_back_when_its_descriptors_are_read() {
        let (link, mut receipts) = (link(), Vec::new());
        // As many as make the link say so.
        for _ in 0..WINDOW / 4 {
            let mut receipt = Some(Receipt::new(&link, 1, 0));
            receipts.push(link.admit(&frame(1), came(), &mut receipt).unwrap());
            assert!(receipt.is_none());
        }
        assert!(link.outbox.is_empty());
        drop(receipts);
        assert!(!link.outbox.is_empty());
        let mut kept = Some(Receipt::new(&link, 1, 0));
        link.admit(&frame(0), Vec::new(), &mut kept).unwrap();
        assert!(kept.is_some());
    }
}
