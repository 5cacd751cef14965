//! The world of a child, as its boot record tells it.

use std::ffi::OsString;
use std::sync::OnceLock;

use bytes::Bytes;
use pulsar_sys::boot::SingleThread;
use pulsar_sys::{World, boot};

/// The variable that marks what descends from an actor.
pub const MARK: &str = "PULSAR_ACTOR";

/// The environment that this process, a template, hands on to its forks, as the boot record would say it.
static INHERITED: OnceLock<Bytes> = OnceLock::new();

/// A world, and its environment apart and written down: most forks have it already, and see so by one comparison.
#[derive(Debug)]
pub struct Surroundings {
    environment: Bytes,
    rest: World,
}

impl Surroundings {
    /// This world, for whatever actor.
    ///
    /// # Errors
    ///
    /// If it cannot be written down.
    pub fn of(world: &World) -> Result<Self, postcard::Error> {
        let environment = postcard::to_stdvec(&without_mark(world))?.into();
        let rest = World {
            environment: Vec::new(),
            directory: world.directory.clone(),
            umask: world.umask,
        };
        Ok(Self { environment, rest })
    }

    /// Written down: the environment last.
    ///
    /// # Errors
    ///
    /// If it cannot be.
    pub fn written(&self) -> Result<Bytes, postcard::Error> {
        let mut written = postcard::to_stdvec(&self.rest)?;
        written.extend_from_slice(&self.environment);
        Ok(written.into())
    }

    /// Reads what was [written](Self::written).
    ///
    /// # Errors
    ///
    /// If it is something else.
    pub fn read(written: &Bytes) -> Result<Self, postcard::Error> {
        let (rest, environment) = postcard::take_from_bytes(written)?;
        let environment = written.slice_ref(environment);
        Ok(Self { environment, rest })
    }

    /// Makes this the world of this process, with this mark. A fork comes with the proof that it has one thread. It returns a
    /// warning for each thing that couldn't be done.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn apply(
        self,
        mark: &str,
        forked: Option<&SingleThread>,
    ) -> Result<Vec<String>, postcard::Error> {
        let Self {
            environment,
            mut rest,
        } = self;
        if let Some(alone) = forked
            && INHERITED.get() == Some(&environment)
        {
            if !alone.set_reserved(mark.as_ref()) {
                alone.set_variable(MARK.as_ref(), mark.as_ref());
            }
            return Ok(boot::apply_place(&rest));
        }
        rest.environment = marked(postcard::from_bytes(&environment)?, mark);
        Ok(match forked {
            Some(alone) => boot::apply_alone(&rest, alone),
            None => boot::apply(&rest),
        })
    }
}

/// An environment with this mark, in place of one that this process may itself have.
pub fn marked(mut environment: Vec<(OsString, OsString)>, mark: &str) -> Vec<(OsString, OsString)> {
    environment.retain(|(name, _)| name != MARK);
    environment.push((MARK.into(), mark.into()));
    environment
}

/// In a template: makes its environment what its forks most likely are to have, so that they need not. What fails is done by
/// each of them.
pub fn settle() {
    let Ok(mut world) = World::current() else {
        return;
    };
    let Ok(Surroundings { environment, .. }) = Surroundings::of(&world) else {
        return;
    };
    // There is a place for the mark.
    world.environment.retain(|(name, _)| name != MARK);
    world.environment.push((MARK.into(), OsString::new()));
    if boot::apply(&world).is_empty() && boot::reserve_variable(MARK.as_ref()).is_ok() {
        let _ = INHERITED.set(environment);
    }
}

/// The environment in one order, whatever that of the process is, without a mark that this process may itself have.
fn without_mark(world: &World) -> Vec<&(OsString, OsString)> {
    let all = world.environment.iter();
    let mut without: Vec<_> = all.filter(|(name, _)| name != MARK).collect();
    without.sort_unstable();
    without
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_the_mark_of_who_spawns_make_no_difference() {
        let world = |names: &[&str]| World {
            environment: names.iter().map(|name| (name.into(), "1".into())).collect(),
            directory: Some("/".into()),
            umask: 0o22,
        };
        let one = Surroundings::of(&world(&["A", MARK, "B"])).unwrap();
        let other = Surroundings::of(&world(&["B", "A"])).unwrap();
        assert_eq!(one.environment, other.environment);
        let read = Surroundings::read(&one.written().unwrap()).unwrap();
        assert_eq!(read.environment, one.environment);
        assert_eq!(read.rest, one.rest);
        let third = Surroundings::of(&world(&["A", "B", "C"])).unwrap();
        assert_ne!(one.environment, third.environment);
    }
}
