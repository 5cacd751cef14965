//! What holds a thread that runs an event loop, and how another process learns it.
//!
//! Whoever runs a named piece of work notes it in an [`Occupation`] by stores alone: no call of the system, no
//! allocation, no lock. A thread of the same process reads it there. The parent of a process reads it in that
//! process's memory, which needs no help of a process that may be held or stopped. There it also reads since when the
//! main loop [sleeps](fall_asleep), so that who has nothing to do need not be woken to say that it lives.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicPtr, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{pid::Pid, process_table};

/// The longest name that is read from another process; longer ones are cut.
const LONGEST_NAME_BYTES: usize = 128;

/// What one loop is busy with. Its own thread writes; any may read.
#[derive(Debug, Default)]
pub struct Occupation {
    /// The name of what is on the processor; null while nothing that has a name is.
    what: AtomicPtr<&'static str>,
    /// The same, kept when it is over; null before the first.
    last: AtomicPtr<&'static str>,
    /// When the loop turned to this work, by [`coarse_us`].
    since_us: AtomicU64,
    /// The longest that a named piece of work has held the loop, since somebody asked.
    longest_us: AtomicU64,
}

/// What holds a loop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Its name, with nothing in it that a terminal would obey.
    pub what: String,
    /// For how long.
    pub lasted: Duration,
}

impl Occupation {
    /// The loop turns to work of this actor at this time; when it turned to the work before. What is run within another piece
    /// of work turns back to that.
    pub fn turn_to(&self, now_us: u64) -> u64 {
        let before_us = self.since_us.load(Ordering::Relaxed);
        self.since_us.store(now_us, Ordering::Relaxed);
        before_us
    }

    /// This piece of work is on the processor until the guard is dropped.
    #[must_use]
    #[inline]
    pub fn enter(&self, name: &'static &'static str) -> Occupied<'_> {
        // The pointer is only ever read back as what it is here.
        let name = ptr::from_ref(name).cast_mut();
        let before = self.what.load(Ordering::Relaxed);
        // Released: the name may have been made by this thread at run time, and another reads it.
        self.what.store(name, Ordering::Release);
        Occupied {
            occupation: self,
            name,
            before,
        }
    }

    /// The name of the last piece of work that has been on the processor.
    pub fn last(&self) -> Option<&'static str> {
        name_at(&self.last)
    }

    /// Some piece of work has held the loop for so long.
    pub fn note_hold(&self, held_us: u64) {
        self.longest_us.fetch_max(held_us, Ordering::Relaxed);
    }

    /// The longest hold that was noted since [`take_longest_us`](Self::take_longest_us), in microseconds.
    pub fn longest_us(&self) -> u64 {
        self.longest_us.load(Ordering::Relaxed)
    }

    /// The same; it is forgotten then.
    pub fn take_longest_us(&self) -> u64 {
        self.longest_us.swap(0, Ordering::Relaxed)
    }

    /// What holds the loop now; nothing if it is nothing that has a name.
    pub fn hold(&self) -> Option<Hold> {
        let what = name_at(&self.what)?;
        Some(Hold::of(
            what.as_bytes(),
            self.since_us.load(Ordering::Relaxed),
        ))
    }
}

/// The name that was stored there.
fn name_at(place: &AtomicPtr<&'static str>) -> Option<&'static str> {
    let name = place.load(Ordering::Acquire);
    // SAFETY: null, or made of a `&'static &'static str` in `enter`, the only place that makes one, so it is aligned,
    // initialised and constant for ever. The name, and its text, may have been made at run time: that came before the
    // call of `enter`, whose thread stores the pointer with Release in `what` and in `last`, and it is loaded with Acquire
    // here, so that this thread sees what they were made of.
    unsafe { name.as_ref() }.copied()
}

impl Hold {
    fn of(name: &[u8], since_us: u64) -> Self {
        let what = String::from_utf8_lossy(name);
        Self {
            what: what.replace(char::is_control, "?"),
            lasted: Duration::from_micros(now_us().saturating_sub(since_us)),
        }
    }
}

/// A piece of work is on the processor, until this is dropped: also where it panics. Then the one is again within which it
/// was, if there is one.
#[derive(Debug)]
pub struct Occupied<'a> {
    occupation: &'a Occupation,
    name: *mut &'static str,
    /// Within what it is.
    before: *mut &'static str,
}

