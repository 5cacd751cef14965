//! One body of behaviours, the same for an actor in each placement that talks to one in each
//! other: nine pairs; those with a process on rings and on sockets. The test only sets the two up; what
//! is asked and what must come back is said once, in `behaviours`, and runs inside the first of the two.
#![forbid(unsafe_code)]

mod behaviours;

use pulsar::LinkPolicy;
use pulsar::prelude::*;

use crate::behaviours::{conform, let_go, note_letter};

/// Room in the target's mailbox: little, so that it can be filled.
const CAPACITY: usize = 4;

/// How the processes of a test speak with each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over rings, from their first messages on.
    Rings,
    Sockets,
}

impl Way {
    fn policy(self) -> LinkPolicy {
        LinkPolicy {
            rings: self == Self::Rings,
            after: 0,
            ..LinkPolicy::default()
        }
    }
}

/// Has an actor in placement `from` check one behaviour of an actor in placement `to`.
async fn check(way: Way, from: Placement, to: Placement, behaviour: &str) -> Result<()> {
    arbiter().set_link_policy(way.policy());
    let target = target(to, behaviour).await?;
    let asker = spawn().name("asker").placement(from).await?;
    let checking =
        tokio::spawn(send(&asker, conform, (behaviour.to_owned(), target.clone())).into_future());
    let handle = arbiter();
    match behaviour {
        // What only the arbiter can do to the target, once the asker says that it is ready.
        "kill" | "restart" => {
            asked_for(&asker).await?;
            handle.kill_actor(&target).await?;
        }
        "release" | "drain" | "timeout" | "dead letters" => {
            asked_for(&asker).await?;
            run(&target, let_go, ()).await?;
        }
        _ => {}
    }
    Ok(checking.await??)
}

async fn target(placement: Placement, behaviour: &str) -> Result<Proxy, SpawnError> {
    let described = spawn().name("target").placement(placement);
    let described = described.mailbox_capacity(CAPACITY);
    match behaviour {
        "restart" => described.permanent().await,
        "dead letters" => {
            let dropping = described.on_overflow(Overflow::DropOldest);
            dropping.on_dead_letter(note_letter).await
        }
        _ => described.await,
    }
}

/// Waits until the asker has said that it needs the arbiter.
async fn asked_for(asker: &Proxy) -> Result<()> {
    while !send(asker, info, ()).await?.extra.0.contains_key("ready") {}
    Ok(())
}

macro_rules! pairs {
    ($way:ident: $($module:ident: $from:ident to $to:ident;)+) => {$(
        mod $module {
            use pulsar::prelude::*;

            const WAY: crate::Way = crate::Way::$way;
            const FROM: Placement = Placement::$from;
            const TO: Placement = Placement::$to;

            #[pulsar::test]
            async fn a_reply_comes_back() -> Result<()> {
                crate::check(WAY, FROM, TO, "reply").await
            }

            #[pulsar::test]
            async fn an_error_of_the_commands_own_keeps_its_type() -> Result<()> {
                crate::check(WAY, FROM, TO, "error").await
            }

            #[pulsar::test]
            async fn a_panic_is_told_and_ends_the_actor() -> Result<()> {
                crate::check(WAY, FROM, TO, "panic").await
            }

            #[pulsar::test]
            async fn messages_keep_their_order() -> Result<()> {
                crate::check(WAY, FROM, TO, "order").await
            }

            #[pulsar::test]
            async fn a_full_mailbox_holds_its_senders_back() -> Result<()> {
                crate::check(WAY, FROM, TO, "release").await
            }

            #[pulsar::test]
            async fn a_sender_that_is_faster_waits_and_nothing_is_lost() -> Result<()> {
                crate::check(WAY, FROM, TO, "flood").await
            }

            #[pulsar::test]
            async fn each_ask_is_answered_once() -> Result<()> {
                crate::check(WAY, FROM, TO, "once").await
            }

            #[pulsar::test]
            async fn what_is_not_run_is_a_dead_letter_and_its_sender_is_told() -> Result<()> {
                crate::check(WAY, FROM, TO, "dead letters").await
            }

            #[pulsar::test]
            async fn a_restarted_actor_is_found_by_the_same_reference() -> Result<()> {
                crate::check(WAY, FROM, TO, "restart").await
            }

            #[pulsar::test]
            async fn a_spawn_tells_the_id_at_once_and_resolves_when_the_actor_is_ready() -> Result<()> {
                crate::check(WAY, FROM, TO, "spawn").await
            }

            #[pulsar::test]
            async fn an_ask_ends_at_its_timeout_and_its_late_reply_disturbs_nobody() -> Result<()> {
                crate::check(WAY, FROM, TO, "timeout").await
            }

            #[pulsar::test]
            async fn a_stop_drains_what_waits() -> Result<()> {
                crate::check(WAY, FROM, TO, "drain").await
            }

            #[pulsar::test]
            async fn a_death_answers_all_asks_in_flight_once() -> Result<()> {
                crate::check(WAY, FROM, TO, "kill").await
            }

            #[pulsar::test]
            async fn unknown_actors_and_commands_are_told() -> Result<()> {
                crate::check(WAY, FROM, TO, "unknown").await
            }
        }
    )+};
}

mod conformance {
    pairs! {
        Rings:
        process_to_process: Process to Process;
        process_to_thread: Process to Thread;
        process_to_task: Process to Task;
        thread_to_process: Thread to Process;
        thread_to_thread: Thread to Thread;
        thread_to_task: Thread to Task;
        task_to_process: Task to Process;
        task_to_thread: Task to Thread;
        task_to_task: Task to Task;
    }

    /// Those of which one is a process: without that there is no link.
    mod on_sockets {
        pairs! {
            Sockets:
            process_to_process: Process to Process;
            process_to_thread: Process to Thread;
            process_to_task: Process to Task;
            thread_to_process: Thread to Process;
            task_to_process: Task to Process;
        }
    }
}
