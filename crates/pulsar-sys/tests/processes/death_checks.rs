//! How children end.

use std::{
    collections::BTreeSet,
    env,
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
};

use pulsar_sys::{
    Children, Exit, Pid, Signal, SignalError, descriptors,
    usage::{self, processes_below},
};

use crate::{
    Check,
    parent::{await_end, await_link_end, await_ready, await_zombie, start_in},
};

pub(crate) const CHECKS: &[Check] = &[
    (
        "the_code_of_an_exit_is_learnt",
        the_code_of_an_exit_is_learnt,
    ),
    (
        "the_signal_of_a_death_is_learnt",
        the_signal_of_a_death_is_learnt,
    ),
    ("the_link_ends_with_the_child", the_link_ends_with_the_child),
    (
        "nothing_is_reaped_while_all_run",
        nothing_is_reaped_while_all_run,
    ),
    (
        "many_exits_are_reaped_at_once_each_once",
        many_exits_are_reaped_at_once_each_once,
    ),
    (
        "a_reaped_pid_is_never_signalled",
        a_reaped_pid_is_never_signalled,
    ),
    (
        "fault_15_a_stranger_with_the_pid_of_a_reaped_child_is_not_signalled",
        fault_15_a_stranger_with_the_pid_of_a_reaped_child_is_not_signalled,
    ),
    (
        "a_child_that_another_reaped_is_lost_and_not_signalled",
        a_child_that_another_reaped_is_lost_and_not_signalled,
    ),
    (
        "the_children_of_strangers_are_not_reaped_and_hide_nothing",
        the_children_of_strangers_are_not_reaped_and_hide_nothing,
    ),
    (
        "the_children_of_strangers_are_not_signalled",
        the_children_of_strangers_are_not_signalled,
    ),
    (
        "the_checks_are_listed_and_counted_as_by_a_test_harness",
        the_checks_are_listed_and_counted_as_by_a_test_harness,
    ),
    (
        "an_orphan_is_reaped_by_the_first_process",
        an_orphan_is_reaped_by_the_first_process,
    ),
    ("a_child_dies_with_its_parent", a_child_dies_with_its_parent),
    (
        "a_spinning_child_can_be_killed",
        a_spinning_child_can_be_killed,
    ),
    ("faults_die_of_their_signals", faults_die_of_their_signals),
    ("nothing_is_left_over", nothing_is_left_over),
];

fn killed(signal: i32) -> Exit {
    Exit::Signal {
        signal,
        core_dumped: false,
    }
}

fn the_code_of_an_exit_is_learnt() {
    for code in [0, 1, 77, 255] {
        let mut children = Children::new();
        let child = start_in(&mut children, &["exit", &code.to_string()]);
        assert_eq!(await_end(&mut children, child.pid), Exit::Code(code));
        assert!(children.is_empty());
    }
}

fn the_signal_of_a_death_is_learnt() {
    let signals = [
        Signal::Terminate,
        Signal::Kill,
        Signal::Abort,
        Signal::Interrupt,
        Signal::Quit,
        Signal::Hangup,
    ];
    for signal in signals {
        let mut children = Children::new();
        let child = start_in(&mut children, &["sleep"]);
        await_ready(&child.link);
        children.signal(child.pid, signal).unwrap();
        assert_eq!(await_end(&mut children, child.pid), killed(signal.as_raw()));
    }
}

fn the_link_ends_with_the_child() {
    let mut children = Children::new();
    let child = start_in(&mut children, &["sleep"]);
    await_ready(&child.link);
    children.signal(child.pid, Signal::Kill).unwrap();
    await_link_end(&child.link);
    await_end(&mut children, child.pid);
}

