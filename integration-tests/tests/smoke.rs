//! first
#![forbid(unsafe_code)]
use pulsar::prelude::*;

#[command]
async fn greetme(cx: Context, name: String) -> Result<String> {
    Ok(format!("Hello {name} from {}", cx.placement()))
}

#[command]
async fn boom(_cx: Context) -> u32 { panic!("boom") }

async fn on_start(cx: Context, x: u32) -> Result<()> { cx.set_extra("x", x); Ok(()) }

async fn pid_of(cx: Context, add: u32) -> u32 { cx.info().actor.pid + add }

#[pulsar::test]
async fn three_placements() -> Result<()> {
    for p in [Placement::Process, Placement::Thread, Placement::Task] {
        let a = spawn().placement(p).name("a").start(on_start, 5).await?;
        assert_eq!(send(&a, ping, ()).await?, "pong");
        assert_eq!(send(&a, echo, "x").await?, "x");
        let hi = send("a", greetme, "luca").await?;
        assert_eq!(hi, format!("Hello luca from {p}"));
        let about = send(a.aid(), info, ()).await?;
        println!("{}", serde_json_string(&about));
        assert_eq!(about.extra.0["x"], 5);
        let pid = run(&a, pid_of, 0).await?;
        assert_eq!(pid, about.actor.pid);
        let e = send(&a, boom, ()).await.unwrap_err();
        println!("{e}");
        let cause = arbiter().ended(&a).await;
        println!("{cause:?}");
    }
    Ok(())
}
fn serde_json_string(i: &Info) -> String { format!("{i:?}") }
