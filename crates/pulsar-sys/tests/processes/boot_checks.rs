//! How children begin.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    net::Shutdown,
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::PathBuf,
    process::Command,
    thread,
};

use pulsar_sys::{Build, Children, CodeOffset, Exit, Pid, ProcessLimit, World, confine, exec};

use crate::{
    Check,
    parent::{await_end, environment, start_in},
    part::{self, Applied, Limits, Report, Work},
};

pub(crate) const CHECKS: &[Check] = &[
    (
        "a_child_has_no_descriptors_but_its_own",
        a_child_has_no_descriptors_but_its_own,
    ),
    (
        "a_child_has_exactly_the_environment_it_was_given",
        a_child_has_exactly_the_environment_it_was_given,
    ),
    (
        "a_child_does_not_inherit_ignored_or_blocked_signals",
        a_child_does_not_inherit_ignored_or_blocked_signals,
    ),
    (
        "a_child_knows_its_parent_name_arguments_and_build",
        a_child_knows_its_parent_name_arguments_and_build,
    ),
    (
        "the_link_blocks_in_the_child_and_not_in_the_parent",
        the_link_blocks_in_the_child_and_not_in_the_parent,
    ),
    (
        "a_child_of_a_replaced_file_has_the_same_build",
        a_child_of_a_replaced_file_has_the_same_build,
    ),
    (
        "a_function_pointer_runs_in_the_child",
        a_function_pointer_runs_in_the_child,
    ),
    ("a_world_is_applied_exactly", a_world_is_applied_exactly),
    (
        "a_limit_that_the_parent_sets_is_the_childs_highest",
        a_limit_that_the_parent_sets_is_the_childs_highest,
    ),
    (
        "what_cannot_be_applied_is_a_warning",
        what_cannot_be_applied_is_a_warning,
    ),
    (
        "limits_are_raised_in_the_child",
        limits_are_raised_in_the_child,
    ),
    ("another_thread_may_not_spawn", another_thread_may_not_spawn),
    (
        "a_zero_byte_in_an_argument_is_a_failure",
        a_zero_byte_in_an_argument_is_a_failure,
    ),
    (
        "a_malformed_boot_variable_is_refused",
        a_malformed_boot_variable_is_refused,
    ),
    (
        "a_closed_boot_descriptor_is_refused",
        a_closed_boot_descriptor_is_refused,
    ),
    (
        "a_stranger_is_not_taken_for_the_parent",
        a_stranger_is_not_taken_for_the_parent,
    ),
    (
        "a_program_with_threads_cannot_boot",
        a_program_with_threads_cannot_boot,
    ),
];

fn report() -> Report {
    let mut children = Children::new();
    let mut child = start_in(&mut children, &["report", "two words"]);
    let report = part::read(&mut child.link);
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
    report
}

fn a_child_has_no_descriptors_but_its_own() {
    // One that std opened, which is closed by exec anyway, and one that was made without that flag.
    let _file = fs::File::open("/dev/null").unwrap();
    let leaky = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).unwrap();
    let report = report();
    assert_eq!(report.early.descriptors, [0, 1, 2, report.link]);
}

fn a_child_has_exactly_the_environment_it_was_given() {
    let report = report();
    let given: BTreeMap<_, _> = environment().into_iter().collect();
    assert_eq!(report.environment_after_take, given);
    assert_eq!(report.early.environment.len(), given.len() + 1);
}

fn a_child_does_not_inherit_ignored_or_blocked_signals() {
    // The parent does both, else this check would show nothing.
    assert_ne!(part::signal_set("SigIgn:"), 0);
    assert_ne!(part::signal_set("SigBlk:"), 0);
    let report = report();
    assert_eq!((report.early.ignored, report.early.blocked), (0, 0));
}

fn a_child_knows_its_parent_name_arguments_and_build() {
    let report = report();
    assert_eq!(report.parent, Pid::current());
    assert_eq!(report.program_name, "a child");
    assert_eq!(report.arguments, ["report", "two words"]);
    assert_eq!(report.build, Build::current().unwrap());
    assert!(report.is_child);
    assert!(!pulsar_sys::boot::is_child());
}

fn the_link_blocks_in_the_child_and_not_in_the_parent() {
    let report = report();
    assert!(report.link_blocks);
    assert!(report.link_closes_on_exec);

    let mut children = Children::new();
    let child = exec::spawn(&exec::ExecSpec {
        environment: Vec::new(),
        program_name: OsString::new(),
        arguments: vec!["exit".into(), "0".into()],
        pipes_stderr: false,
    });
    let child = child.unwrap();
    children.insert(child.pid);
    let flags = rustix::fs::fcntl_getfl(&child.link).unwrap();
    assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
    let flags = rustix::io::fcntl_getfd(&child.link).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
}

fn a_child_of_a_replaced_file_has_the_same_build() {
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("copy-{}", Pid::current()));
    fs::copy(env::current_exe().unwrap(), &copy).unwrap();
    let status = Command::new(&copy).args(["--part", "replaced"]).status();
    let replaced = fs::read(&copy).unwrap();
    fs::remove_file(&copy).unwrap();
    assert_eq!(replaced, b"no program");
    assert!(status.unwrap().success());
}

