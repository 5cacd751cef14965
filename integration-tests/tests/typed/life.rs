//! How typed actors begin and end.

use pulsar::prelude::*;
use tokio::task::yield_now;

use crate::PLACEMENTS;
use crate::counter::{Counter, TooMuch};
use crate::gate::Gate;
use crate::scene::in_flight;

/// Begins well or not.
struct Moody {
    mood: String,
}

#[pulsar::actor]
impl Moody {
    async fn start(cx: Context, mood: String, words: Vec<String>) -> Result<Self, TooMuch> {
        cx.set_extra("mood", mood.as_str());
        yield_now().await;
        match mood.as_str() {
            "bad" => Err(TooMuch { total: 3 }),
            "very bad" => panic!("{}", words.join(" ")),
            _ => Ok(Self { mood }),
        }
    }

    #[command]
    fn mood(&self) -> String {
        self.mood.clone()
    }
}

/// Begins without fail, at once.
struct Simple;

#[pulsar::actor]
impl Simple {
    fn start(_cx: Context) -> Self {
        Self
    }

    #[command]
    fn answer(&self) -> u8 {
        42
    }
}

/// Fails to begin with an error that is none of its own.
struct Unlucky;

#[pulsar::actor]
impl Unlucky {
    fn start(_cx: Context, file: String) -> Result<Self> {
        std::fs::read(file)?;
        Ok(Self)
    }
}

fn moody(mood: &str) -> Spawn<Moody> {
    Moody::spawn(mood.to_owned(), vec!["no".to_owned(), "way".to_owned()])
}

/// Spawns a `Moody` from inside an actor.
async fn spawn_from_here(_cx: Context, mood: String) -> Result<Proxy<Moody>, SpawnError> {
    moody(&mood).await
}

