//! What a process inherits of the arbiter as it is when the process is made, and not as the template was.

use std::fs::{self, File};
use std::sync::Arc;

use pulsar::prelude::*;
use rustix::process::{
    Resource, Rlimit, getpriority_process, getrlimit, setpriority_process, setrlimit,
};

use crate::{another_than, template};

#[command]
async fn niceness(_cx: Context) -> Result<i32> {
    Ok(getpriority_process(None)?)
}

#[command]
async fn core_limit(_cx: Context) -> Option<u64> {
    getrlimit(Resource::Core).maximum
}

/// What tools see of the actor's process: its arguments, the environment that it began with, and its open files.
#[command]
async fn seen(_cx: Context) -> Result<(String, String, usize)> {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}"));
    let open = fs::read_dir("/proc/self/fd")?.count();
    Ok((read("cmdline")?, read("environ")?, open))
}

/// The sockets that the actor's process has open.
#[command]
async fn sockets(_cx: Context) -> Result<Vec<String>> {
    sockets_of("self")
}

fn sockets_of(process: &str) -> Result<Vec<String>> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd"))? {
        // The one that looks is gone by now.
        let link = fs::read_link(entry?.path()).unwrap_or_default();
        let link = link.display().to_string();
        sockets.extend(Some(link).filter(|link| link.starts_with("socket:")));
    }
    Ok(sockets)
}

#[pulsar::test]
async fn forks_have_no_socket_in_common() -> Result<()> {
    let template = template().map(|pid| pid.to_string());
    let (one, other) = (spawn().await?, spawn().await?);
    let mut all = sockets_of(&template.unwrap_or_default())?;
    for actor in [&one, &other] {
        let its = send(actor, sockets, ()).await?;
        // Its link, and both ends of what its loop has for signals, one of them twice.
        assert!(its.len() >= 3, "{its:?}");
        let common: Vec<_> = its.iter().filter(|socket| all.contains(socket)).collect();
        assert!(common.is_empty(), "{common:?}");
        all.extend(its);
    }
    Ok(())
}

#[pulsar::test]
async fn a_change_of_what_is_inherited_makes_the_template_anew() -> Result<()> {
    let old = template();
    spawn().await?;
    setpriority_process(None, 7)?;
    let limit = Rlimit {
        current: Some(0),
        maximum: Some(1 << 20),
    };
    setrlimit(Resource::Core, limit)?;
    for _ in 0..2 {
        let actor = spawn().await?;
        assert_eq!(send(&actor, niceness, ()).await?, 7);
        assert_eq!(send(&actor, core_limit, ()).await?, Some(1 << 20));
        another_than(old).await?;
    }
    Ok(())
}

#[pulsar::test]
async fn tools_see_a_fork_as_a_process_of_its_own() -> Result<()> {
    let kept = File::open("/dev/null")?;
    let actor = spawn()
        .name("seen")
        .descriptor("it", Arc::new(kept.into()))
        .await?;
    let (arguments, environment, open) = send(&actor, seen, ()).await?;
    assert!(arguments.ends_with("\0[seen]\0"), "{arguments:?}");
    assert_eq!(environment, format!("PULSAR_ACTOR={}:seen\0", actor.aid()));
    let by_exec = spawn().name("exec").exec();
    let by_exec = by_exec
        .descriptor("it", Arc::new(File::open("/dev/null")?.into()))
        .await?;
    let (arguments, _, open_by_exec) = send(&by_exec, seen, ()).await?;
    assert!(arguments.ends_with("\0[exec]\0"), "{arguments:?}");
    assert_eq!(open, open_by_exec);
    Ok(())
}