fn next(number: u32) -> u32 {
    number + 1
}

fn a_function_pointer_runs_in_the_child() {
    let mut children = Children::new();
    let mut child = start_in(&mut children, &["call"]);
    let offset = CodeOffset::of(next as Work).unwrap();
    part::answer(child.link.try_clone().unwrap(), &offset);
    assert_eq!(part::read::<u32>(&mut child.link), 42);
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
}

fn applied(world: &World) -> Applied {
    applied_within(world, &[])
}

fn applied_within(world: &World, limits: &[ProcessLimit]) -> Applied {
    let mut children = Children::new();
    let mut child = start_in(&mut children, &["apply"]);
    for limit in limits {
        confine(child.pid, *limit).unwrap();
    }
    part::answer(child.link.try_clone().unwrap(), world);
    child.link.shutdown(Shutdown::Write).unwrap();
    let applied = part::read(&mut child.link);
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
    applied
}

fn a_world_is_applied_exactly() {
    let world = World {
        environment: vec![("A".into(), "1".into()), ("B".into(), "x=y".into())],
        directory: Some("/proc".into()),
        umask: 0o037,
    };
    let mut applied = applied(&world);
    applied.world.environment.sort();
    assert_eq!(applied.world, world);
    assert_eq!(applied.warnings, [""; 0]);
}

fn a_limit_that_the_parent_sets_is_the_childs_highest() {
    let world = World {
        environment: Vec::new(),
        directory: Some("/".into()),
        umask: 0o022,
    };
    let applied = applied_within(&world, &[ProcessLimit::OpenFiles(40)]);
    assert_eq!(applied.open_files, 40);
    assert_eq!(applied.warnings, [""; 0]);
}

fn what_cannot_be_applied_is_a_warning() {
    let world = World {
        environment: vec![("GOOD".into(), "1".into()), ("BAD=".into(), "2".into())],
        directory: Some("/no/such/directory".into()),
        umask: 0o022,
    };
    let applied = applied(&world);
    assert_eq!(applied.world.environment, [("GOOD".into(), "1".into())]);
    for part in ["BAD=", "/no/such/directory"] {
        assert!(
            applied
                .warnings
                .iter()
                .any(|warning| warning.contains(part)),
            "{part}"
        );
    }
}

fn limits_are_raised_in_the_child() {
    let mut children = Children::new();
    let mut child = start_in(&mut children, &["limits"]);
    let limits: Limits = part::read(&mut child.link);
    assert_eq!(limits.oom_after, (limits.oom_before + 100).min(1_000));
    assert_eq!(limits.oom_capped, 1_000);
    assert_eq!(limits.name, "a-worker\n");
    // Caught, not ignored: programs that the child executes have them as by default.
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        assert_ne!(limits.caught & (1 << (signal - 1)), 0, "signal {signal}");
    }
    assert_eq!(limits.ignored, 1 << (libc::SIGPIPE - 1));
    assert_eq!(await_end(&mut children, child.pid), Exit::Code(0));
}

fn another_thread_may_not_spawn() {
    let refused = thread::spawn(|| exec::spawn(&exec::ExecSpec::default()));
    let failure = refused.join().unwrap().unwrap_err();
    assert!(failure.is_wrong_thread(), "{failure}");
}

fn a_zero_byte_in_an_argument_is_a_failure() {
    let failure = exec::spawn(&exec::ExecSpec {
        arguments: vec!["a\0b".into()],
        ..exec::ExecSpec::default()
    });
    let failure = failure.unwrap_err();
    assert_eq!(failure.errno(), libc::EINVAL);
    assert!(!failure.is_wrong_thread());
}

/// Runs this program by hand with the variable set, and returns what it says about it.
fn refused(variable: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command
        .args(arguments)
        .env("PULSAR_BOOT", variable)
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(9), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn a_malformed_boot_variable_is_refused() {
    let error = refused("nonsense", &[]);
    assert!(error.starts_with("Malformed"), "{error}");
    assert!(error.contains("set=false"), "{error}");
}

fn a_closed_boot_descriptor_is_refused() {
    let error = refused(&format!("99:{}", Pid::current()), &[]);
    assert!(
        error.starts_with("NotASocket { descriptor: 99 }"),
        "{error}"
    );
}

fn a_stranger_is_not_taken_for_the_parent() {
    let (inherited, _other) = UnixStream::pair().unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let error = refused(&format!("{}:1", inherited.as_raw_fd()), &[]);
    assert!(error.starts_with("ParentGone"), "{error}");
}

fn a_program_with_threads_cannot_boot() {
    let error = refused(
        &format!("3:{}", Pid::current()),
        &["--threaded-part", "take"],
    );
    assert!(
        error.starts_with("Threads(Threads { count: 2 })"),
        "{error}"
    );
}
