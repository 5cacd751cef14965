//! What stands where in the memory.
//!
//! First a control page, then the bytes of the two rings. In the control page each word that one side
//! stores often has a line of its own, so that the other side's stores do not take it away. The
//! pages of the rings' bytes are touched as they are used.

use crate::Side;

/// What one processor takes from another at once: a line of a cache, and its neighbour, which many
/// fetch with it.
const LINE_BYTES: usize = 128;

/// Bytes before those of the rings: a page.
pub const CONTROL_BYTES: usize = 4096;

/// Bytes of memory for two rings of `capacity` bytes each.
pub const fn bytes_for(capacity: usize) -> usize {
    CONTROL_BYTES + 2 * capacity
}

/// Where the things of the ring stand into which `side` produces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// How many bytes have been produced; stored by the producer.
    pub(crate) tail: usize,
    /// How many bytes have been consumed; stored by the consumer.
    pub(crate) head: usize,
    /// The first of the ring's bytes.
    pub(crate) bytes: usize,
    /// Where the ring's index wraps: a power of two.
    pub(crate) capacity: usize,
}

impl Place {
    pub(crate) fn of(side: Side, capacity: usize) -> Self {
        let number = side.number();
        Self {
            tail: 2 * number * LINE_BYTES,
            head: (2 * number + 1) * LINE_BYTES,
            bytes: CONTROL_BYTES + number * capacity,
            capacity,
        }
    }

    /// Where the bytes from this index on stand, cut in two where the ring's end comes first: the
    /// place of the first part and its length. The second part begins with the ring.
    pub(crate) fn cut(self, index: u64, len: usize) -> (usize, usize) {
        // The capacity is a power of two that fits a `usize`.
        let offset = index as usize & (self.capacity - 1);
        (self.bytes + offset, len.min(self.capacity - offset))
    }
}

/// Where a side says that it sleeps.
pub(crate) fn asleep(side: Side) -> usize {
    (4 + side.number()) * LINE_BYTES
}

/// Where a side says on which processor it runs, plus one. Beside the former: both are stored
/// rarely, and read by the other side alone.
pub(crate) fn core(side: Side) -> usize {
    asleep(side) + size_of::<u64>()
}
