//! What an actor runs at the points of its life.

use std::time::Duration;

use crate::actor::{Actor, ActorKind, Anyone, Worked};
use crate::command::BoxFuture;
use crate::context::DeadLetterHook;
use crate::{Context, Info, Result, SpawnParams};

/// The user's commands as they are run.
pub(crate) type Work = BoxFuture<Worked>;

/// How an actor begins.
#[derive(Default)]
pub(crate) enum Begin {
    /// Without ado.
    #[default]
    Plain,
    /// With a hook; it has no type of its own.
    Hook(OnceHook),
    /// With the start of its type.
    Actor(Box<dyn FnOnce(Context) -> BoxFuture<Result<Work>> + Send>),
}

impl Begin {
    /// Begins; what then runs its commands.
    pub(crate) async fn begin(self, cx: Context) -> Result<Work> {
        match self {
            Self::Plain => {}
            Self::Hook(hook) => hook(cx.clone()).await?,
            Self::Actor(start) => return start(cx).await,
        }
        Ok(Anyone.work(cx))
    }
}

/// A hook that runs once.
pub type OnceHook = Box<dyn FnOnce(Context) -> BoxFuture<Result<()>> + Send>;
/// A hook that runs again and again.
pub(crate) type ManyHook = Box<dyn Fn(Context) -> BoxFuture<Result<()>> + Send>;
/// A hook that amends what is made: the actor's info, the parameters of a spawn.
pub(crate) type Amend<T> = Box<dyn Fn(Context, &mut T) -> Result<()> + Send + Sync>;

/// Hooks as the lifecycle runs them.
pub struct Hooks {
    /// The actor's type.
    pub kind: &'static ActorKind,
    pub(crate) begin: Begin,
    pub(crate) stopping: Option<OnceHook>,
    pub(crate) periodic_task: Option<ManyHook>,
    pub(crate) on_info: Option<Amend<Info>>,
    pub(crate) on_params: Option<Amend<SpawnParams>>,
    pub(crate) dead_letter: Option<DeadLetterHook>,
    pub(crate) period: Option<Duration>,
}

impl Hooks {
    /// Those of an actor without a type of its own that begins with `start`.
    pub fn starting(start: OnceHook) -> Self {
        Self {
            begin: Begin::Hook(start),
            ..Self::default()
        }
    }

    /// The same hooks, of an actor of the type of `other` that begins as it does.
    #[must_use]
    pub fn beginning_as(self, other: Self) -> Self {
        let Self { kind, begin, .. } = other;
        Self {
            kind,
            begin,
            ..self
        }
    }

    /// The hooks of an `A` in this process, which need not travel.
    pub fn of_actor<A: Actor>(args: A::Start) -> Self {
        let begin = |cx: Context| -> BoxFuture<Result<Work>> {
            Box::pin(async move {
                let state = A::start(cx.clone(), args).await?;
                Ok(state.work(cx))
            })
        };
        Self {
            kind: ActorKind::of::<A>(),
            begin: Begin::Actor(Box::new(begin)),
            ..Self::default()
        }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            kind: ActorKind::of::<Anyone>(),
            begin: Begin::Plain,
            stopping: None,
            periodic_task: None,
            on_info: None,
            on_params: None,
            dead_letter: None,
            period: None,
        }
    }
}
