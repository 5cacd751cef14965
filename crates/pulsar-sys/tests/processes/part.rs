//! What the children do.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
    process::{Command, ExitCode, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use pulsar_sys::{
    Build, Children, CodeError, CodeOffset, Pid, Signal, SignalError, World,
    boot::{self, BootError, BootSocket},
    descriptors, fault, usage,
};
use serde::{Deserialize, Serialize};

use crate::{parent, template_checks};

/// Longer than any check waits for this child's end.
const LONGEST_LIFE: Duration = Duration::from_secs(120);

/// What the process looked like before the standard library and `main` changed anything.
#[derive(Serialize, Deserialize, Clone)]
pub(crate) struct Early {
    pub(crate) descriptors: Vec<i32>,
    pub(crate) ignored: u64,
    pub(crate) blocked: u64,
    pub(crate) environment: BTreeMap<OsString, OsString>,
}

static EARLY: OnceLock<Early> = OnceLock::new();

impl Early {
    pub(crate) fn note() {
        EARLY.get_or_init(|| Self {
            descriptors: descriptors::open_descriptors().unwrap_or_default(),
            ignored: signal_set("SigIgn:"),
            blocked: signal_set("SigBlk:"),
            environment: std::env::vars_os().collect(),
        });
    }
}

/// A set of signals of this process, bit 0 for signal 1.
pub(crate) fn signal_set(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
}

/// What a child tells about itself.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) early: Early,
    pub(crate) environment_after_take: BTreeMap<OsString, OsString>,
    pub(crate) arguments: Vec<String>,
    pub(crate) program_name: OsString,
    pub(crate) link: i32,
    pub(crate) parent: Pid,
    pub(crate) build: Build,
    pub(crate) is_child: bool,
    pub(crate) link_closes_on_exec: bool,
    pub(crate) link_blocks: bool,
}

/// What became of a world that was applied.
#[derive(Serialize, Deserialize)]
pub(crate) struct Applied {
    pub(crate) world: World,
    pub(crate) warnings: Vec<String>,
    /// The limit that it could raise itself to.
    pub(crate) open_files: u64,
}

/// What became of limits that were raised.
#[derive(Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) oom_before: i32,
    pub(crate) oom_after: i32,
    pub(crate) oom_capped: i32,
    pub(crate) ignored: u64,
    pub(crate) caught: u64,
    pub(crate) name: String,
}

pub(crate) fn play(socket: BootSocket, arguments: &[String]) -> ExitCode {
    let mut link = socket.link;
    let second = arguments.get(1).map(String::as_str).unwrap_or_default();
    match arguments[0].as_str() {
        "exit" => fault::exit(second.parse().unwrap()),
        "fault" => fail(&mut link, second),
        "sleep" => sleep(&mut link),
        "report" => answer(link, &report(socket.parent, arguments)),
        "call" => call(link),
        "apply" => apply(link),
        "limits" => answer(link, &limits()),
        "middle" => middle(&link),
        "orphan-maker" => make_orphan(),
        other => panic!("no part {other}"),
    }
    ExitCode::SUCCESS
}

/// Parts of processes that aren't our children.
pub(crate) fn play_without_link(arguments: &[String]) -> ExitCode {
    match arguments[0].as_str() {
        "stranger" => ExitCode::from(3),
        "take" => match boot::take() {
            Some(Err(error)) => report_boot_error(&error),
            _ => ExitCode::FAILURE,
        },
        "replaced" => replaced(),
        "init" => init(),
        "reuse" => reuse(),
        other => panic!("no part {other}"),
    }
}

/// As PID 1 of a namespace of its own: has the pid of a reaped child given to a stranger, then signals the child.
fn reuse() -> ExitCode {
    const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";
    /// The kernel gives the next pid that is free, so the first try succeeds unless others make processes here.
    const TRIES: usize = 10;
    let mut children = Children::new();
    let pid = parent::start_in(&mut children, &["exit", "0"]).pid;
    parent::await_end(&mut children, pid);
    for _ in 0..TRIES {
        if let Err(error) = fs::write(LAST_PID, (pid.as_raw() - 1).to_string()) {
            eprintln!("skipped: reuse: {LAST_PID} cannot be written: {error}");
            return ExitCode::SUCCESS;
        }
        let mut command = Command::new("cat");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut stranger = piped.spawn().unwrap();
        let is_reused = i32::try_from(stranger.id()) == Ok(pid.as_raw());
        let signalled = is_reused.then(|| children.signal(pid, Signal::Kill));
        // It lives: it repeats what it is told after that, and leaves by itself.
        stranger.stdin.take().unwrap().write_all(b"well").unwrap();
        let output = stranger.wait_with_output().unwrap();
        if let Some(signalled) = signalled {
            let refused = matches!(signalled, Err(SignalError::Reaped { .. }));
            assert!(refused, "{signalled:?}");
            assert!(output.status.success(), "{output:?}");
            assert_eq!(output.stdout, b"well");
            return ExitCode::SUCCESS;
        }
    }
    panic!("pid {pid} was not given again")
}

pub(crate) fn report_boot_error(error: &BootError) -> ExitCode {
    let still_set = std::env::var_os("PULSAR_BOOT").is_some();
    println!("{error:?} set={still_set}");
    ExitCode::from(9)
}

fn fail(link: &mut UnixStream, how: &str) {
    const LIMIT_BYTES: u64 = 64 << 20;
    link.write_all(b"r").unwrap();
    match how {
        "segv" => fault::segv(),
        "abort" => fault::abort(),
        "stack-overflow" => fault::stack_overflow(),
        "stack-overflow-in-thread" => {
            let _never = thread::spawn(|| -> () { fault::stack_overflow() }).join();
        }
        "out-of-memory" => fault::out_of_memory(LIMIT_BYTES),
        "spin" => fault::spin(),
        other => panic!("no fault {other}"),
    }
}

