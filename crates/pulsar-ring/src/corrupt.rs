//! What gives a liar away.

/// The other side has stored an index that cannot be one. It is not to be trusted any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("its ring of {capacity} bytes says that {distance} bytes are in it")]
pub struct Corrupt {
    /// How long the ring is.
    pub capacity: u64,
    /// How far the two indices are apart, by what the other side has stored.
    pub distance: u64,
}

/// How many bytes lie between two indices, one of them the other side's.
pub(crate) fn distance(tail: u64, head: u64, capacity: u64) -> Result<usize, Corrupt> {
    // An index that has gone back lies very far ahead.
    let distance = tail.wrapping_sub(head);
    match usize::try_from(distance) {
        Ok(bytes) if distance <= capacity => Ok(bytes),
        _ => Err(Corrupt { capacity, distance }),
    }
}