#[pulsar::test]
async fn an_actor_begins_with_its_arguments() -> Result<()> {
    for placement in PLACEMENTS {
        let moody = moody("good").name("moody").placement(placement).await?;
        assert_eq!(moody.mood().await?, "good", "{placement}");
        let about = send(&moody, info, ()).await?;
        assert_eq!(about.extra.0["mood"], "good", "{placement}");
        assert_eq!(about.actor.placement, placement);
        assert_eq!(about.actor.name, "moody");
        let simple = Simple::spawn().placement(placement).await?;
        assert_eq!(simple.answer().await?, 42, "{placement}");
        arbiter().stop_actor(&moody).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn an_actor_is_a_process_unless_said_otherwise() -> Result<()> {
    let simple = Simple::spawn().await?;
    let actor = send(&simple, info, ()).await?.actor;
    assert_eq!(actor.placement, Placement::Process);
    assert_ne!(actor.pid, std::process::id());
    Ok(())
}

#[pulsar::test]
async fn an_actor_in_a_process_may_spawn_others_of_any_type() -> Result<()> {
    let spawner = spawn().await?;
    let child = run(&spawner, spawn_from_here, "good".to_owned()).await??;
    assert_eq!(child.mood().await?, "good");
    let died = run(&spawner, spawn_from_here, "bad".to_owned()).await?;
    let cause = Cause::Failed("only 3 are there".to_owned());
    assert_eq!(died, Err(SpawnError::Died { cause }));
    Ok(())
}

#[pulsar::test]
async fn the_error_of_a_start_reaches_the_spawner() -> Result<()> {
    for placement in PLACEMENTS {
        let died = moody("bad").placement(placement).await;
        let cause = Cause::Failed("only 3 are there".to_owned());
        assert_eq!(died, Err(SpawnError::Died { cause }), "{placement}");
        let died = Unlucky::spawn("/nowhere".to_owned())
            .placement(placement)
            .await;
        let Err(SpawnError::Died {
            cause: Cause::Failed(message),
        }) = died
        else {
            panic!("{placement}: {died:?}");
        };
        assert!(message.contains("No such file"), "{placement}: {message}");
    }
    Ok(())
}

#[pulsar::test]
async fn a_panic_of_a_start_reaches_the_spawner() -> Result<()> {
    for placement in PLACEMENTS {
        let died = moody("very bad").placement(placement).await;
        let cause = Cause::Panic("no way".to_owned());
        assert_eq!(died, Err(SpawnError::Died { cause }), "{placement}");
    }
    Ok(())
}

/// Keeps what others say of themselves.
struct Witness {
    words: Vec<String>,
}

#[pulsar::actor]
impl Witness {
    fn start(_cx: Context) -> Self {
        Self { words: Vec::new() }
    }

    #[command]
    fn hear(&mut self, word: String) {
        self.words.push(word);
    }

    #[command]
    fn heard(&self) -> Vec<String> {
        self.words.clone()
    }
}

/// Leaves its last words to a witness.
struct Mortal {
    witness: Proxy<Witness>,
    done: Vec<String>,
}

#[pulsar::actor]
impl Mortal {
    fn start(_cx: Context, witness: Proxy<Witness>) -> Self {
        Self {
            witness,
            done: Vec::new(),
        }
    }

    #[command]
    async fn hold(&mut self, gate: Proxy<Gate>) -> Result<(), Error> {
        gate.pass().await?;
        self.done.push("held".to_owned());
        Ok(())
    }

    #[command]
    fn work(&mut self, number: u32) -> u32 {
        self.done.push(number.to_string());
        number
    }

    #[command]
    fn panics(&mut self) {
        panic!("as asked");
    }

    async fn stopping(&mut self, cx: Context) -> Result<()> {
        self.done.push(format!("stopping in {}", cx.placement()));
        self.witness.hear(self.done.join(", ")).await?;
        // It is logged, and ends nothing that does not end anyway.
        Err(Error::msg("no more"))
    }
}

async fn before_the_end(cx: Context) -> Result<()> {
    cx.set_extra("stops", true);
    Ok(())
}

#[pulsar::test]
async fn the_last_act_comes_after_all_commands_that_waited() -> Result<()> {
    for placement in PLACEMENTS {
        let witness = Witness::spawn().thread().await?;
        let gate = Gate::spawn().thread().await?;
        let described = Mortal::spawn(witness.clone()).placement(placement);
        let mortal = described.stopping(before_the_end).await?;
        let held = in_flight(&mortal, mortal.hold(gate.clone())).await?;
        gate.arrivals(1).await?;
        let waiting = [
            in_flight(&mortal, mortal.work(1)).await?,
            in_flight(&mortal, mortal.work(2)).await?,
        ];
        let handle = arbiter();
        let (stopped, opened) = tokio::join!(handle.stop_actor(&mortal), async {
            // It has begun to stop.
            while !stops(&mortal).await? {}
            Ok::<_, Error>(gate.open(1).await?)
        });
        opened?;
        stopped?;
        held.await??;
        for (number, done) in (1..).zip(waiting) {
            assert_eq!(done.await??, number, "{placement}");
        }
        let heard = witness.heard().await?;
        assert_eq!(heard, [format!("held, 1, 2, stopping in {placement}")]);
    }
    Ok(())
}

async fn stops(actor: &Proxy<Mortal>) -> Result<bool> {
    let extra = send(actor, info, ()).await?.extra.0;
    Ok(extra.contains_key("stops"))
}

#[pulsar::test]
async fn an_actor_whose_state_is_suspect_has_no_last_act() -> Result<()> {
    for placement in PLACEMENTS {
        let witness = Witness::spawn().thread().await?;
        let mortal = Mortal::spawn(witness.clone()).placement(placement).await?;
        let handle = arbiter();
        let (panicked, cause) = tokio::join!(mortal.panics().into_future(), handle.ended(&mortal));
        assert!(panicked.is_err());
        assert_eq!(cause?, Cause::Panic("as asked".to_owned()), "{placement}");
        assert!(witness.heard().await?.is_empty(), "{placement}");
    }
    Ok(())
}

/// Its last act is plain, and panics if it is told to.
struct Plain {
    panics: bool,
}

#[pulsar::actor]
impl Plain {
    fn start(_cx: Context, panics: bool) -> Self {
        Self { panics }
    }

    fn stopping(&mut self) {
        assert!(!self.panics, "at the end");
    }
}

#[pulsar::test]
async fn a_panic_in_the_last_act_does_not_make_a_crash_of_a_stop() -> Result<()> {
    for placement in PLACEMENTS {
        for panics in [false, true] {
            let plain = Plain::spawn(panics).placement(placement).await?;
            let handle = arbiter();
            let (cause, stopped) =
                tokio::join!(handle.ended(&plain), send(&plain, stop, ()).into_future());
            stopped?;
            assert_eq!(cause?, Cause::Stopped, "{placement}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn a_killed_actor_tells_all_that_asked_it() -> Result<()> {
    for placement in PLACEMENTS {
        let gate = Gate::spawn().thread().await?;
        let counter = Counter::spawn(0).placement(placement).await?;
        let held = in_flight(&counter, counter.add_behind(gate.clone(), 1)).await?;
        gate.arrivals(1).await?;
        let waits = in_flight(&counter, counter.total()).await?;
        arbiter().kill_actor(&counter).await?;
        let held = held.await?;
        let died = matches!(held, Err(CallError::Send(SendError::ActorDied { .. })));
        assert!(died, "{placement}: {held:?}");
        let waits = waits.await?;
        let died = matches!(waits, Err(CallError::Send(SendError::ActorDied { .. })));
        assert!(died, "{placement}: {waits:?}");
        // It would wait for whoever has died before it.
        gate.open(1).await?;
    }
    Ok(())
}

async fn tick(cx: Context) {
    let ticks = cx
        .info()
        .extra
        .0
        .get("ticks")
        .and_then(serde_json::Value::as_i64);
    cx.set_extra("ticks", ticks.unwrap_or(0) + 1);
}

#[pulsar::test]
async fn a_typed_actor_has_hooks_as_any_other() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Counter::spawn(0).placement(placement);
        let every = std::time::Duration::from_millis(5);
        let counter = described.periodic_task(tick).every(every).await?;
        while send(&counter, info, ())
            .await?
            .extra
            .0
            .get("ticks")
            .is_none_or(|ticks| *ticks == 1)
        {}
        assert_eq!(counter.add(1).await?, 1, "{placement}");
    }
    Ok(())
}

async fn begin(_cx: Context, (): ()) {}

#[pulsar::test]
async fn an_actor_with_a_type_has_no_start_hook() -> Result<()> {
    for placement in PLACEMENTS {
        let described = Plain::spawn(false).placement(placement).untyped();
        match described.start(begin, ()).await {
            Err(SpawnError::Unsupported { message }) => assert!(message.contains("start hook")),
            other => panic!("{placement}: {other:?}"),
        }
    }
    Ok(())
}
