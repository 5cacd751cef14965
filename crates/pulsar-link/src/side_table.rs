//! The side table of a frame: where [`SharedBytes`] meets serde.
//!
//! Serde gives a value nothing but a serializer, which knows bytes. So whoever writes or reads the body of a frame
//! opens a table for its thread meanwhile. What is written puts its descriptors in and notes their places; what is read
//! takes them out by these.
//!
//! Writing and reading never wait, so they end on the thread on which they began. They may lie within one another:
//! each has the table that was opened last, and the one before it comes back at its end, also by a panic.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar_model::SendError;
use pulsar_sys::descriptors::MAX_DESCRIPTORS;
use pulsar_sys::sealed::{NotSealed, SealedMemory};

use crate::{Passed, SharedBytes};

thread_local! {
    static OPEN: RefCell<Open> = const { RefCell::new(Open::Nothing) };
}

/// What this thread writes or reads. Most bodies have nothing in their table: then there is none.
enum Open {
    /// No body.
    Nothing,
    /// A body into whose table nothing has been put yet.
    Writing,
    /// A body that came with nothing.
    Reading,
    Table(Box<Table>),
}

struct Table {
    side: Side,
    /// Why something could not be put in or taken out. Codecs need not keep what serde's values say.
    problem: Option<Misplaced>,
}

enum Side {
    /// What is written or read is no body.
    None,
    Writing(Vec<Arc<OwnedFd>>),
    Reading {
        entries: Vec<Entry>,
        passed: Passed,
    },
}

struct Entry {
    descriptor: Arc<OwnedFd>,
    /// What it was found to be: it may stand in a body more than once.
    taken: Option<SharedBytes>,
}

/// Runs `write`; what it wrote, and the descriptors that its values put into the table, in their order.
///
/// # Errors
///
/// Those of `write`; [`SendError::Codec`] that says why a descriptor could not be put in.
pub(crate) fn writing<T>(
    write: impl FnOnce() -> Result<T, SendError>,
) -> Result<(T, Vec<Arc<OwnedFd>>), SendError> {
    let (written, open) = with(Open::Writing, write)?;
    match open {
        Open::Table(table) => match table.side {
            Side::Writing(descriptors) => Ok((written, descriptors)),
            Side::None | Side::Reading { .. } => Ok((written, Vec::new())),
        },
        Open::Nothing | Open::Writing | Open::Reading => Ok((written, Vec::new())),
    }
}

/// Runs `read`, whose values take what they need of these descriptors.
///
/// # Errors
///
/// Those of `read`; [`SendError::Codec`] that says why one could not be taken.
pub(crate) fn reading<T>(
    passed: Option<&Passed>,
    read: impl FnOnce() -> Result<T, SendError>,
) -> Result<T, SendError> {
    let passed = passed.filter(|passed| !passed.is_empty());
    let open = passed.map_or(Open::Reading, |passed| Open::of(Side::reading(passed)));
    Ok(with(open, read)?.0)
}

/// Runs what writes or reads no body of a frame, wherever it is run.
///
/// # Errors
///
/// Those of `run`; [`SendError::Codec`] that says that shared bytes have no place there.
pub(crate) fn outside<T>(run: impl FnOnce() -> Result<T, SendError>) -> Result<T, SendError> {
    Ok(with(Open::Nothing, run)?.0)
}

/// Runs `run` with something open; what that is then.
fn with<T>(open: Open, run: impl FnOnce() -> Result<T, SendError>) -> Result<(T, Open), SendError> {
    let mut before = Before(Some(OPEN.replace(open)));
    let ran = run();
    let open = before.restore();
    match (ran, open) {
        (Ok(value), open) => Ok((value, open)),
        (Err(error), Open::Table(table)) => Err(table.problem.map_or(error, SendError::codec)),
        (Err(error), _) => Err(error),
    }
}

impl Open {
    fn of(side: Side) -> Self {
        Self::Table(Box::new(Table {
            side,
            problem: None,
        }))
    }

