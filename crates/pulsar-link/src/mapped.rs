//! The memory of a link's rings.

use std::num::NonZeroUsize;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use pulsar_ring::{Memory, bytes_for};
use pulsar_sys::SharedWords;
use pulsar_sys::sealed::NotSealed;

/// Bytes of one ring. A window of small messages fits into it, so that a sender seldom waits for
/// room; and it stays in a core's own cache, so that a stream runs no faster through a larger one.
/// Two rings are all that a link holds, whatever its traffic.
pub(crate) const RING_BYTES: usize = 128 << 10;

/// What is mapped for one link. Pages that are not used are not there.
const MEMORY_BYTES: NonZeroUsize = NonZeroUsize::new(bytes_for(RING_BYTES)).unwrap();

/// Memory that the processes at both ends of a link have mapped.
#[derive(Clone, Debug)]
pub(crate) struct Mapped(Arc<SharedWords>);

impl Mapped {
    /// New memory, and the descriptor for the other side.
    pub(crate) fn make() -> std::io::Result<(Self, OwnedFd)> {
        let (words, descriptor) = SharedWords::create(MEMORY_BYTES)?;
        Ok((Self(Arc::new(words)), descriptor))
    }

    /// The memory that the other side has made.
    pub(crate) fn take(descriptor: BorrowedFd<'_>) -> Result<Self, NotSealed> {
        let words = SharedWords::take(descriptor, MEMORY_BYTES)?;
        Ok(Self(Arc::new(words)))
    }
}

impl Memory for Mapped {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.0.word(at).load(order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.0.word(at).store(value, order);
    }

    fn swap(&self, at: usize, value: u64) -> u64 {
        self.0.word(at).swap(value, Ordering::AcqRel)
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        self.0.copy_in(at, bytes);
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        self.0.copy_out(at, bytes);
    }
}