impl Drop for Occupied<'_> {
    #[inline]
    fn drop(&mut self) {
        let occupation = self.occupation;
        occupation.last.store(self.name, Ordering::Release);
        occupation.what.store(self.before, Ordering::Release);
    }
}

/// Microseconds of the system's monotonic clock, which is one for all processes and stands while the machine sleeps.
pub fn now_us() -> u64 {
    clock_us(libc::CLOCK_MONOTONIC)
}

/// The same as of the last tick of the system's timer, some milliseconds ago at most: a quarter of the cost.
#[inline]
pub fn coarse_us() -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return clock_us(libc::CLOCK_MONOTONIC_COARSE);
    // As if it had such ticks.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return now_us() / 4_000 * 4_000;
}

fn clock_us(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the system writes one record to a place of its type. The clocks that are asked for here exist, so that it
    // can't fail; if it did, the record would stay zero.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // Neither is negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000
}

/// Where other processes find this one's.
#[repr(C)]
struct Shown {
    /// Tells that this is the place: a process of the same program has it at the same address of its image.
    mark: AtomicU64,
    occupation: AtomicPtr<Occupation>,
    /// When the main loop fell asleep, by [`coarse_us`]; 0 while it is awake.
    asleep_since_us: AtomicU64,
}

/// Eight bytes that nothing else begins with.
const MARK: u64 = 0x7075_6c73_6172_0b5e;

static SHOWN: Shown = Shown {
    mark: AtomicU64::new(MARK),
    occupation: AtomicPtr::new(ptr::null_mut()),
    asleep_since_us: AtomicU64::new(0),
};

/// The main loop of this process has nothing to do, and is about to wait until somebody wakes it: for its own thread to
/// say, last before it waits.
pub fn fall_asleep() {
    SHOWN
        .asleep_since_us
        .store(coarse_us().max(1), Ordering::Relaxed);
}

/// It has been woken: first of all, so that whatever it then does is not taken for sleep.
pub fn wake_up() {
    SHOWN.asleep_since_us.store(0, Ordering::Relaxed);
}

/// For how long the main loop of a process has had nothing to do, while the process could run it: nothing if it is
/// awake, or if it is stopped or waits in the kernel for anything but to be woken.
///
/// The process and what is read of it are as for [`of_process`].
///
/// # Errors
///
/// As [`of_process`].
pub fn asleep_for(pid: Pid) -> io::Result<Option<Duration>> {
    let theirs = Memory::of(pid)?;
    let mut since_us = [0; size_of::<u64>()];
    theirs.read(theirs.place(&SHOWN.asleep_since_us), &mut since_us)?;
    let since_us = u64::from_ne_bytes(since_us);
    // Looked at last: who was stopped in its sleep has left the word as it was.
    if since_us == 0 || process_table::state_of(pid) != Some('S') {
        return Ok(None);
    }
    let for_us = now_us().saturating_sub(since_us);
    Ok(Some(Duration::from_micros(for_us)))
}

/// Shows other processes what the loop of this one's main thread is busy with. Once for a process, as it is kept for
/// its whole life: another is not shown.
pub fn show(occupation: &Arc<Occupation>) {
    let kept = Arc::into_raw(Arc::clone(occupation)).cast_mut();
    let shown = SHOWN.occupation.compare_exchange(
        ptr::null_mut(),
        kept,
        Ordering::Release,
        Ordering::Relaxed,
    );
    if shown.is_err() {
        // SAFETY: made of an `Arc` above, and nobody else has the pointer.
        drop(unsafe { Arc::from_raw(kept) });
    }
}