    /// The table, made if there was none.
    fn table(&mut self) -> &mut Table {
        let side = match self {
            Self::Table(table) => return table,
            Self::Nothing => Side::None,
            Self::Writing => Side::Writing(Vec::new()),
            Self::Reading => Side::reading(&Passed::default()),
        };
        *self = Self::of(side);
        self.table()
    }
}

impl Side {
    fn reading(passed: &Passed) -> Self {
        let entry = |descriptor: &Arc<OwnedFd>| Entry {
            descriptor: Arc::clone(descriptor),
            taken: None,
        };
        Self::Reading {
            entries: passed.all().iter().map(entry).collect(),
            passed: passed.clone(),
        }
    }
}

/// What was open before.
struct Before(Option<Open>);

impl Before {
    /// Opens it again, once; what was open until now.
    fn restore(&mut self) -> Open {
        match self.0.take() {
            Some(open) => OPEN.replace(open),
            None => Open::Nothing,
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Notes why shared bytes cannot be written or read here; the same as serde's error, for codecs that keep it.
pub(crate) fn refuse<E>(problem: Misplaced, error: fn(String) -> E) -> E {
    let message = problem.to_string();
    OPEN.with_borrow_mut(|open| open.table().problem = Some(problem));
    error(message)
}

/// Puts a descriptor into the table that is being written; its place there. One that is there already is not put twice.
///
/// # Errors
///
/// [`Misplaced`] outside of a frame, or if the frame is full.
pub(crate) fn pass(descriptor: &Arc<OwnedFd>) -> Result<u8, Misplaced> {
    OPEN.with_borrow_mut(|open| {
        let Side::Writing(descriptors) = &mut open.table().side else {
            return Err(Misplaced::Outside);
        };
        let is_same = |other: &Arc<OwnedFd>| Arc::ptr_eq(other, descriptor);
        let index = match descriptors.iter().position(is_same) {
            Some(index) => index,
            None if descriptors.len() >= MAX_DESCRIPTORS => return Err(Misplaced::TooMany),
            None => {
                descriptors.push(Arc::clone(descriptor));
                descriptors.len() - 1
            }
        };
        u8::try_from(index).map_err(|_| Misplaced::TooMany)
    })
}

/// Takes the shared bytes of this place and length from the table that is being read.
///
/// # Errors
///
/// [`Misplaced`] outside of a frame, or if there is nothing of the kind.
pub(crate) fn take(index: u8, len: NonZeroUsize) -> Result<SharedBytes, Misplaced> {
    OPEN.with_borrow_mut(|open| {
        let Side::Reading { entries, .. } = &mut open.table().side else {
            return Err(Misplaced::Outside);
        };
        let entry = entries.get_mut(usize::from(index));
        let entry = entry.ok_or(Misplaced::Missing(index))?;
        if let Some(taken) = &entry.taken
            && taken.len() == len.get()
        {
            return Ok(taken.clone());
        }
        let memory = SealedMemory::take(Arc::clone(&entry.descriptor), len)?;
        Ok(entry.taken.insert(SharedBytes::of(memory)).clone())
    })
}

/// The descriptors of these places in the table that is being read, whatever they are: for a body within the body.
///
/// # Errors
///
/// [`Misplaced`] outside of a frame, if there is no such place, or if they are more than a frame has: a body's writer
/// names each once, and what a stranger names a million times shall not take room here as often.
pub(crate) fn part(places: &[u8]) -> Result<Passed, Misplaced> {
    if places.is_empty() {
        return Ok(Passed::default());
    }
    if places.len() > MAX_DESCRIPTORS {
        return Err(Misplaced::TooMany);
    }
    OPEN.with_borrow_mut(|open| {
        let Side::Reading { passed, .. } = &open.table().side else {
            return Err(Misplaced::Outside);
        };
        let descriptor = |index: &u8| {
            let descriptor = passed.all().get(usize::from(*index));
            descriptor.cloned().ok_or(Misplaced::Missing(*index))
        };
        let descriptors = places.iter().map(descriptor).collect::<Result<_, _>>()?;
        Ok(passed.part(descriptors))
    })
}

/// Why shared bytes cannot be written or read where they stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misplaced {
    #[error("shared bytes cannot be shown or given as text")]
    AsText,
    #[error(
        "shared bytes travel in a command's arguments, reply or error, or in what an actor begins with"
    )]
    Outside,
    #[error(
        "a message carries at most {MAX_DESCRIPTORS} shared bytes: send them in several messages, or as \
         parts of one"
    )]
    TooMany,
    #[error("shared bytes did not come with the message that names them (number {0})")]
    Missing(u8),
    #[error("shared bytes are refused: {0}")]
    NotSealed(#[from] NotSealed),
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn shared() -> SealedMemory {
        SealedMemory::copy_from(b"bytes").unwrap().unwrap()
    }

    const LEN: NonZeroUsize = NonZeroUsize::new(5).unwrap();

    #[test]
    fn each_body_has_a_table_of_its_own() {
        let (one, other) = (shared(), shared());
        let written = writing(|| {
            assert_eq!(pass(one.descriptor()).unwrap(), 0);
            let inner = writing(|| Ok(pass(other.descriptor()).unwrap()));
            let (place, descriptors) = inner.unwrap();
            assert_eq!((place, descriptors.len()), (0, 1));
            let outside = outside(|| Ok(pass(one.descriptor())));
            assert!(matches!(outside.unwrap(), Err(Misplaced::Outside)));
            assert_eq!(pass(other.descriptor()).unwrap(), 1);
            assert_eq!(pass(one.descriptor()).unwrap(), 0);
            Ok(())
        });
        assert_eq!(written.unwrap().1.len(), 2);
        assert!(matches!(pass(one.descriptor()), Err(Misplaced::Outside)));
    }

    #[test]
    fn a_panic_leaves_the_table_that_was_open_before() {
        let one = shared();
        let (_, descriptors) = writing(|| {
            catch_unwind(|| reading::<()>(None, || panic!("in the user's code"))).unwrap_err();
            pass(one.descriptor()).unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(descriptors.len(), 1);
        catch_unwind(|| writing::<()>(|| panic!("again"))).unwrap_err();
        assert!(matches!(pass(one.descriptor()), Err(Misplaced::Outside)));
    }

    #[test]
    fn what_stands_there_twice_is_mapped_once() {
        let one = shared();
        let passed = Passed::new(vec![Arc::clone(one.descriptor())]);
        reading(Some(&passed), || {
            let (first, second) = (take(0, LEN).unwrap(), take(0, LEN).unwrap());
            assert_eq!(first.as_ptr(), second.as_ptr());
            let longer = NonZeroUsize::new(6).unwrap();
            assert!(matches!(take(0, longer), Err(Misplaced::NotSealed(_))));
            assert!(matches!(take(1, LEN), Err(Misplaced::Missing(1))));
            Ok(())
        })
        .unwrap();
        assert!(matches!(take(0, LEN), Err(Misplaced::Outside)));
    }

    #[test]
    fn a_body_within_a_body_names_no_more_than_a_frame_has() {
        let one = shared();
        let passed = Passed::new(vec![Arc::clone(one.descriptor())]);
        reading(Some(&passed), || {
            assert_eq!(
                part(&[0; MAX_DESCRIPTORS]).unwrap().all().len(),
                MAX_DESCRIPTORS
            );
            assert!(matches!(
                part(&[0; MAX_DESCRIPTORS + 1]),
                Err(Misplaced::TooMany)
            ));
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_frame_takes_so_many_and_no_more() {
        let many: Vec<_> = (0..=MAX_DESCRIPTORS).map(|_| shared()).collect();
        let written = writing(|| {
            for one in &many[1..] {
                pass(one.descriptor()).unwrap();
            }
            Ok(pass(many[0].descriptor()))
        });
        let (last, descriptors) = written.unwrap();
        assert!(matches!(last, Err(Misplaced::TooMany)));
        assert_eq!(descriptors.len(), MAX_DESCRIPTORS);
    }
}
