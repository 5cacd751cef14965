//! Bytes that several processes read in one place.

use std::fmt;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use pulsar_sys::sealed::{SealedMemory, UnsealedMemory};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::side_table::{Misplaced, pass, refuse, take};

/// Bytes that cannot change any more, shared between processes without a copy.
///
/// They stand in memory of the system's, and a command whose arguments, reply or error hold some passes the right to
/// read them, not the bytes. A clone is a reference. The memory is freed when the last process that holds it has
/// dropped it, or has died.
///
/// Each costs its holders an open file, in each process, so they are for large values: what is below some pages is
/// better sent as a `Vec`. A message carries at most 64 different ones.
///
/// It is `serde` within a command's arguments, reply and error, and within the arguments of an actor's start, a hook
/// or `run`. Anywhere else, as in JSON, it can be neither written nor read, which is then an error.
///
/// ```no_run
/// # use pulsar_link::SharedBytes;
/// # fn main() -> std::io::Result<()> {
/// let mut image = SharedBytes::writer(64 << 20)?;
/// image[0] = 0xff;
/// let image: SharedBytes = image.freeze()?;
/// let again = image.clone(); // the same memory
/// assert_eq!(again[0], 0xff);
///
/// let text = SharedBytes::copy_from(b"a long text")?;
/// assert_eq!(&text[2..6], b"long");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct SharedBytes(
    /// `None` if they are none: that needs no memory.
    Option<Arc<SealedMemory>>,
);

impl SharedBytes {
    /// A copy of these bytes, to be shared.
    ///
    /// # Errors
    ///
    /// The system's: it has no room for them, or this process has too many open files.
    pub fn copy_from(bytes: &[u8]) -> io::Result<Self> {
        Ok(Self(SealedMemory::copy_from(bytes)?.map(Arc::new)))
    }

    /// Memory for `len` bytes, to be filled in place. It begins as zeros.
    ///
    /// # Errors
    ///
    /// As [`copy_from`](Self::copy_from).
    pub fn writer(len: usize) -> io::Result<SharedBytesMut> {
        let memory = NonZeroUsize::new(len).map(UnsealedMemory::new);
        memory.transpose().map(SharedBytesMut)
    }

    /// The next `len` bytes that `reader` gives. It waits for them.
    ///
    /// # Errors
    ///
    /// As [`copy_from`](Self::copy_from); the reader's, also `UnexpectedEof` if it ends before.
    pub fn from_reader(mut reader: impl Read, len: usize) -> io::Result<Self> {
        let mut bytes = Self::writer(len)?;
        reader.read_exact(&mut bytes)?;
        bytes.freeze()
    }

    pub(crate) fn of(memory: SealedMemory) -> Self {
        Self(Some(Arc::new(memory)))
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |memory| memory)
    }
}

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// By their bytes.
impl PartialEq for SharedBytes {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) if Arc::ptr_eq(one, other) => true,
            _ => **self == **other,
        }
    }
}

impl Eq for SharedBytes {}

/// Their number only: they may be many, and nobody's business.
impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytes({} bytes)", self.len())
    }
}

/// What stands in a frame's body: which of the frame's descriptors, and how many bytes. Without bytes there is no
/// descriptor.
type Reference = (u8, u64);

impl Serialize for SharedBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return Err(refuse(Misplaced::AsText, S::Error::custom));
        }
        let reference: Reference = match &self.0 {
            Some(memory) => {
                let index = pass(memory.descriptor());
                let index = index.map_err(|problem| refuse(problem, S::Error::custom))?;
                (index, memory.len() as u64)
            }
            None => (0, 0),
        };
        reference.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Err(refuse(Misplaced::AsText, D::Error::custom));
        }
        let (index, len) = Reference::deserialize(deserializer)?;
        let len = usize::try_from(len).map_err(D::Error::custom)?;
        match NonZeroUsize::new(len) {
            Some(len) => {
                let taken = take(index, len);
                taken.map_err(|problem| refuse(problem, D::Error::custom))
            }
            None => Ok(Self::default()),
        }
    }
}

/// [`SharedBytes`] that are being filled, by [`SharedBytes::writer`].
pub struct SharedBytesMut(Option<UnsealedMemory>);

impl SharedBytesMut {
    /// They are complete: from now on they can be read and sent, and changed no more. Nothing is copied.
    ///
    /// # Errors
    ///
    /// The system's: a call that writes into this memory, of another thread or of the kernel's, is not done yet.
    pub fn freeze(self) -> io::Result<SharedBytes> {
        let sealed = self.0.map(UnsealedMemory::seal).transpose()?;
        Ok(SharedBytes(sealed.map(Arc::new)))
    }
}

impl Deref for SharedBytesMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl DerefMut for SharedBytesMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.0.as_deref_mut().unwrap_or_default()
    }
}

impl fmt::Debug for SharedBytesMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytesMut({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bytes_need_no_memory() {
        for none in [
            SharedBytes::default(),
            SharedBytes::copy_from(b"").unwrap(),
            SharedBytes::writer(0).unwrap().freeze().unwrap(),
            SharedBytes::from_reader(io::empty(), 0).unwrap(),
        ] {
            assert!(none.is_empty() && none.0.is_none());
        }
    }

    #[test]
    fn they_are_equal_by_their_bytes_and_shown_by_their_number() {
        let made = SharedBytes::copy_from(b"equal").unwrap();
        let read = SharedBytes::from_reader(&b"equal and more"[..], 5).unwrap();
        assert_eq!(made, read);
        assert_ne!(made, SharedBytes::default());
        assert_eq!(format!("{made:?}"), "SharedBytes(5 bytes)");
        let short = SharedBytes::from_reader(&b"equ"[..], 5).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_clone_is_the_same_memory() {
        let made = SharedBytes::copy_from(b"one").unwrap();
        assert_eq!(made.as_ptr(), made.clone().as_ptr());
    }
}