/// What holds the main loop of a process that runs the same executable as this one; nothing if it is nothing that has a
/// name, or if it shows nothing.
///
/// It reads that process's memory, without its help: also where it never lets go of the processor, or is stopped. It may
/// block while the kernel holds that process's map of memory, so that it's not for an event loop. The pid must be a
/// child's that isn't reaped before *and after* the call, or what is read may be a stranger's.
///
/// # Errors
///
/// The system's, if the memory may not be read: the process has changed its rights, or a security module forbids it.
/// `InvalidData` if it runs another executable, or this crate isn't part of the main program's file.
pub fn of_process(pid: Pid) -> io::Result<Option<Hold>> {
    let theirs = Memory::of(pid)?;
    let occupation = theirs.word(theirs.place(&SHOWN.occupation))?;
    if occupation == 0 {
        return Ok(None);
    }
    let name = theirs.word(occupation.wrapping_add(std::mem::offset_of!(Occupation, what)))?;
    if name == 0 {
        return Ok(None);
    }
    // A string slice is its address and its length; that it is so is checked by a test.
    let start = theirs.word(name)?;
    let length = theirs.word(name.wrapping_add(size_of::<usize>()))?;
    let mut text = vec![0; length.min(LONGEST_NAME_BYTES)];
    theirs.read(start, &mut text)?;
    let mut since = [0; size_of::<u64>()];
    let since_at = occupation.wrapping_add(std::mem::offset_of!(Occupation, since_us));
    theirs.read(since_at, &mut since)?;
    Ok(Some(Hold::of(&text, u64::from_ne_bytes(since))))
}

/// The memory of a process that runs the same executable as this one.
struct Memory {
    file: File,
    /// The headers of its program and of this one's: by how much they differ, all of the image does.
    headers: (usize, usize),
}

impl Memory {
    fn of(pid: Pid) -> io::Result<Self> {
        let memory = Self {
            file: File::open(format!("/proc/{pid}/mem"))?,
            headers: (headers(pid)?, own_headers()?),
        };
        let mut mark = [0; size_of::<u64>()];
        memory.read(memory.place(&SHOWN.mark), &mut mark)?;
        if u64::from_ne_bytes(mark) != MARK {
            let message = "the memory of another program, or of a library of its own";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(memory)
    }

    /// Where it has what lies here in this process's image.
    fn place<T>(&self, own: &'static T) -> usize {
        let (theirs, ours) = self.headers;
        ptr::from_ref(own)
            .addr()
            .wrapping_sub(ours)
            .wrapping_add(theirs)
    }

    fn read(&self, at: usize, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, at as u64)
    }

    fn word(&self, at: usize) -> io::Result<usize> {
        let mut bytes = [0; size_of::<usize>()];
        self.read(at, &mut bytes)?;
        Ok(usize::from_ne_bytes(bytes))
    }
}

/// Those of this process, which stay where they are; so do those of its forks.
fn own_headers() -> io::Result<usize> {
    static OWN: OnceLock<usize> = OnceLock::new();
    match OWN.get() {
        Some(own) => Ok(*own),
        None => headers(Pid::current()).map(|found| *OWN.get_or_init(|| found)),
    }
}