fn nothing_is_reaped_while_all_run() {
    let mut children = Children::new();
    let child = start_in(&mut children, &["sleep"]);
    await_ready(&child.link);
    assert_eq!(children.reap(), []);
    assert_eq!(children.reap_one(child.pid), None);
    assert!(children.contains(child.pid));
    // A stopped child has not ended, and goes on.
    children.signal(child.pid, Signal::Stop).unwrap();
    assert_eq!(children.reap(), []);
    children.signal(child.pid, Signal::Continue).unwrap();
    children.signal(child.pid, Signal::Kill).unwrap();
    await_zombie(child.pid);
    assert_eq!(children.reap_one(child.pid), Some(killed(libc::SIGKILL)));
    assert_eq!(children.reap_one(child.pid), None);
}

fn many_exits_are_reaped_at_once_each_once() {
    const COUNT: i32 = 20;
    let mut children = Children::new();
    let mut expected = BTreeSet::new();
    for code in 0..COUNT {
        let child = start_in(&mut children, &["exit", &code.to_string()]);
        expected.insert((child.pid, code));
    }
    for (pid, _) in &expected {
        await_zombie(*pid);
    }
    let ended = children.reap();
    assert_eq!(ended.len(), expected.len());
    for (pid, exit) in ended {
        let Exit::Code(code) = exit else {
            panic!("{exit:?}");
        };
        assert!(expected.remove(&(pid, code)));
    }
}

fn is_reaped(result: Result<(), SignalError>) -> bool {
    matches!(result, Err(SignalError::Reaped { .. }))
}

fn a_reaped_pid_is_never_signalled() {
    let mut children = Children::new();
    let child = start_in(&mut children, &["exit", "0"]);
    await_zombie(child.pid);
    // It still has its pid, so the signal can reach nobody else.
    children.signal(child.pid, Signal::Kill).unwrap();
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
    assert!(is_reaped(children.signal(child.pid, Signal::Kill)));
    assert!(is_reaped(children.signal(Pid::current(), Signal::Kill)));
}

fn reap_behind_our_back(pid: Pid) {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).unwrap();
    let options = rustix::process::WaitOptions::empty();
    assert!(
        rustix::process::waitpid(Some(pid), options)
            .unwrap()
            .is_some()
    );
}

fn a_child_that_another_reaped_is_lost_and_not_signalled() {
    let mut children = Children::new();
    let (one, two) = (
        start_in(&mut children, &["exit", "0"]).pid,
        start_in(&mut children, &["exit", "0"]).pid,
    );
    reap_behind_our_back(one);
    assert!(is_reaped(children.signal(one, Signal::Kill)));
    assert_eq!(children.reap_one(one), Some(Exit::Lost));
    reap_behind_our_back(two);
    assert_eq!(children.reap(), [(two, Exit::Lost)]);
    assert!(children.is_empty());
}

fn stranger() -> (Child, Pid) {
    let mut command = Command::new(env::current_exe().unwrap());
    let child = command.args(["--part", "stranger"]).spawn().unwrap();
    let pid = Pid::new(child.id().try_into().unwrap()).unwrap();
    (child, pid)
}

fn the_children_of_strangers_are_not_reaped_and_hide_nothing() {
    let (mut before, pid_before) = stranger();
    await_zombie(pid_before);
    let mut children = Children::new();
    let child = start_in(&mut children, &["exit", "5"]);
    let running = start_in(&mut children, &["sleep"]);
    let (mut after, pid_after) = stranger();
    await_zombie(pid_after);
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(5));
    assert_eq!(children.len(), 1);
    children.signal(running.pid, Signal::Kill).unwrap();
    assert_eq!(await_end(&mut children, running.pid), killed(libc::SIGKILL));
    assert_eq!(before.wait().unwrap().code(), Some(3));
    assert_eq!(after.wait().unwrap().code(), Some(3));
}

