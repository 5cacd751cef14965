//! Commands that do not await: they are run where they come in from another process, or by whoever asks on the same loop, while
//! their actor waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pulsar::prelude::*;
use tokio::task::{try_id, yield_now};

use crate::PLACEMENTS;

/// More asks than it takes until a link goes on through rings and an actor is known to be asked over it.
const WARM_UP: u32 = 100;

/// Keeps what it was told, and knows where it runs.
struct Plain {
    numbers: Vec<u32>,
    me: Proxy<Plain>,
}

#[pulsar::actor]
impl Plain {
    async fn start(cx: Context) -> Result<Self> {
        Ok(Self {
            numbers: Vec::new(),
            me: cx.proxy().typed(),
        })
    }

    #[command]
    fn note(&mut self, number: u32) -> usize {
        self.numbers.push(number);
        self.numbers.len()
    }

    #[command(no_ack)]
    fn tell(&mut self, number: u32) {
        self.numbers.push(number);
    }

    #[command]
    async fn note_later(&mut self, number: u32) -> usize {
        yield_now().await;
        self.numbers.push(number);
        self.numbers.len()
    }

    #[command]
    fn numbers(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.numbers)
    }

    /// The task of the runtime that runs this, and the actor that it runs for.
    #[command]
    fn run_by(&self) -> (Option<String>, Option<String>) {
        (task(), actor())
    }

    #[command]
    async fn awaited_by(&mut self) -> (Option<String>, Option<String>) {
        yield_now().await;
        (task(), actor())
    }

    /// Tells itself something, which waits until this has ended.
    #[command]
    fn note_twice(&mut self, number: u32) -> Result<usize, Error> {
        drop(self.me.tell(number + 1).try_send()?);
        self.numbers.push(number);
        Ok(self.numbers.len())
    }

    /// Holds the loop for longer than a tick of the system's timer.
    #[command]
    fn holds(&self) {
        std::thread::sleep(Duration::from_millis(15));
    }

    #[command]
    fn panics(&mut self) {
        panic!("as asked");
    }

    /// An actor on the loop of this one.
    #[command]
    async fn beside(&mut self) -> Result<Proxy<Plain>, Error> {
        Ok(Plain::spawn().task().await?)
    }
}

fn task() -> Option<String> {
    try_id().map(|id| id.to_string())
}

fn actor() -> Option<String> {
    get_actor().map(|cx| cx.aid().to_string())
}

/// One that has been asked often enough.
async fn warm(plain: &Proxy<Plain>) -> Result<()> {
    for number in 0..WARM_UP {
        assert_eq!(plain.note(number).await?, number as usize + 1);
    }
    assert_eq!(plain.numbers().await?, Vec::from_iter(0..WARM_UP));
    Ok(())
}

#[pulsar::test]
async fn it_is_run_where_it_comes_in_and_as_a_part_of_its_actor() -> Result<()> {
    let owner = Plain::spawn().await?;
    let beside = owner.beside().await?;
    for plain in [&owner, &beside] {
        warm(plain).await?;
        // The first of a name is looked up.
        plain.run_by().await?;
        let (by_itself, awaiting) = plain.awaited_by().await?;
        let (by_another, at_once) = plain.run_by().await?;
        assert_ne!(by_itself, by_another);
        let me = Some(plain.aid().to_string());
        assert_eq!((&awaiting, &at_once), (&me, &me));
    }
    Ok(())
}

#[pulsar::test]
async fn whoever_asks_on_the_same_loop_runs_it_as_a_part_of_its_actor() -> Result<()> {
    let here = Plain::spawn().task().await?;
    warm(&here).await?;
    let asker = async move {
        let me = Some(here.aid().to_string());
        let (by_itself, awaiting) = here.awaited_by().await?;
        assert_ne!(by_itself, task());
        assert_eq!(here.run_by().await?, (task(), me.clone()));
        let own = arbiter().aid().map(|aid| aid.to_string());
        assert_eq!((awaiting, actor()), (me, own));
        Ok::<_, Error>(())
    };
    tokio::spawn(asker).await??;
    // On another loop it is the actor's own task that runs it.
    let there = Plain::spawn().thread().await?;
    warm(&there).await?;
    assert_eq!(there.awaited_by().await?, there.run_by().await?);
    Ok(())
}

#[pulsar::test]
async fn who_asks_without_end_lets_others_on_the_loop_have_their_turns() -> Result<()> {
    let here = Plain::spawn().task().await?;
    warm(&here).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU32::new(0));
    let (over, count) = (Arc::clone(&is_over), Arc::clone(&asked));
    // The main loop has one thread: what is counted here is told by turns.
    let asker = tokio::spawn(async move {
        while !over.load(Ordering::Relaxed) {
            here.note(1).await?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Each of these holds the loop: then others have their turn.
        for _ in 0..5 {
            here.holds().await?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, Error>(())
    });
    while asked.load(Ordering::Relaxed) < 10_000 {
        yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut turns, mut seen) = (0, asked.load(Ordering::Relaxed));
    while !asker.is_finished() {
        let now = asked.load(Ordering::Relaxed);
        turns += u32::from(now != seen);
        seen = now;
        yield_now().await;
    }
    asker.await??;
    // The runtime wakes those that have given way last first: so there are two turns of each in a row.
    assert!(turns >= 2, "{turns}");
    Ok(())
}

#[pulsar::test]
async fn messages_stay_in_their_order_whichever_way_they_are_run() -> Result<()> {
    let plain = Plain::spawn().await?;
    warm(&plain).await?;
    let mut asked = Vec::new();
    for number in 0..WARM_UP {
        match number % 4 {
            0 => drop(plain.tell(number).try_send()?),
            1 => asked.push(plain.note(number).try_send()?),
            2 => asked.push(plain.note_later(number).try_send()?),
            _ => assert_eq!(plain.note(number).await?, number as usize + 1),
        }
    }
    for sent in asked {
        sent.await?;
    }
    assert_eq!(plain.numbers().await?, Vec::from_iter(0..WARM_UP));
    Ok(())
}

#[pulsar::test]
async fn what_it_tells_its_own_actor_is_run_after_it() -> Result<()> {
    let plain = Plain::spawn().await?;
    warm(&plain).await?;
    for number in [10, 20, 30] {
        let before = plain.note_twice(number).await?;
        assert_eq!(before % 2, 1);
    }
    assert_eq!(plain.numbers().await?, [10, 11, 20, 21, 30, 31]);
    Ok(())
}

#[pulsar::test]
async fn its_panic_is_told_and_ends_its_actor() -> Result<()> {
    for placement in PLACEMENTS {
        let plain = Plain::spawn().placement(placement).await?;
        warm(&plain).await?;
        let handle = arbiter();
        let ended = handle.ended(&plain);
        let (told, cause) = tokio::join!(plain.panics().into_future(), ended);
        match told {
            Err(CallError::Send(SendError::Panicked { message })) if message == "as asked" => {}
            other => panic!("{placement}: {other:?}"),
        }
        assert_eq!(cause?, Cause::Panic("as asked".to_owned()), "{placement}");
    }
    Ok(())
}