/// Where the loader finds the headers of a process's program: by how much that differs, all of its image does.
fn headers(pid: Pid) -> io::Result<usize> {
    /// The kernel's key of their address.
    const AT_PHDR: usize = 3;
    const WORD: usize = size_of::<usize>();
    let vector = fs::read(format!("/proc/{pid}/auxv"))?;
    let words = |pair: &[u8]| {
        let (key, value) = pair.split_at_checked(WORD)?;
        Some((
            usize::from_ne_bytes(key.try_into().ok()?),
            usize::from_ne_bytes(value.try_into().ok()?),
        ))
    };
    let mut pairs = vector.chunks_exact(2 * WORD).filter_map(words);
    let found = pairs.find(|(key, _)| *key == AT_PHDR);
    // A kernel thread or a zombie has none.
    found
        .map(|(_, address)| address)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// How a process stands, in words; nothing if it is not there.
pub fn state_of(pid: Pid) -> Option<&'static str> {
    Some(match process_table::state_of(pid)? {
        'R' => "running",
        'S' => "asleep",
        'D' => "waiting in the kernel",
        'T' => "stopped",
        't' => "traced",
        'Z' | 'X' => "ended",
        _ => "unknown",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static BREW: &str = "brew";

    /// Makes a process of this program one that sleeps.
    const SLEEPER: &str = "PULSAR_SYS_TEST_SLEEPER";

    #[test]
    fn what_is_on_the_processor_is_named_until_it_leaves_it() {
        let occupation = Occupation::default();
        assert_eq!(occupation.hold(), None);
        occupation.turn_to(now_us() - 2_000_000);
        let occupied = occupation.enter(&BREW);
        let hold = occupation.hold().unwrap();
        assert_eq!(hold.what, "brew");
        assert!(hold.lasted >= Duration::from_secs(2), "{hold:?}");
        assert_eq!(occupation.last(), None);
        drop(occupied);
        assert_eq!((occupation.hold(), occupation.last()), (None, Some("brew")));
    }

    #[test]
    fn the_coarse_clock_is_the_same_and_a_little_behind() {
        let (before, coarse, after) = (now_us(), coarse_us(), now_us());
        assert!(coarse <= after);
        assert!(before - coarse.min(before) < 100_000, "{before} {coarse}");
    }

    #[test]
    fn the_longest_hold_is_kept_until_it_is_taken() {
        let occupation = Occupation::default();
        occupation.note_hold(7);
        occupation.note_hold(3);
        assert_eq!(occupation.longest_us(), 7);
        assert_eq!(occupation.take_longest_us(), 7);
        assert_eq!(occupation.take_longest_us(), 0);
    }

    #[test]
    fn it_is_read_from_the_memory_of_a_process_that_shows_it() {
        // This process shows one, and is read as another would be: by its pid, in its memory.
        let occupation = Arc::default();
        show(&occupation);
        assert_eq!(of_process(Pid::current()).unwrap(), None);
        occupation.turn_to(now_us() - 1_000_000);
        let occupied = occupation.enter(&BREW);
        let hold = of_process(Pid::current()).unwrap().unwrap();
        assert_eq!(hold.what, "brew");
        assert!(hold.lasted >= Duration::from_secs(1), "{hold:?}");
        drop(occupied);
        assert_eq!(of_process(Pid::current()).unwrap(), None);
        // A second is not shown.
        let other = Arc::new(Occupation::default());
        show(&other);
        let _occupied = other.enter(&BREW);
        assert_eq!(of_process(Pid::current()).unwrap(), None);
        assert_eq!(Arc::strong_count(&other), 1);
    }

    #[test]
    fn a_loop_that_sleeps_is_seen_to_unless_its_process_is_stopped() {
        // A child of this very program, whose main thread waits for the thread of its one test.
        let mut sleeper = Killed(
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "occupation::tests::sleeper"])
                .env(SLEEPER, "1")
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap(),
        );
        let pid = Pid::new(sleeper.0.id().cast_signed()).unwrap();
        let asleep = || asleep_for(pid).unwrap_or(None);
        while asleep().is_none() {
            assert!(sleeper.0.try_wait().unwrap().is_none());
        }
        let slept = asleep();
        while asleep() <= slept {}
        let raw = rustix::process::Pid::from_raw(pid.as_raw()).unwrap();
        rustix::process::kill_process(raw, rustix::process::Signal::STOP).unwrap();
        // Its main thread is woken to be stopped: for a moment it is neither asleep nor stopped.
        while state_of(pid) != Some("stopped") {
            assert!(sleeper.0.try_wait().unwrap().is_none());
        }
        assert_eq!(asleep_for(pid).unwrap(), None);
        drop(sleeper);
        assert!(asleep_for(pid).is_err());
    }

    /// A child that does not outlive the test, however that ends.
    struct Killed(std::process::Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn sleeper() {
        if std::env::var_os(SLEEPER).is_none() {
            // Only in the process that the other test looks at.
            return;
        }
        assert_eq!(asleep_for(Pid::current()).unwrap(), None);
        fall_asleep();
        std::thread::sleep(Duration::from_secs(60));
        wake_up();
    }

    #[test]
    fn another_program_shows_nothing() {
        let stranger = std::process::Command::new("sleep").arg("60").spawn();
        let stranger = Killed(stranger.unwrap());
        let pid = Pid::new(stranger.0.id().cast_signed()).unwrap();
        // Its own image is smaller than the address, or holds something else there.
        assert!(of_process(pid).is_err());
        drop(stranger);
        assert!(of_process(pid).is_err());
    }

    #[test]
    fn a_name_cannot_steer_a_terminal() {
        assert_eq!(Hold::of(b"a\x1b[2Jb", 0).what, "a?[2Jb");
    }
}
