//! Functions that run anywhere: `#[pulsar::remote]` registers them, and their names travel.

use std::any::TypeId;
use std::future::Future;

use bytes::Bytes;
use linkme::distributed_slice;
use pulsar_link::Body;
use pulsar_link::payload::NATIVE;
use pulsar_wire::Codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::command::BoxFuture;
use crate::{Context, Error, Result};

/// Arguments or a result, already written: their type is known where the function is.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Written(pub(crate) Codec, pub(crate) Body);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let Self(codec, body) = self;
        match (serializer.is_human_readable(), codec) {
            (true, Codec::Json) => {
                let value: Value = serde_json::from_slice(&body.bytes).map_err(S::Error::custom)?;
                value.serialize(serializer)
            }
            (false, &NATIVE) => body.serialize(serializer),
            _ => Err(S::Error::custom("what was written for another codec")),
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        if deserializer.is_human_readable() {
            let value = Value::deserialize(deserializer)?;
            let text = serde_json::to_vec(&value).map_err(D::Error::custom)?;
            return Ok(Self(Codec::Json, Bytes::from(text).into()));
        }
        Ok(Self(NATIVE, Body::deserialize(deserializer)?))
    }
}

/// The functions of the program that run anywhere: each `#[pulsar::remote]` adds itself at link time.
#[doc(hidden)]
#[distributed_slice]
pub static REMOTES: [RemoteDef];

/// The table entry of a function that runs anywhere.
#[doc(hidden)]
pub struct RemoteDef {
    pub(crate) name: &'static str,
    which: fn() -> Which,
    call: fn(Context, Written) -> BoxFuture<Result<Written>>,
}

/// Which function it is. The type of its future tells functions of one type apart from all others; the
/// address tells it from those that only pass its future on.
#[doc(hidden)]
#[derive(PartialEq, Eq)]
pub struct Which {
    future: TypeId,
    address: usize,
}

impl Which {
    /// That of `function`.
    pub fn of<A, Fut: 'static>(function: fn(Context, A) -> Fut) -> Self {
        Self {
            future: TypeId::of::<Fut>(),
            address: function as usize,
        }
    }
}

impl RemoteDef {
    /// The entry of a function, by its path.
    pub const fn new(
        name: &'static str,
        which: fn() -> Which,
        call: fn(Context, Written) -> BoxFuture<Result<Written>>,
    ) -> Self {
        Self { name, which, call }
    }

    /// The entry of `function`, if it has one.
    pub(crate) fn find<A, Fut: 'static>(function: fn(Context, A) -> Fut) -> Option<&'static Self> {
        let which = Which::of(function);
        REMOTES.iter().find(|remote| (remote.which)() == which)
    }

    /// By its whole path; or, for tools, by its own name, if only one function has it.
    fn named(name: &str) -> Option<&'static Self> {
        let whole = REMOTES.iter().find(|remote| remote.name == name);
        whole.or_else(|| {
            let mut short = REMOTES.iter().filter(|remote| {
                let own = remote.name.rsplit("::").next();
                own == Some(name)
            });
            let first = short.next();
            first.filter(|_| short.next().is_none())
        })
    }
}

/// The names of all functions that run anywhere.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    REMOTES.iter().map(|remote| remote.name)
}

/// Runs the function of this name, here.
pub(crate) async fn run_named(cx: Context, name: String, args: Written) -> Result<Written> {
    let Some(remote) = RemoteDef::named(&name) else {
        return Err(Error::msg(format!(
            "no function {name} is registered in this program: mark it with #[pulsar::remote]"
        )));
    };
    (remote.call)(cx, args).await
}

/// Runs `function` on its written arguments. For the expansion of `#[pulsar::remote]`.
#[doc(hidden)]
pub fn run_written<A, Fut>(
    cx: Context,
    function: fn(Context, A) -> Fut,
    args: Written,
) -> BoxFuture<Result<Written>>
where
    A: DeserializeOwned + Send + 'static,
    Fut: Future<Output: Serialize> + Send + 'static,
{
    Box::pin(async move {
        let Written(codec, args) = args;
        let args = args.read(codec)?;
        let result = function(cx, args).await;
        Ok(Written(codec, Body::of(codec, &result)?))
    })
}
