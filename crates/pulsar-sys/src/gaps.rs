//! The gaps in a template's heap.

/// No gap is as large, so that where it lies all has been taken below.
const MARKER_BYTES: usize = 64 << 10;
/// Room behind all gaps for what a fork allocates until it is ready, so that it need not ask the system for more.
const ROOM_BYTES: usize = 64 << 10;
/// The sizes of gaps that are looked for, the largest first: halves from the first to the second, then each step of an
/// allocator.
const LARGEST_BYTES: usize = 32 << 10;
const LARGEST_STEPPED_BYTES: usize = 1_032;
const SMALLEST_BYTES: usize = 24;
const STEP_BYTES: usize = 16;
/// More is never taken, in blocks and in bytes. None of it is written to, so that most of it is not even there.
const MOST_BLOCKS: usize = 4_096;
const MOST_BYTES: usize = 1 << 20;

/// Takes the gaps that the heap of this process has by now, for good. Done in a template, what a fork allocates lies side by
/// side behind them, in pages of its own. In the gaps it would lie all over the heap of the template, and each page
/// that it has there would be copied.
///
/// It knows no allocator: it goes by where blocks lie. Of one that does not fill memory from below it takes some room in
/// vain.
pub(crate) fn fill() {
    let marker = Vec::<u8>::with_capacity(MARKER_BYTES);
    let end = address(&marker);
    let (mut blocks, mut bytes) = (0, 0);
    for size in sizes() {
        let mut is_below = true;
        while is_below && blocks < MOST_BLOCKS && bytes + size <= MOST_BYTES {
            let block = Vec::<u8>::with_capacity(size);
            // The first behind the marker stays as well, as does that: given back, it would be one more gap.
            is_below = address(&block) < end;
            block.leak();
            blocks += 1;
            bytes += size;
        }
    }
    marker.leak();
    let room = Vec::<u8>::with_capacity(ROOM_BYTES);
    address(&room);
}

/// Where it lies. The compiler shall not do without it.
fn address(block: &[u8]) -> usize {
    std::hint::black_box(block.as_ptr()) as usize
}

fn sizes() -> impl Iterator<Item = usize> {
    let halves = std::iter::successors(Some(LARGEST_BYTES), |size| Some(size / 2));
    let halves = halves.take_while(|size| *size > LARGEST_STEPPED_BYTES);
    let steps = (SMALLEST_BYTES..=LARGEST_STEPPED_BYTES).rev();
    halves.chain(steps.step_by(STEP_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_go_from_the_largest_to_the_smallest() {
        let sizes: Vec<_> = sizes().collect();
        assert!(sizes.is_sorted_by(|one, next| one > next));
        assert_eq!(sizes.first(), Some(&LARGEST_BYTES));
        assert_eq!(sizes.last(), Some(&SMALLEST_BYTES));
    }
}
