//! Actors that wait for each other.

use std::time::{Duration, Instant};

use pulsar::prelude::*;

use crate::{double, not_answered};

/// How long each ask of the cycle may take.
const TIMEOUT: Duration = Duration::from_millis(300);
/// When the cycle has come to its end at the latest, on a machine that has other things to do.
const BY_THEN: Duration = Duration::from_secs(20);

/// Asks `to` to ask back, within its own turn.
#[command]
async fn ask_in_a_cycle(cx: Context, to: Proxy) -> Result<u32, SendError> {
    let me = cx.proxy();
    // The longer wait is the outer one's: what ends the cycle is the inner one's timeout.
    let asked = send(&to, ask_back, me).timeout(20 * TIMEOUT).await;
    asked.map_err(|error| match error {
        CallError::Send(error) | CallError::Command(error) => error,
    })
}

/// Asks the one back that waits for this very command.
#[command]
async fn ask_back(_cx: Context, whom: Proxy) -> Result<u32, SendError> {
    send(&whom, double, 21)
        .timeout(TIMEOUT)
        .await
        .map_err(not_answered)
}

#[pulsar::test]
async fn fault_31_a_cycle_of_asks_ends_by_its_timeout_and_stalls_nobody_else() -> Result<()> {
    for placement in [Placement::Process, Placement::Thread, Placement::Task] {
        let (one, other) = (
            spawn().placement(placement).await?,
            spawn().placement(placement).await?,
        );
        let bystander = spawn().placement(placement).await?;
        let begun = Instant::now();
        let cycle = tokio::spawn(send(&one, ask_in_a_cycle, other.clone()).into_future());
        let mut rounds = 0;
        while !cycle.is_finished() {
            assert_eq!(send(&bystander, double, rounds).await?, 2 * rounds);
            // Who waits in a turn of its own still answers for itself.
            assert_eq!(send(&one, ping, ()).await?, "pong");
            assert_eq!(send(&other, ping, ()).await?, "pong");
            rounds += 1;
        }
        let after = TIMEOUT;
        let ended = cycle.await?;
        match ended {
            Err(CallError::Command(SendError::Timeout { after: told })) => assert_eq!(told, after),
            ended => panic!("{placement}: {ended:?}"),
        }
        let took = begun.elapsed();
        assert!((TIMEOUT..BY_THEN).contains(&took), "{placement}: {took:?}");
        assert!(rounds > 2, "{placement}: {rounds} rounds meanwhile");
        // Both are as they were.
        assert_eq!(send(&one, double, 1).await?, 2);
        assert_eq!(send(&other, double, 1).await?, 2);
    }
    Ok(())
}