/// Stays alive whatever becomes of the link, but not for ever: a failed check must not leave it behind.
fn sleep(link: &mut UnixStream) {
    link.write_all(b"r").unwrap();
    thread::sleep(LONGEST_LIFE);
}

fn report(parent: Pid, arguments: &[String]) -> Report {
    let early = EARLY.get().unwrap().clone();
    let boot = early.environment.get(&OsString::from("PULSAR_BOOT"));
    let link = boot.and_then(|value| value.to_str()?.split_once(':')?.0.parse().ok());
    let link = link.unwrap();
    let flags = fs::read_to_string(format!("/proc/self/fdinfo/{link}")).unwrap();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
    Report {
        environment_after_take: std::env::vars_os().collect(),
        arguments: arguments.to_vec(),
        program_name: std::env::args_os().next().unwrap(),
        link,
        parent,
        build: Build::current().unwrap(),
        is_child: boot::is_child(),
        link_closes_on_exec: flags & libc::O_CLOEXEC != 0,
        link_blocks: flags & libc::O_NONBLOCK == 0,
        early,
    }
}

/// The type of function that the parent sends.
pub(crate) type Work = fn(u32) -> u32;

fn call(mut link: UnixStream) {
    let offset: CodeOffset = read(&mut link);
    let wrong = offset.resolve::<fn(u64) -> u32>();
    assert!(matches!(wrong, Err(CodeError::WrongSignature { .. })));
    // The same signature at a place that isn't code: the start of the file, where its header lies.
    let bytes = postcard::to_stdvec(&offset).unwrap();
    let (_, signature): (i64, u64) = postcard::from_bytes(&bytes).unwrap();
    let bytes = postcard::to_stdvec(&(0_i64, signature)).unwrap();
    let forged: CodeOffset = pulsar_sys::trusting(|| postcard::from_bytes(&bytes)).unwrap();
    assert!(matches!(
        forged.resolve::<Work>(),
        Err(CodeError::NotInProgram)
    ));
    let function = offset.resolve::<Work>().unwrap();
    answer(link, &function(41));
}

fn apply(mut link: UnixStream) {
    let wanted: World = read(&mut link);
    let warnings = boot::apply(&wanted);
    let open_files = boot::raise_open_files().unwrap();
    let world = World::current().unwrap();
    answer(
        link,
        &Applied {
            world,
            warnings,
            open_files,
        },
    );
}

fn limits() -> Limits {
    let score = || {
        let text = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        text.trim().parse::<i32>().unwrap()
    };
    let oom_before = score();
    boot::raise_oom_score(100).unwrap();
    let oom_after = score();
    boot::raise_oom_score(5_000).unwrap();
    boot::ignore_terminal_signals();
    boot::name_process("a-worker".as_ref()).unwrap();
    Limits {
        oom_before,
        oom_after,
        oom_capped: score(),
        ignored: signal_set("SigIgn:"),
        caught: signal_set("SigCgt:"),
        name: fs::read_to_string("/proc/self/comm").unwrap(),
    }
}

/// Makes a child of its own and passes the link to it upwards: its end tells that the grandchild has died.
fn middle(link: &UnixStream) {
    let grandchild = parent::start(&["sleep"]);
    parent::await_ready(&grandchild.link);
    let pid = grandchild.pid.as_raw().to_le_bytes();
    descriptors::send_with_descriptors(link, &pid, &[grandchild.link.as_fd()]).unwrap();
    loop {
        thread::park();
    }
}

/// Leaves a child behind that ends some time after this process.
#[expect(clippy::zombie_processes, reason = "the orphan is the point")]
fn make_orphan() {
    let program = std::env::current_exe().unwrap();
    Command::new(program)
        .args(["--part", "stranger"])
        .spawn()
        .unwrap();
}

/// Runs from a file that it deletes and replaces, then makes a child.
fn replaced() -> ExitCode {
    let program = std::env::current_exe().unwrap();
    fs::remove_file(&program).unwrap();
    fs::write(&program, "no program").unwrap();
    let child = parent::start(&["report"]);
    let report: Report = read(&mut &child.link);
    let mut children = Children::new();
    children.insert(child.pid);
    parent::await_end(&mut children, child.pid);
    ExitCode::from(u8::from(report.build != Build::current().unwrap()))
}

/// Is PID 1 of a namespace: gets an orphan and must reap it, beside its own child.
fn init() -> ExitCode {
    assert_eq!(Pid::current().as_raw(), 1);
    let mut children = Children::new();
    let child = parent::start(&["orphan-maker"]);
    children.insert(child.pid);
    let mut ended = Vec::new();
    // Until nobody is left at all: no child of ours, no orphan. Each round reaps at least the one that was awaited.
    for _round in 0..2 {
        if parent::await_any() {
            ended.extend(children.reap());
        }
    }
    assert!(!parent::await_any());
    assert_eq!(ended, [(child.pid, pulsar_sys::Exit::Code(0))]);
    template_checks::reap_a_fork_as_a_stranger();
    assert_eq!(usage::processes_below(Pid::current()), []);
    ExitCode::SUCCESS
}

pub(crate) fn read<T: for<'de> Deserialize<'de>>(link: &mut impl Read) -> T {
    let mut bytes = Vec::new();
    link.read_to_end(&mut bytes).unwrap();
    pulsar_sys::trusting(|| postcard::from_bytes(&bytes)).unwrap()
}

pub(crate) fn answer(mut link: UnixStream, value: &impl Serialize) {
    link.write_all(&postcard::to_stdvec(value).unwrap())
        .unwrap();
    link.shutdown(Shutdown::Write).unwrap();
    assert!(link.as_raw_fd() > 2);
}
