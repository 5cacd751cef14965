//! Names, as actors in other processes know them.

use pulsar::prelude::*;

use crate::{double, host, pid};

#[command]
async fn ask_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    Ok(send(name, double, 21).await?)
}

#[command]
async fn pid_by_name(_cx: Context, name: String) -> Result<u32, Error> {
    Ok(send(name, pid, ()).await?)
}

/// Ends the task of this name that lives here.
#[command]
async fn end(_cx: Context, name: String) -> Result<(), Error> {
    send(name, stop, ()).await?;
    Ok(())
}

#[pulsar::test]
async fn a_named_task_in_a_process_is_found_from_everywhere() -> Result<()> {
    let (hosting, other) = (spawn().await?, spawn().await?);
    let task = send(&hosting, host, "inside").await?;
    assert_eq!(send("inside", double, 1).await?, 2);
    assert_eq!(send(&other, ask_by_name, "inside").await?, 42);
    assert_eq!(send(&hosting, ask_by_name, "inside").await?, 42);
    assert_eq!(task.name(), "inside");
    Ok(())
}

#[pulsar::test]
async fn a_name_is_unique_among_the_living_wherever_they_live() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    send(&one, host, "mine").await?;
    for refused in [
        send(&other, host, "mine").await.unwrap_err(),
        send(&one, host, "mine").await.unwrap_err(),
    ] {
        assert!(
            refused.to_string().contains("\"mine\" is taken"),
            "{refused}"
        );
    }
    let taken = SpawnError::NameTaken {
        name: "mine".to_owned(),
    };
    assert_eq!(spawn().name("mine").await.unwrap_err(), taken);
    // It is free when its holder has ended, in order or with its process.
    send(&one, end, "mine").await?;
    while send(&other, host, "mine").await.is_err() {}
    arbiter().kill_actor(&other).await?;
    spawn().name("mine").await?;
    Ok(())
}

#[pulsar::test]
async fn a_name_that_has_come_to_another_is_looked_for_anew() -> Result<()> {
    let asker = spawn().await?;
    for placement in [Placement::Thread, Placement::Process, Placement::Task] {
        for next in [Placement::Process, Placement::Thread] {
            let first = spawn().name("moving").placement(placement).await?;
            assert_eq!(send(&asker, ask_by_name, "moving").await?, 42);
            arbiter().stop_actor(&first).await?;
            let second = spawn().name("moving").placement(next).await?;
            assert_eq!(send(&asker, ask_by_name, "moving").await?, 42);
            let found = send(&asker, pid_by_name, "moving").await?;
            assert_eq!(found, send(&second, pid, ()).await?);
            arbiter().stop_actor(&second).await?;
        }
    }
    Ok(())
}
