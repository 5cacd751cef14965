//! The ring and its wake-up, in every interleaving that loom finds.

use std::process::Command;
use std::sync::atomic::Ordering;

use loom::sync::atomic::{AtomicU8, AtomicU64, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::layout::{CONTROL_BYTES, Place, asleep};
use crate::{Consumer, Memory, Producer, Side, Sleeper, ends};

/// So small that it wraps and is full at once.
const CAPACITY: usize = 2;
/// Switches of threads that nobody forced, in one run: what goes wrong does so by one or two, and
/// with more the models take minutes.
const PREEMPTIONS: usize = 3;

/// Memory whose every access loom sees.
#[derive(Clone)]
struct Modelled(Arc<Words>);

struct Words {
    /// Those of the maker's ring, in which the model speaks, and who sleeps.
    tail: AtomicU64,
    head: AtomicU64,
    asleep: [AtomicU64; 2],
    bytes: [AtomicU8; CAPACITY],
}

impl Modelled {
    fn new() -> Self {
        Self(Arc::new(Words {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            asleep: [AtomicU64::new(0), AtomicU64::new(0)],
            bytes: [AtomicU8::new(0), AtomicU8::new(0)],
        }))
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        let place = Place::of(Side::Maker, CAPACITY);
        let words = [
            (place.tail, &self.0.tail),
            (place.head, &self.0.head),
            (asleep(Side::Maker), &self.0.asleep[0]),
            (asleep(Side::Taker), &self.0.asleep[1]),
        ];
        let found = words.into_iter().find(|(place, _)| *place == at);
        found.expect("the model has this word").1
    }
}

impl Memory for Modelled {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.word(at).load(order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.word(at).store(value, order);
    }

    fn swap(&self, at: usize, value: u64) -> u64 {
        self.word(at).swap(value, Ordering::AcqRel)
    }

    fn fence(&self) {
        fence(Ordering::SeqCst);
    }

    fn copy_in(&self, at: usize, bytes: &[u8]) {
        for (number, byte) in bytes.iter().enumerate() {
            self.0.bytes[at - CONTROL_BYTES + number].store(*byte, Ordering::Relaxed);
        }
    }

    fn copy_out(&self, at: usize, bytes: &mut [u8]) {
        for (number, byte) in bytes.iter_mut().enumerate() {
            *byte = self.0.bytes[at - CONTROL_BYTES + number].load(Ordering::Relaxed);
        }
    }
}

/// A bell that is heard once for each time or more that it was rung: a socket with bytes in it. To
/// wait for one that nobody rings any more is a deadlock, which loom tells.
#[derive(Clone)]
struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn ring_if(&self, due: bool) {
        if due {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_one();
        }
    }

    fn wait(&self) {
        let mut rung = self.0.0.lock().unwrap();
        while !*rung {
            rung = self.0.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// Reads and sleeps in turn until `len` bytes have come. Without the second look it does what one
/// would do who has not thought of it.
fn consume<const LOOKS_AGAIN: bool>(
    consumer: &mut Consumer<Modelled>,
    sleeper: &Sleeper<Modelled>,
    (own, others): (&Bell, &Bell),
    len: usize,
) -> Vec<u8> {
    let mut came = Vec::new();
    while came.len() < len {
        let mut bytes = [0; CAPACITY];
        let read = consumer.read(&mut bytes).unwrap();
        came.extend_from_slice(&bytes[..read]);
        others.ring_if(consumer.release());
        if read > 0 || came.len() == len {
            continue;
        }
        sleeper.arm(false);
        if !LOOKS_AGAIN || consumer.readable().unwrap() == 0 {
            own.wait();
        }
        sleeper.disarm();
    }
    came
}

/// Writes all of `bytes`, sleeping while there is no room.
fn produce<const LOOKS_AGAIN: bool>(
    producer: &mut Producer<Modelled>,
    sleeper: &Sleeper<Modelled>,
    (own, others): (&Bell, &Bell),
    mut bytes: &[u8],
) {
    while !bytes.is_empty() {
        let written = producer.write(bytes).unwrap();
        bytes = &bytes[written..];
        others.ring_if(producer.publish());
        if written > 0 || bytes.is_empty() {
            continue;
        }
        sleeper.arm(true);
        if !LOOKS_AGAIN || !producer.has_half_room().unwrap() {
            own.wait();
        }
        sleeper.disarm();
    }
}

/// One side writes `pieces`, the other reads them.
fn speak<const READER_LOOKS: bool, const WRITER_LOOKS: bool>(pieces: &'static [&'static [u8]]) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let memory = Modelled::new();
        let bells = (Bell::new(), Bell::new());
        let (mut producer, _, writer) = ends(&memory, CAPACITY, Side::Maker);
        let (_, mut consumer, reader) = ends(&memory, CAPACITY, Side::Taker);
        let reading = {
            let bells = bells.clone();
            let len = pieces.iter().map(|piece| piece.len()).sum();
            thread::spawn(move || {
                consume::<READER_LOOKS>(&mut consumer, &reader, (&bells.1, &bells.0), len)
            })
        };
        for piece in pieces {
            produce::<WRITER_LOOKS>(&mut producer, &writer, (&bells.0, &bells.1), piece);
        }
        assert_eq!(reading.join().unwrap(), pieces.concat());
    });
}

#[test]
fn what_is_written_one_by_one_is_read_and_no_wake_up_is_lost() {
    speak::<true, true>(&[&[1], &[2]]);
}

#[test]
fn what_does_not_fit_is_written_when_there_is_room_and_no_wake_up_is_lost() {
    speak::<true, true>(&[&[1, 2, 3, 4, 5]]);
}

/// Says to a process which of the tests it is to be.
const FAILING: &str = "PULSAR_RING_FAILING_MODEL";

/// Loom tells of a deadlock by a panic that ends the process, so that a model that is to fail runs in one
/// of its own: this test, once more.
fn finds_a_deadlock(test: &str, model: fn()) {
    if std::env::var_os(FAILING).is_some() {
        return model();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(FAILING, test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "the model has found nothing");
    assert!(said.contains("deadlock"), "{said}");
}

#[test]
fn without_the_readers_second_look_the_model_finds_the_lost_wake_up() {
    let test = "model::without_the_readers_second_look_the_model_finds_the_lost_wake_up";
    finds_a_deadlock(test, || speak::<false, true>(&[&[1], &[2]]));
}

#[test]
fn without_the_writers_second_look_the_model_finds_the_lost_wake_up() {
    let test = "model::without_the_writers_second_look_the_model_finds_the_lost_wake_up";
    finds_a_deadlock(test, || speak::<true, false>(&[&[1, 2, 3, 4, 5]]));
}
