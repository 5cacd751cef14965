//! A variable of the environment for which a template has made room.

use std::{
    cell::UnsafeCell,
    ffi::{OsStr, c_char},
    io,
    os::unix::ffi::OsStrExt,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::single_thread::SingleThread;

/// Room for `name=value` and the zero byte behind. A longer value is set as any other.
const ROOM_BYTES: usize = 256;

/// Where the variable lies. The environment points to it once it is reserved.
struct Room(UnsafeCell<[u8; ROOM_BYTES]>);

// SAFETY: it is written to only with the proof that there is no other thread. From then on others may read it, as they read
// the rest of the environment, by way of the C library.
unsafe impl Sync for Room {}

static ROOM: Room = Room(UnsafeCell::new([0; ROOM_BYTES]));

/// Where the value begins; zero while nothing is reserved.
static VALUE: AtomicUsize = AtomicUsize::new(0);

/// Gives a variable of this process's environment, which has one thread, a place where its clones can set it for the
/// cost of writing it there: to set one anew takes copies of three pages. Its value is empty until then. Once for a process.
///
/// # Errors
///
/// The process has more threads; the name has no room, or there is a reserved one.
pub fn reserve_variable(name: &OsStr) -> io::Result<()> {
    let alone = SingleThread::prove().map_err(io::Error::other)?;
    let value = name.len() + 1;
    if VALUE.load(Ordering::Relaxed) != 0 || value >= ROOM_BYTES || !is_name(name) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    write(&alone, 0, name.as_bytes());
    write(&alone, name.len(), b"=");
    // SAFETY: the room holds `name=` and zero bytes behind it, and stays where it is. No other thread uses the environment
    // meanwhile, as there is none.
    if unsafe { libc::putenv(ROOM.0.get().cast::<c_char>()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    VALUE.store(value, Ordering::Relaxed);
    Ok(())
}

/// Sets the reserved variable. False if nothing is reserved, or the value has no room.
pub(crate) fn set(alone: &SingleThread, value: &OsStr) -> bool {
    let begin = VALUE.load(Ordering::Relaxed);
    let bytes = value.as_bytes();
    // There is a zero byte behind it in any case.
    let is_settable = begin != 0 && begin + bytes.len() < ROOM_BYTES && !bytes.contains(&0);
    if is_settable {
        write(alone, begin, bytes);
        write(alone, begin + bytes.len(), &[0]);
    }
    is_settable
}

/// What has room is copied, the rest is not.
fn write(_alone: &SingleThread, begin: usize, bytes: &[u8]) {
    // SAFETY: no other thread reads or writes the room meanwhile, as there is none, and this one has no other reference to it.
    let room = unsafe { &mut *ROOM.0.get() };
    if let Some(place) = room.get_mut(begin..begin + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

fn is_name(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().iter().any(|byte| matches!(byte, 0 | b'='))
}
