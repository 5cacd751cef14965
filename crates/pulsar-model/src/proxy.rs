//! References to actors.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use pulsar_wire::Aid;
use serde::{Deserialize, Serialize};

/// A reference to an actor of whatever type: cheap, cloneable, and it may travel in messages.
///
/// It names a place and survives restarts; it does not keep the actor alive. Two proxies are
/// equal if they have the same id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RawProxy {
    aid: Aid,
    name: Arc<str>,
}

impl RawProxy {
    /// A reference to the actor in this place; `name` is only carried along.
    pub fn new(aid: Aid, name: &str) -> Self {
        let name = name.into();
        Self { aid, name }
    }

    /// The actor's id.
    pub fn aid(&self) -> Aid {
        self.aid
    }

    /// The actor's name, as the proxy's maker knew it; empty if it had none.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl AsRef<Self> for RawProxy {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl PartialEq for RawProxy {
    fn eq(&self, other: &Self) -> bool {
        self.aid == other.aid
    }
}

impl Eq for RawProxy {}

impl Hash for RawProxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.aid.hash(state);
    }
}

impl fmt::Display for RawProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => self.aid.fmt(f),
            name => write!(f, "{name} ({})", self.aid),
        }
    }
}

/// Whom a message is for: a proxy, an id, or a name.
///
/// `"arbiter"` and `"monitor"` are always there: the arbiter, and the manager of the actor that
/// sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// The actor in this place.
    Aid(Aid),
    /// The actor of this name; or an id as text, in its full or local form.
    Name(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aid(aid) => aid.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl From<Aid> for Target {
    fn from(aid: Aid) -> Self {
        Self::Aid(aid)
    }
}

impl From<&str> for Target {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for Target {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}
