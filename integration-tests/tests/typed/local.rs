//! Local actors: what they are given and give need not travel.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use pulsar::prelude::*;
use pulsar::send_json;

const PLACEMENTS: [Placement; 2] = [Placement::Thread, Placement::Task];

/// Calls a function for its numbers.
struct Source {
    next: Box<dyn FnMut() -> u64 + Send>,
    listeners: Vec<Sender<u64>>,
}

/// An error that cannot travel.
#[derive(Debug)]
struct Odd(Arc<u64>);

#[pulsar::actor(local)]
impl Source {
    fn start(_cx: Context, next: Box<dyn FnMut() -> u64 + Send>, first: Sender<u64>) -> Self {
        Self {
            next,
            listeners: vec![first],
        }
    }

    #[command]
    async fn next(&mut self) -> u64 {
        let next = (self.next)();
        // One that has gone hears nothing.
        self.listeners
            .retain(|listener| listener.send(next).is_ok());
        next
    }

    #[command]
    fn even(&mut self) -> Result<Arc<u64>, Odd> {
        let next = Arc::new((self.next)());
        match *next % 2 {
            0 => Ok(next),
            _ => Err(Odd(next)),
        }
    }

    #[command]
    fn listen(&mut self) -> Receiver<u64> {
        let (to, heard) = channel();
        self.listeners.push(to);
        heard
    }

    /// It may change itself in a shared way: nobody else runs.
    #[command(no_ack)]
    fn replace(&mut self, next: Box<dyn FnMut() -> u64 + Send>) {
        self.next = next;
    }
}

fn numbers() -> Box<dyn FnMut() -> u64 + Send> {
    let last = Cell::new(0);
    Box::new(move || {
        last.set(last.get() + 1);
        last.get()
    })
}

fn source() -> (Spawn<Source>, Receiver<u64>) {
    let (to, heard) = channel();
    (Source::spawn(numbers(), to), heard)
}

#[pulsar::test]
async fn a_local_actor_takes_and_gives_what_cannot_travel() -> Result<()> {
    for placement in PLACEMENTS {
        let (described, first) = source();
        let source = described.placement(placement).name("source").await?;
        let second = source.listen().await?;
        assert_eq!(source.next().await?, 1, "{placement}");
        assert_eq!((first.recv()?, second.recv()?), (1, 1), "{placement}");
        let even = source.even().await;
        assert!(matches!(even.as_deref(), Ok(2)), "{placement}: {even:?}");
        match source.even().await {
            Err(CallError::Command(Odd(number))) => assert_eq!(*number, 3, "{placement}"),
            other => panic!("{placement}: {other:?}"),
        }
        source.replace(Box::new(|| 50)).await?;
        let sent = source.next().try_send().map_err(|unsent| unsent.error)?;
        assert_eq!(sent.await?, 50, "{placement}");
        // It is an actor like others.
        assert_eq!(send(&source, ping, ()).await?, "pong");
        arbiter().stop_actor(&source).await?;
        // What it was given has been dropped.
        assert_eq!(first.recv(), Ok(50), "{placement}");
        assert!(first.recv().is_err(), "{placement}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_local_actor_is_a_thread_unless_said_otherwise() -> Result<()> {
    let (described, _heard) = source();
    let source = described.await?;
    let placement = send(&source, info, ()).await?.actor.placement;
    assert_eq!(placement, Placement::Thread);
    Ok(())
}

#[pulsar::test]
async fn a_local_actor_is_refused_a_process() -> Result<()> {
    let (described, _heard) = source();
    match described.placement(Placement::Process).await {
        Err(SpawnError::Unsupported { .. }) => {}
        other => panic!("{other:?}"),
    }
    Ok(())
}

async fn ask_from_here(_cx: Context, source: Proxy<Source>) -> String {
    format!("{:?}", source.next().await)
}

#[pulsar::test]
async fn a_local_actor_refuses_calls_from_other_processes_and_tools() -> Result<()> {
    for placement in PLACEMENTS {
        let (described, heard) = source();
        let source = described.placement(placement).await?;
        let stranger = spawn().await?;
        let refused = run(&stranger, ask_from_here, source.clone()).await?;
        assert!(refused.contains("Refused"), "{placement}: {refused}");
        match send_json(&source, "next", vec![]).await {
            Err(CallError::Send(SendError::Refused { reason })) => {
                assert!(reason.contains("local actor"), "{reason}");
            }
            other => panic!("{placement}: {other:?}"),
        }
        // Neither has been run, and it lives.
        assert!(heard.try_recv().is_err(), "{placement}");
        assert_eq!(source.next().await?, 1, "{placement}");
    }
    Ok(())
}

async fn spawn_as(_cx: Context, placement: Placement) -> Result<u64, Error> {
    let (described, _heard) = source();
    let source = described.placement(placement).await?;
    Ok(source.next().await?)
}

#[pulsar::test]
async fn a_process_actor_spawns_local_actors_as_tasks() -> Result<()> {
    let spawner = spawn().await?;
    assert_eq!(run(&spawner, spawn_as, Placement::Task).await??, 1);
    let refused = run(&spawner, spawn_as, Placement::Thread).await?;
    let error = refused.expect_err("it cannot be").one_line();
    assert!(error.contains("as tasks"), "{error}");
    Ok(())
}

type Get = Box<dyn Fn(&str) -> Arc<str> + Send + Sync>;

/// A local actor whose state is shared.
struct Cache {
    get: Get,
    both: tokio::sync::Barrier,
}

#[pulsar::actor(local)]
impl Cache {
    fn start(_cx: Context, get: Get) -> Result<Self> {
        match &*get("check") {
            "" => Err(Error::msg("nothing to be got")),
            _ => Ok(Self {
                get,
                both: tokio::sync::Barrier::new(2),
            }),
        }
    }

    #[command(concurrent)]
    async fn get(&self, key: Arc<str>) -> Arc<str> {
        self.both.wait().await;
        (self.get)(&key)
    }
}

#[pulsar::test]
async fn commands_of_a_local_actor_may_run_side_by_side() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Cache::spawn(Box::new(|key| key.to_uppercase().into()));
        let cache = described.placement(placement).await?;
        let (one, other) = tokio::join!(
            cache.get("a".into()).into_future(),
            cache.get("b".into()).into_future()
        );
        assert_eq!((&*one?, &*other?), ("A", "B"), "{placement}");
        let died = Cache::spawn(Box::new(|_| "".into()))
            .placement(placement)
            .await;
        let cause = Cause::Failed("nothing to be got".to_owned());
        assert_eq!(died, Err(SpawnError::Died { cause }), "{placement}");
    }
    Ok(())
}
