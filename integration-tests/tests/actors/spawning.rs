//! Who can spawn what, from where.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use pulsar::FnRef;
use pulsar::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::PLACEMENTS;

/// Spawns an actor from inside another, and tells its id and its process.
#[command]
async fn spawn_one(_cx: Context, placement: Placement, name: String) -> Result<Proxy, SpawnError> {
    spawn().placement(placement).name(name).await
}

async fn read_given(cx: Context, _: ()) -> Result<()> {
    use std::io::Read;
    let given = cx
        .descriptor("gift")?
        .ok_or_else(|| Error::msg("no gift"))?;
    let mut text = String::new();
    std::fs::File::from(given).read_to_string(&mut text)?;
    cx.set_extra("gift", text);
    Ok(())
}

#[pulsar::test]
async fn a_name_is_held_by_one_living_actor() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().name("one").placement(placement).await?;
        for second in PLACEMENTS {
            let taken = SpawnError::NameTaken {
                name: "one".to_owned(),
            };
            assert_eq!(spawn().name("one").placement(second).await, Err(taken));
        }
        arbiter().stop_actor(&actor).await?;
    }
    let reserved = SpawnError::NameTaken {
        name: "monitor".to_owned(),
    };
    assert_eq!(spawn().name("monitor").await, Err(reserved));
    Ok(())
}

#[pulsar::test]
async fn a_process_actor_spawns_all_three() -> Result<()> {
    let parent = spawn().await?;
    let child = send(&parent, spawn_one, (Placement::Process, "child".to_owned())).await?;
    let about = send("child", info, ()).await?;
    assert_eq!(about.actor.id, child.aid().to_string());
    let parent_pid = send(&parent, info, ()).await?.actor.pid;
    assert!(about.actor.pid != parent_pid && about.actor.pid != std::process::id());

    let task = send(&parent, spawn_one, (Placement::Task, String::new())).await?;
    assert_eq!(task.aid().place(), parent.aid().place());
    // Reached from here, through its host.
    let about = send(&task, info, ()).await?;
    assert_eq!(about.actor.pid, parent_pid);
    let thread = send(&parent, spawn_one, (Placement::Thread, String::new())).await?;
    let about = send(&thread, info, ()).await?;
    assert_eq!(about.actor.pid, std::process::id());
    Ok(())
}

/// Runs a function that its start was given.
struct Runner {
    function: fn() -> u32,
}

#[pulsar::actor]
impl Runner {
    fn start(_cx: Context, function: FnRef<fn() -> u32>) -> Result<Self> {
        let function = function.get()?;
        Ok(Self { function })
    }

    #[command]
    fn run_it(&mut self) -> u32 {
        (self.function)()
    }
}

fn seven() -> u32 {
    7
}

/// A type of which nobody has a list.
struct Generic<T>(T);

#[pulsar::actor]
impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Generic<T> {
    fn start(_cx: Context, value: T) -> Self {
        Self(value)
    }

    #[command]
    fn value(&mut self) -> T {
        self.0.clone()
    }
}

#[command]
async fn spawn_runner(_cx: Context, placement: Placement) -> Result<u32, Error> {
    let runner = Runner::spawn(FnRef::new(seven as fn() -> u32)?);
    Ok(runner.placement(placement).await?.run_it().await?)
}

#[command]
async fn spawn_generic(_cx: Context, placement: Placement) -> Result<u32, SpawnError> {
    let generic = Generic::spawn(7_u32).placement(placement).await?;
    Ok(generic.value().await.unwrap_or_default())
}

#[pulsar::test]
async fn a_child_has_no_code_of_its_choice_run_in_the_arbiters_process() -> Result<()> {
    let parent = spawn().await?;
    for placement in [Placement::Process, Placement::Task] {
        assert_eq!(send(&parent, spawn_runner, placement).await?, 7);
        assert_eq!(send(&parent, spawn_generic, placement).await?, 7);
    }
    // A function in the arguments is not even read.
    let refused = send(&parent, spawn_runner, Placement::Thread).await;
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("failed to start: arguments"), "{text}");
    let refused = send(&parent, spawn_generic, Placement::Thread).await;
    let Err(CallError::Command(SpawnError::Unsupported { message })) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        message.contains("Generic<u32> is not registered"),
        "{message}"
    );
    Ok(())
}

