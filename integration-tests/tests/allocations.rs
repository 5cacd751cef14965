//! What asks cost in memory: nothing, within a process, once they have been going on for a while.
#![forbid(unsafe_code)]

use pulsar::prelude::*;
use pulsar_sys::allocations::{Counting, of_this_thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: u64 = 2_000;
const MESSAGES: u64 = 20_000;
/// The loop's own business now and then, far less than once for each message.
const FEW: u64 = MESSAGES / 100;

#[derive(Default)]
struct Sum {
    sum: u64,
}

#[pulsar::actor]
impl Sum {
    async fn start(_cx: Context) -> Result<Self> {
        Ok(Self::default())
    }

    #[command]
    async fn add(&mut self, by: u64) -> u64 {
        self.sum += by;
        self.sum
    }

    #[command(no_ack)]
    async fn note(&mut self, by: u64) {
        self.sum += by;
    }

    #[command]
    fn allocations(&mut self) -> u64 {
        of_this_thread()
    }
}

/// What was allocated here and on the actor's thread while this went on.
async fn counted(sum: &Proxy<Sum>, messages: impl Future<Output = Result<()>>) -> Result<[u64; 2]> {
    let before = [of_this_thread(), sum.allocations().await?];
    messages.await?;
    let after = [of_this_thread(), sum.allocations().await?];
    Ok([after[0] - before[0], after[1] - before[1]])
}

async fn ask(sum: &Proxy<Sum>, asks: u64) -> Result<()> {
    let first = sum.add(0).await?;
    for asked in 1..=asks {
        assert_eq!(sum.add(1).await?, first + asked);
    }
    Ok(())
}

async fn tell(sum: &Proxy<Sum>, messages: u64) -> Result<()> {
    let first = sum.add(0).await?;
    for told in 1..=messages {
        sum.note(1).await?;
        // Before the mailbox is full: who waits for room may allocate.
        if told % 512 == 0 {
            assert_eq!(sum.add(0).await?, first + told);
        }
    }
    Ok(())
}

#[pulsar::test]
async fn an_ask_of_a_task_allocates_nothing() -> Result<()> {
    let sum = Sum::spawn().task().await?;
    ask(&sum, WARM_UP).await?;
    let counts = counted(&sum, ask(&sum, MESSAGES)).await?;
    assert!(counts.iter().all(|count| *count < FEW), "{counts:?}");
    Ok(())
}

#[pulsar::test]
async fn an_ask_of_a_thread_allocates_nothing_on_either_side() -> Result<()> {
    let sum = Sum::spawn().thread().await?;
    ask(&sum, WARM_UP).await?;
    let counts = counted(&sum, ask(&sum, MESSAGES)).await?;
    assert!(counts.iter().all(|count| *count < FEW), "{counts:?}");
    Ok(())
}

#[pulsar::test]
async fn a_message_without_acknowledgement_allocates_nothing() -> Result<()> {
    for placement in [Placement::Task, Placement::Thread] {
        let sum = Sum::spawn().placement(placement).await?;
        tell(&sum, WARM_UP).await?;
        let counts = counted(&sum, tell(&sum, MESSAGES)).await?;
        assert!(
            counts.iter().all(|count| *count < FEW),
            "{placement:?}: {counts:?}"
        );
    }
    Ok(())
}

#[pulsar::test]
async fn the_count_tells_what_is_allocated() -> Result<()> {
    let before = of_this_thread();
    let boxes: Vec<_> = (0..MESSAGES).map(Box::new).collect();
    assert!(of_this_thread() - before > MESSAGES);
    assert_eq!(boxes.len() as u64, MESSAGES);
    Ok(())
}
