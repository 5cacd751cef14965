//! run: "Run a function on a remote actor. The function must accept actor as its initial parameter."

use std::time::Duration;

use pulsar::Target;
use pulsar::prelude::*;

use super::PLACEMENTS;

#[pulsar::remote]
async fn dosomething(cx: Context, (word, times): (String, usize)) -> (String, String) {
    (cx.aid().to_string(), word.repeat(times))
}

/// Not registered.
async fn plain(cx: Context, number: u32) -> (String, u32) {
    (cx.aid().to_string(), number + 1)
}

#[command]
async fn have_run(_cx: Context, target: String) -> Result<(String, String)> {
    Ok(run(target, dosomething, ("ab".to_owned(), 2)).await?)
}

#[command]
async fn have_plain_run(_cx: Context, target: String) -> String {
    match run(target, plain, 1).await {
        Ok(result) => format!("{result:?}"),
        Err(error) => error.to_string(),
    }
}

#[pulsar::test]
async fn a_remote_function_runs_on_the_actor_that_it_is_sent_to() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let (aid, result) = run(&actor, dosomething, ("ab".to_owned(), 2)).await?;
        assert_eq!((aid, &*result), (actor.aid().to_string(), "abab"));
        // It is a function as any other, too.
        let here = get_actor().expect("the test runs in the arbiter");
        let (_, result) = dosomething(here, ("c".to_owned(), 3)).await;
        assert_eq!(result, "ccc");
    }
    Ok(())
}

#[pulsar::test]
async fn a_worker_has_its_monitor_run_a_remote_function() -> Result<()> {
    let pool = Pool::new("crew", 1, spawn()).start().await?;
    pool.all_ready().await;
    let (aid, result) = send("crew-1", have_run, "monitor".to_owned()).await?;
    assert_eq!((aid, &*result), (pool.proxy().aid().to_string(), "abab"));
    Ok(())
}

#[pulsar::test]
async fn a_remote_function_runs_between_any_two() -> Result<()> {
    for from in PLACEMENTS {
        for to in PLACEMENTS {
            let (from, to) = (spawn().placement(from).await?, spawn().placement(to).await?);
            let (aid, _) = send(&from, have_run, to.aid().to_string()).await?;
            assert_eq!(aid, to.aid().to_string());
        }
        let actor = spawn().placement(from).await?;
        let (aid, _) = send(&actor, have_run, "arbiter".to_owned()).await?;
        let own = arbiter().aid().map(|aid| aid.to_string());
        assert_eq!(Some(aid), own);
    }
    Ok(())
}

#[pulsar::test]
async fn a_function_pointer_runs_on_a_child() -> Result<()> {
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let (aid, number) = run(&actor, plain, 41).await?;
        assert_eq!((aid, number), (actor.aid().to_string(), 42));
        // So does a closure that captures nothing.
        assert_eq!(run(&actor, |_cx, n: u32| async move { n * 2 }, 4).await?, 8);
    }
    Ok(())
}

#[pulsar::test]
async fn a_function_pointer_from_below_or_beside_is_refused_with_what_to_register() -> Result<()> {
    let (one, other) = (spawn().await?, spawn().await?);
    for target in [
        Target::from("arbiter"),
        Target::from("monitor"),
        Target::from(&other),
    ] {
        let said = send(&one, have_plain_run, target.to_string()).await?;
        let expected = ["#[pulsar::remote]", "seed::run::plain"];
        for word in expected {
            assert!(said.contains(word), "{target}: {said}");
        }
    }
    Ok(())
}

#[pulsar::test]
async fn its_result_may_be_an_error_and_keeps_its_type() -> Result<()> {
    #[pulsar::remote]
    async fn half(_cx: Context, number: u32) -> Result<u32, String> {
        match number % 2 {
            0 => Ok(number / 2),
            _ => Err(format!("{number} is odd")),
        }
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        assert_eq!(run(&actor, half, 4).await?, Ok(2));
        assert_eq!(run(&actor, half, 3).await?, Err("3 is odd".to_owned()));
    }
    Ok(())
}

#[pulsar::test]
async fn it_is_waited_for_no_longer_than_said() -> Result<()> {
    #[pulsar::remote]
    async fn never(_cx: Context, _: ()) {
        std::future::pending::<()>().await;
    }
    let short = Duration::from_millis(20);
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement).await?;
        let late = run(&actor, never, ()).timeout(short).await;
        assert_eq!(late, Err(SendError::Timeout { after: short }));
        assert_eq!(send(&actor, ping, ()).await?, "pong");
        arbiter().kill_actor(&actor).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn a_tool_runs_a_remote_function_by_its_name() -> Result<()> {
    let actor = spawn().await?;
    let args = vec!["dosomething".into(), serde_json::json!(["x", 3])];
    let result = pulsar::send_json(&actor, "run", args).await;
    let result = result.map_err(|error| Error::msg(error.to_string()))?;
    assert_eq!(result[1], "xxx");
    let unknown = pulsar::send_json(&actor, "run", vec!["nothing".into(), 1.into()]).await;
    let said = unknown.unwrap_err().to_string();
    assert!(
        said.contains("nothing") && said.contains("#[pulsar::remote]"),
        "{said}"
    );
    Ok(())
}

#[pulsar::test]
async fn functions_that_never_end_leave_the_actor_answering() -> Result<()> {
    #[pulsar::remote]
    async fn serve(cx: Context, number: u32) {
        cx.set_extra("serves", number);
        std::future::pending::<()>().await;
    }
    for placement in PLACEMENTS {
        let actor = spawn().placement(placement);
        let actor = actor.exit_timeout(Duration::from_secs(1)).await?;
        let mut runs = tokio::task::JoinSet::new();
        for number in 0..200 {
            let actor = actor.clone();
            runs.spawn(async move { run(&actor, serve, number).await });
        }
        // Those past the most at once are told at once.
        let refused = runs.join_next().await.expect("some end")?;
        assert!(
            matches!(refused, Err(SendError::Refused { .. })),
            "{placement}: {refused:?}"
        );
        assert_eq!(send(&actor, ping, ()).await?, "pong", "{placement}");
        send(&actor, stop, ()).await?;
        if let Ok(cause) = arbiter().ended(&actor).await {
            assert_eq!(cause, Cause::Stopped, "{placement}");
        }
        while let Some(ended) = runs.join_next().await {
            assert!(ended?.is_err(), "{placement}");
        }
    }
    Ok(())
}