fn the_children_of_strangers_are_not_signalled() {
    let mut command = Command::new("sleep");
    let mut child = command.arg("60").stdin(Stdio::null()).spawn().unwrap();
    let pid = Pid::new(child.id().try_into().unwrap()).unwrap();
    assert!(is_reaped(Children::new().signal(pid, Signal::Kill)));
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Makes the system give a reaped child's pid to a stranger: see `part.rs`. Needs the right to make a pid namespace.
fn fault_15_a_stranger_with_the_pid_of_a_reaped_child_is_not_signalled() {
    in_pid_namespace("reuse");
}

/// Needs the right to make a pid namespace; where there is none it says so and shows nothing.
fn the_checks_are_listed_and_counted_as_by_a_test_harness() {
    let told = |arguments: &[&str]| {
        let output = Command::new(env::current_exe().unwrap())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = told(&["fault_", "--list"]);
    let stranger = "fault_15_a_stranger_with_the_pid_of_a_reaped_child_is_not_signalled";
    assert_eq!(
        listed,
        format!("{stranger}: test\n\n1 tests, 0 benchmarks\n")
    );
    let ran = told(&["the_code_of_an_exit"]);
    let result = "test result: ok. 1 passed; 0 failed; 0 ignored; ";
    assert!(
        ran.starts_with("test the_code_of_an_exit_is_learnt ... ok\n"),
        "{ran}"
    );
    assert!(ran.contains(result), "{ran}");
}

fn an_orphan_is_reaped_by_the_first_process() {
    in_pid_namespace("init");
}

/// Runs this part as the first process of a pid namespace of its own.
fn in_pid_namespace(part: &str) {
    let unshare = |program: &str, arguments: &[&str]| {
        let options = [
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
        ];
        let mut command = Command::new("unshare");
        command.args(options).arg(program).args(arguments).output()
    };
    if !unshare("true", &[]).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {part}: no pid namespace may be made here");
        return;
    }
    let program = env::current_exe().unwrap();
    let output = unshare(program.to_str().unwrap(), &["--part", part]).unwrap();
    assert!(output.status.success(), "{output:?}");
    // It may lack a right that this one does not need.
    let said = String::from_utf8_lossy(&output.stderr);
    for line in said.lines().filter(|line| line.starts_with("skipped: ")) {
        eprintln!("{line}");
    }
}

fn a_child_dies_with_its_parent() {
    let mut children = Children::new();
    let middle = start_in(&mut children, &["middle"]);
    let (mut bytes, mut received) = ([0; 4], Vec::new());
    let count = descriptors::recv_with_descriptors(&middle.link, &mut bytes, &mut received);
    assert_eq!((count.unwrap().bytes, received.len()), (4, 1));
    let grandchild = Pid::new(i32::from_le_bytes(bytes)).unwrap();
    assert_eq!(usage::parent_of(grandchild), Some(middle.pid));
    let below = processes_below(Pid::current());
    assert!(below.iter().any(|process| process.pid == grandchild));

    children.signal(middle.pid, Signal::Kill).unwrap();
    assert_eq!(await_end(&mut children, middle.pid), killed(libc::SIGKILL));
    // The grandchild sleeps whatever becomes of its link, so the link ends only if the grandchild dies.
    await_link_end(&UnixStream::from(received.remove(0)));
}

fn a_spinning_child_can_be_killed() {
    let mut children = Children::new();
    let child = start_in(&mut children, &["fault", "spin"]);
    await_ready(&child.link);
    children.signal(child.pid, Signal::Kill).unwrap();
    assert_eq!(await_end(&mut children, child.pid), killed(libc::SIGKILL));
}

fn faults_die_of_their_signals() {
    let table: [(&str, &[i32]); 5] = [
        ("segv", &[libc::SIGSEGV]),
        ("abort", &[libc::SIGABRT]),
        ("stack-overflow", &[libc::SIGABRT, libc::SIGSEGV]),
        ("stack-overflow-in-thread", &[libc::SIGABRT, libc::SIGSEGV]),
        ("out-of-memory", &[libc::SIGABRT]),
    ];
    for (fault, signals) in table {
        let mut children = Children::new();
        let child = start_in(&mut children, &["fault", fault]);
        await_ready(&child.link);
        let exit = await_end(&mut children, child.pid);
        assert!(
            signals.iter().any(|signal| exit == killed(*signal)),
            "{fault}: {exit:?}"
        );
    }
}

fn nothing_is_left_over() {
    assert_eq!(processes_below(Pid::current()), []);
}
