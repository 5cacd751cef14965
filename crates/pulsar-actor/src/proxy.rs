//! References to actors of a type.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use pulsar_model::RawProxy;
use pulsar_wire::Aid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::{Actor, Anyone};
use crate::ask::begin;
use crate::system::Route;
use crate::{SendError, Target};
use pulsar_mailbox::bounded;

/// A reference to an actor: cheap, cloneable, and it may travel in messages.
///
/// It names a place and survives restarts; it does not keep the actor alive. Two proxies are
/// equal if they have the same id. The commands of an actor's own are methods of its proxy.
pub struct Proxy<A: Actor = Anyone> {
    calls: A::Calls,
}

impl<A: Actor> Proxy<A> {
    pub(crate) fn new(aid: Aid, name: &str) -> Self {
        Self {
            calls: RawProxy::new(aid, name).into(),
        }
    }

    /// The actor's id.
    pub fn aid(&self) -> Aid {
        self.calls.as_ref().aid()
    }

    /// The actor's name, as the proxy's maker knew it; empty if it had none.
    pub fn name(&self) -> &str {
        self.calls.as_ref().name()
    }

    /// A reference to the same actor that knows nothing of its type.
    pub fn untyped(&self) -> Proxy {
        Proxy {
            calls: self.calls.as_ref().clone(),
        }
    }

    /// A reference to the same actor as one of type `B`. It is not checked here: where the actor
    /// is of another type, each command of `B` fails with [`SendError::UnknownCommand`](crate::SendError::UnknownCommand).
    pub fn typed<B: Actor>(&self) -> Proxy<B> {
        Proxy {
            calls: self.calls.as_ref().clone().into(),
        }
    }
}

/// A reference to the actor of this name, wherever it lives; of which type it is, the caller says.
/// `"arbiter"` and `"monitor"` are names too.
///
/// ```no_run
/// # use pulsar_core as pulsar;
/// use pulsar::{Proxy, find, ping, send};
///
/// # async fn example() -> pulsar::Result<()> {
/// let greeter: Proxy = find("greeter").await?;
/// send(&greeter, ping, ()).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`SendError::UnknownActor`], [`SendError::Restarting`], or why the arbiter cannot be asked. The
/// type is not checked: see [`Proxy::typed`].
pub async fn find<A: Actor>(name: &str) -> Result<Proxy<A>, SendError> {
    let (system, limit, _) = begin(None)?;
    let target = Target::Name(name.to_owned());
    let route = bounded(limit, system.route(&target)).await?;
    let aid = match route {
        Route::Local(cx) => cx.aid(),
        Route::Link(_, aid) => aid,
    };
    Ok(Proxy::new(aid, name))
}

impl<A: Actor> Deref for Proxy<A> {
    type Target = A::Calls;

    fn deref(&self) -> &A::Calls {
        &self.calls
    }
}

impl<A: Actor> From<RawProxy> for Proxy<A> {
    fn from(raw: RawProxy) -> Self {
        Self { calls: raw.into() }
    }
}

impl<A: Actor> Clone for Proxy<A> {
    fn clone(&self) -> Self {
        Self {
            calls: self.calls.clone(),
        }
    }
}

impl<A: Actor, B: Actor> PartialEq<Proxy<B>> for Proxy<A> {
    fn eq(&self, other: &Proxy<B>) -> bool {
        self.aid() == other.aid()
    }
}

impl<A: Actor> Eq for Proxy<A> {}

impl<A: Actor> Hash for Proxy<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aid().hash(state);
    }
}

impl<A: Actor> fmt::Display for Proxy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.calls.as_ref().fmt(f)
    }
}

impl<A: Actor> fmt::Debug for Proxy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({} {:?})", self.aid(), self.name())
    }
}

impl<A: Actor> Serialize for Proxy<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.calls.as_ref().serialize(serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for Proxy<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawProxy::deserialize(deserializer).map(Self::from)
    }
}

impl<A: Actor> From<&Proxy<A>> for Target {
    fn from(proxy: &Proxy<A>) -> Self {
        Self::Aid(proxy.aid())
    }
}

impl<A: Actor> From<Proxy<A>> for Target {
    fn from(proxy: Proxy<A>) -> Self {
        Self::Aid(proxy.aid())
    }
}
