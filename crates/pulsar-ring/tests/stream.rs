//! Rings in memory of this process.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

use proptest::prelude::*;
use pulsar_ring::{CONTROL_BYTES, Memory, Side, bytes_for, ends};

#[derive(Clone)]
struct Here(Arc<(Vec<AtomicU64>, Vec<AtomicU8>)>);

impl Here {
    fn new(capacity: usize) -> Self {
        let words = std::iter::repeat_with(|| AtomicU64::new(0)).take(CONTROL_BYTES / 8);
        let bytes = std::iter::repeat_with(|| AtomicU8::new(0)).take(2 * capacity);
        Self(Arc::new((words.collect(), bytes.collect())))
    }
}

impl Memory for Here {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.0.0[at / 8].load(order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.0.0[at / 8].store(value, order);
    }

    fn swap(&self, at: usize, value: u64) -> u64 {
        self.0.0[at / 8].swap(value, Ordering::AcqRel)
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        for (place, byte) in self.0.1[at - CONTROL_BYTES..].iter().zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        for (place, byte) in self.0.1[at - CONTROL_BYTES..].iter().zip(bytes) {
            *byte = place.load(Ordering::Relaxed);
        }
    }
}

/// The indices of both rings, as they stand in the memory: tail and head of the maker's, and of the
/// taker's.
const INDICES: [usize; 4] = [0, 128, 256, 384];

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_pieces(
        pieces in proptest::collection::vec((0_usize..40, 0_usize..40), 1..200),
    ) {
        let memory = Here::new(32);
        let (mut producer, _, _) = ends(&memory, 32, Side::Maker);
        let (_, mut consumer, _) = ends(&memory, 32, Side::Taker);
        let (mut sent, mut came) = (0_usize, 0_usize);
        for (write, read) in pieces {
            let bytes: Vec<u8> = (sent..sent + write).map(|n| n as u8).collect();
            let written = producer.write(&bytes).unwrap();
            // All that fits, and no more.
            prop_assert_eq!(written, write.min(32 - (sent - came)));
            prop_assert_eq!(consumer.readable().unwrap() > 0, sent > came);
            let _ = producer.publish();
            sent += written;
            let mut bytes = vec![0; read];
            let read = consumer.read(&mut bytes).unwrap();
            let expected: Vec<u8> = (came..came + read).map(|n| n as u8).collect();
            prop_assert_eq!(&bytes[..read], &expected);
            let _ = consumer.release();
            came += read;
        }
    }

    #[test]
    fn whatever_a_liar_stores_is_an_error_or_some_bytes_of_the_ring(
        lies in proptest::collection::vec((0_usize..4, any::<u64>(), 0_u64..100), 1..50),
    ) {
        let memory = Here::new(64);
        let (mut producer, mut consumer, _) = ends(&memory, 64, Side::Maker);
        for (index, wild, near) in lies {
            let value = if wild % 3 == 0 { wild } else { near };
            memory.store(INDICES[index], value, Ordering::Relaxed);
            let mut bytes = [0; 80];
            let _ = (producer.write(&[7; 80]), producer.publish(), producer.has_half_room());
            if let Ok(read) = consumer.read(&mut bytes) {
                prop_assert!(read <= 64);
            }
            let _ = consumer.release();
        }
    }
}

#[test]
fn an_index_that_cannot_be_is_corrupt_to_either_end() {
    let memory = Here::new(64);
    let (mut producer, _, _) = ends(&memory, 64, Side::Maker);
    let (_, mut consumer, _) = ends(&memory, 64, Side::Taker);
    assert_eq!(producer.write(&[1; 8]), Ok(8));
    let _ = producer.publish();
    assert_eq!(consumer.read(&mut [0; 8]), Ok(8));
    // Behind what has been read, and further than the ring is long.
    for tail in [7, 8 + 65, u64::MAX] {
        memory.store(INDICES[0], tail, Ordering::Relaxed);
        let corrupt = consumer.readable().unwrap_err();
        assert_eq!(corrupt.capacity, 64);
        assert_eq!(corrupt.distance, tail.wrapping_sub(8));
    }
    // More than was written has been read, it says.
    memory.store(INDICES[1], 9, Ordering::Relaxed);
    producer.has_half_room().unwrap_err();
    producer.write(&[1; 64]).unwrap_err();
}

#[test]
fn one_bell_is_due_for_each_sleep() {
    let memory = Here::new(64);
    let (mut producer, mut back, maker) = ends(&memory, 64, Side::Maker);
    let (_, mut consumer, taker) = ends(&memory, 64, Side::Taker);
    let mut publish = || {
        assert_eq!(producer.write(&[1]), Ok(1));
        producer.publish()
    };
    assert!(!publish());
    taker.arm(false);
    assert!(publish());
    assert!(!publish());
    taker.arm(false);
    taker.disarm();
    assert!(!publish());
    assert!(!producer.publish());
    // Who needs no room is not woken for it.
    maker.arm(false);
    assert_eq!(consumer.read(&mut [0; 2]), Ok(2));
    assert!(!consumer.release());
    maker.arm(true);
    assert_eq!(consumer.read(&mut [0; 1]), Ok(1));
    assert!(consumer.release());
    assert_eq!(back.readable(), Ok(0));
}

#[test]
fn each_side_learns_where_the_other_runs() {
    let memory = Here::new(64);
    let (_, _, maker) = ends(&memory, 64, Side::Maker);
    let (_, _, taker) = ends(&memory, 64, Side::Taker);
    assert_eq!(taker.core_of_other(), None);
    maker.publish_core(0);
    assert_eq!(taker.core_of_other(), Some(0));
    assert_eq!(maker.core_of_other(), None);
    assert_eq!(bytes_for(64), CONTROL_BYTES + 128);
}