#[pulsar::test]
async fn a_thread_actor_spawns_all_three() -> Result<()> {
    let parent = spawn().thread().await?;
    for placement in PLACEMENTS {
        let child = send(&parent, spawn_one, (placement, "child".to_owned())).await?;
        assert_eq!(send("child", info, ()).await?.actor.placement, placement);
        let on_its_loop = child.aid().place() == parent.aid().place();
        assert_eq!(on_its_loop, placement == Placement::Task);
        arbiter().stop_actor(&child).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_gets_the_descriptors_it_is_given() -> Result<()> {
    for placement in PLACEMENTS {
        let (reader, mut writer) = std::io::pipe()?;
        std::io::Write::write_all(&mut writer, b"for you")?;
        drop(writer);
        let gift = Arc::new(OwnedFd::from(reader));
        let actor = spawn()
            .placement(placement)
            .descriptor("gift", gift)
            .start(read_given, ())
            .await?;
        assert_eq!(send(&actor, info, ()).await?.extra.0["gift"], "for you");
    }
    Ok(())
}

#[pulsar::test]
async fn what_cannot_be_a_name_is_refused() {
    for name in ["a b", "17", "17-3", "*", "tab\t", "é", &"x".repeat(65)] {
        for placement in PLACEMENTS {
            let name = name.to_owned();
            let spawned = spawn().placement(placement).name(&name).await;
            assert_eq!(spawned, Err(SpawnError::BadName { name }));
        }
    }
}

/// Begins spawns and never waits for them.
#[command]
async fn spawn_and_forget(_cx: Context, count: usize) -> Result<Vec<String>, SpawnError> {
    let mut aids = Vec::new();
    while aids.len() < count {
        match spawn().begin() {
            Ok(spawning) => aids.push(spawning.aid().to_string()),
            // Only so many at once: the arbiter's answers bring new places.
            Err(SpawnError::Limit { .. }) => tokio::task::yield_now().await,
            Err(error) => return Err(error),
        }
    }
    Ok(aids)
}

#[pulsar::test]
async fn a_process_actor_never_runs_out_of_spawns() -> Result<()> {
    let parent = spawn().await?;
    let aids = send(&parent, spawn_and_forget, 40_usize).await?;
    for aid in aids {
        // Asked for though nobody waited; perhaps not yet begun.
        loop {
            match send(aid.as_str(), ping, ()).await {
                Ok(pong) => break assert_eq!(pong, "pong"),
                Err(CallError::Send(
                    SendError::Restarting { .. } | SendError::UnknownActor { .. },
                )) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

type Work = fn(Context) -> std::future::Ready<()>;

fn nothing(_cx: Context) -> std::future::Ready<()> {
    std::future::ready(())
}

/// Takes a function, which nobody may pass so.
#[command]
async fn take_function(cx: Context, work: FnRef<Work>) -> Result<(), SpawnError> {
    work.get()?(cx).await;
    Ok(())
}

async fn run_given(cx: Context, work: FnRef<Work>) -> Result<()> {
    work.get()?(cx).await;
    Ok(())
}

#[pulsar::test]
async fn functions_travel_in_hooks_arguments_and_nowhere_else() -> Result<()> {
    let work = FnRef::new(nothing as Work)?;
    let actor = spawn().start(run_given, work.clone()).await?;
    let passed = send(&actor, take_function, work.clone()).await;
    let refused = matches!(passed, Err(CallError::Send(SendError::Codec { .. })));
    assert!(refused, "{passed:?}");
    let json = serde_json::to_value(&work).expect("it can be written");
    let passed = pulsar::send_json(&actor, "take_function", vec![json]).await;
    let Err(CallError::Send(SendError::Codec { message })) = passed else {
        panic!("{passed:?}");
    };
    assert!(
        message.contains("only passed in the arguments of a hook"),
        "{message}"
    );
    Ok(())
}

/// Names that the macro's own could be taken for.
#[command]
fn r#move(_: Context, cx: u64, body: u64) -> u64 {
    cx + body
}

#[pulsar::test]
async fn the_macros_own_names_hide_none_of_the_users() -> Result<()> {
    fn body() -> u64 {
        3
    }
    const TEST: u64 = 4;
    let actor = spawn().await?;
    assert_eq!(send(&actor, r#move, (body(), TEST)).await?, 7);
    let by_name = pulsar::send_json(&actor, "move", vec![3.into(), 4.into()]).await;
    assert!(matches!(by_name, Ok(sum) if sum == 7));
    Ok(())
}
