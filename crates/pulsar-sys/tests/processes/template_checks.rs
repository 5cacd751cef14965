//! Children that are forked from a template.

use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::{IntoRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use pulsar_sys::{
    Children, Exit, Pid, Signal,
    boot::{self, SingleThread},
    descriptors,
    exec::ExecSpec,
    template::{self, Answer, Answers, Seat, Served, Template, TemplateError, Ticket},
    usage,
};
use serde::{Deserialize, Serialize};

use crate::{
    Check,
    parent::{await_end, await_zombie, environment},
    part,
};

/// The check of the template that the program forks.
pub(crate) const OF_A_FORKED_ONE: &str = "a_fork_is_a_child_of_who_asks_and_its_exit_is_learnt";

pub(crate) const CHECKS: &[Check] = &[
    (
        OF_A_FORKED_ONE,
        a_fork_is_a_child_of_who_asks_and_its_exit_is_learnt,
    ),
    (
        "a_fork_begins_as_clean_as_a_child_by_exec",
        a_fork_begins_as_clean_as_a_child_by_exec,
    ),
    (
        "requests_that_were_sent_together_are_each_answered",
        requests_that_were_sent_together_are_each_answered,
    ),
    (
        "a_template_that_is_killed_takes_none_of_its_forks_along",
        a_template_that_is_killed_takes_none_of_its_forks_along,
    ),
    (
        "a_template_ends_when_nobody_asks_any_more",
        a_template_ends_when_nobody_asks_any_more,
    ),
    (
        "what_a_template_made_and_did_not_tell_is_found",
        what_a_template_made_and_did_not_tell_is_found,
    ),
    (
        "a_fork_that_ended_before_it_was_known_is_learnt",
        a_fork_that_ended_before_it_was_known_is_learnt,
    ),
    (
        "a_process_with_threads_is_no_template",
        a_process_with_threads_is_no_template,
    ),
    (
        "what_a_template_has_begun_for_its_forks_each_has_for_itself",
        what_a_template_has_begun_for_its_forks_each_has_for_itself,
    ),
];

/// The code with which a fork ends whose link has ended.
const LINK_ENDED: u8 = 7;
/// A variable for which the template makes room.
const RESERVED: &str = "RESERVED";
/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// That which the program has forked while it had one thread.
static FORKED: Mutex<Option<Template>> = Mutex::new(None);

pub(crate) fn keep(template: Template) {
    *FORKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(template);
}

/// What a fork tells of itself.
#[derive(Serialize, Deserialize)]
struct Report {
    pid: Pid,
    parent: Pid,
    arguments: String,
    environment: String,
    descriptors: Vec<i32>,
    stdin: String,
    ignored: u64,
    blocked: u64,
    /// What the reserved variable holds.
    reserved: String,
    /// The sockets that it has of what the template has begun.
    pair: Vec<String>,
}

/// The numbers of the pair that the template has begun with.
static PAIR: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// The template's part, and that of its forks.
pub(crate) fn serve(seat: Result<Seat, TemplateError>) -> ExitCode {
    boot::reserve_variable(RESERVED.as_ref()).unwrap();
    let begun = seat.and_then(|mut seat| seat.begin_for_clones(begin).map(|()| seat));
    match begun.and_then(Seat::serve) {
        Ok(Served::Child(socket, alone)) => play(socket.link, &alone),
        Ok(Served::Over) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Leaves a pair open, as an event loop does.
fn begin() -> std::io::Result<()> {
    let (one, other) = UnixStream::pair()?;
    let numbers = [one, other].map(|end| OwnedFd::from(end).into_raw_fd());
    PAIR.lock().unwrap().extend(numbers);
    Ok(())
}

fn play(mut link: UnixStream, alone: &SingleThread) -> ExitCode {
    let mut byte = [0];
    let value = Pid::current().to_string();
    assert!(alone.set_reserved(value.as_ref()));
    assert!(!alone.set_reserved("v".repeat(1_000).as_ref()));
    while link.read(&mut byte).unwrap() == 1 {
        boot::retitle(&["it".as_ref(), "[a fork]".as_ref()], &["MARK=1".as_ref()]).unwrap();
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap();
        let report = Report {
            pid: Pid::current(),
            parent: Pid::parent().unwrap(),
            arguments: read("cmdline"),
            environment: read("environ"),
            descriptors: descriptors::open_descriptors().unwrap(),
            stdin: fs::read_link("/proc/self/fd/0")
                .unwrap()
                .display()
                .to_string(),
            ignored: part::signal_set("SigIgn:"),
            blocked: part::signal_set("SigBlk:"),
            reserved: std::env::var(RESERVED).unwrap(),
            pair: pair_here(),
        };
        link.write_all(&postcard::to_stdvec(&report).unwrap())
            .unwrap();
    }
    ExitCode::from(LINK_ENDED)
}

fn pair_here() -> Vec<String> {
    let numbers = PAIR.lock().unwrap();
    let link = |number| fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
    numbers
        .iter()
        .map(|number| link(number).display().to_string())
        .collect()
}

/// One who asks a template.
struct Asker {
    template: Template,
    answers: Answers,
    came: Vec<Answer>,
}

impl Asker {
    fn of(template: Template) -> Self {
        template.control.set_nonblocking(false).unwrap();
        template.control.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut asker = Self {
            template,
            answers: Answers::default(),
            came: Vec::new(),
        };
        assert_eq!(asker.answer(), Some(Answer::Serves));
        asker
    }

    /// A template of the check's own.
    fn executed() -> Self {
        let spec = ExecSpec {
            environment: environment(),
            program_name: "a template".into(),
            arguments: Vec::new(),
            pipes_stderr: false,
        };
        Self::of(template::execute(&spec).unwrap())
    }

    /// `None` at the end.
    fn answer(&mut self) -> Option<Answer> {
        while self.came.is_empty() {
            let is_there = self.answers.read(&self.template.control, &mut self.came);
            if !is_there.unwrap() {
                return None;
            }
        }
        Some(self.came.remove(0))
    }

    fn ask(&self) -> UnixStream {
        let ticket = Ticket::new(false).unwrap();
        ticket.send(&self.template.control).unwrap();
        let (link, _) = ticket.into_ends();
        link.set_nonblocking(false).unwrap();
        link.set_read_timeout(Some(PATIENCE)).unwrap();
        link
    }

    fn fork(&mut self, children: &mut Children) -> (Pid, UnixStream) {
        children.expect();
        let link = self.ask();
        let Some(Answer::Made(pid)) = self.answer() else {
            panic!("no fork");
        };
        assert_eq!(children.insert_expected(pid), None);
        (pid, link)
    }

    fn end(self) {
        let mut children = Children::new();
        children.insert(self.template.pid);
        let pid = self.template.pid;
        drop(self);
        assert_eq!(await_end(&mut children, pid), Exit::Code(0));
    }
}

fn report(mut link: &UnixStream) -> Report {
    link.write_all(b"r").unwrap();
    let mut bytes = [0; 4_096];
    let read = link.read(&mut bytes).unwrap();
    postcard::from_bytes(&bytes[..read]).unwrap()
}

fn a_fork_is_a_child_of_who_asks_and_its_exit_is_learnt() {
    let template = FORKED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut asker = Asker::of(template.unwrap());
    let mut children = Children::new();
    let (pid, link) = asker.fork(&mut children);
    let report = report(&link);
    assert_eq!((report.pid, report.parent), (pid, Pid::current()));
    drop(link);
    assert_eq!(await_end(&mut children, pid), Exit::Code(LINK_ENDED.into()));
    asker.end();
}

fn a_fork_begins_as_clean_as_a_child_by_exec() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    let (pid, link) = asker.fork(&mut children);
    let report = report(&link);
    assert_eq!(report.arguments, "it\0[a fork]\0");
    assert_eq!(report.environment, "MARK=1\0");
    // The standard three, its link, and what the template has begun.
    assert_eq!(report.descriptors.len(), 6, "{:?}", report.descriptors);
    assert_eq!(report.stdin, "/dev/null");
    // Rust's own start ignores PIPE.
    let pipe = 1 << (libc::SIGPIPE - 1);
    assert_eq!((report.ignored & !pipe, report.blocked), (0, 0));
    let name = |pid: Pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(name(asker.template.pid).ends_with("\0[pulsar template]\0"));
    drop(link);
    await_end(&mut children, pid);
    asker.end();
}

fn requests_that_were_sent_together_are_each_answered() {
    const FORKS: usize = 20;
    let mut asker = Asker::executed();
    let mut children = Children::new();
    let links: Vec<_> = (0..FORKS).map(|_| asker.ask()).collect();
    for link in links {
        let Some(Answer::Made(pid)) = asker.answer() else {
            panic!("no fork");
        };
        children.insert(pid);
        // In the order of the requests.
        assert_eq!(report(&link).pid, pid);
        drop(link);
        await_end(&mut children, pid);
    }
    asker.end();
}

fn a_template_that_is_killed_takes_none_of_its_forks_along() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    let (pid, link) = asker.fork(&mut children);
    let template = asker.template.pid;
    children.insert(template);
    children.signal(template, Signal::Kill).unwrap();
    let killed = await_end(&mut children, template);
    assert!(matches!(killed, Exit::Signal { signal: 9, .. }));
    assert_eq!(asker.answer(), None);
    assert_eq!(report(&link).pid, pid);
    drop(link);
    assert_eq!(await_end(&mut children, pid), Exit::Code(LINK_ENDED.into()));
}

fn a_template_ends_when_nobody_asks_any_more() {
    let asker = Asker::executed();
    let mut children = Children::new();
    let pid = asker.template.pid;
    children.insert(pid);
    template::dismiss(&asker.template.control).unwrap();
    assert_eq!(await_end(&mut children, pid), Exit::Code(0));
}

fn what_a_template_made_and_did_not_tell_is_found() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    let template = asker.template.pid;
    children.insert(template);
    let (known, _link) = asker.fork(&mut children);
    let lost = asker.ask();
    // It has begun, so that it was made.
    let pid = {
        let mut link = &lost;
        link.write_all(b"r").unwrap();
        let mut bytes = [0; 4_096];
        let read = link.read(&mut bytes).unwrap();
        postcard::from_bytes::<Report>(&bytes[..read]).unwrap().pid
    };
    assert_eq!(template::strays(&children), [pid]);
    children.insert(pid);
    assert_eq!(template::strays(&children), []);
    for pid in [pid, known, template] {
        children.signal(pid, Signal::Kill).unwrap();
        await_end(&mut children, pid);
    }
}

fn a_fork_that_ended_before_it_was_known_is_learnt() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    children.expect();
    drop(asker.ask());
    let Some(Answer::Made(pid)) = asker.answer() else {
        panic!("no fork");
    };
    await_zombie(pid);
    assert_eq!(children.reap(), [], "it is not known yet");
    let exit = children.insert_expected(pid);
    assert_eq!(exit, Some(Exit::Code(LINK_ENDED.into())));
    assert!(children.is_empty() && usage::parent_of(pid).is_none());
    asker.end();
}

fn a_process_with_threads_is_no_template() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = thread::spawn(move || stopped.recv());
    let refused = template::fork();
    assert!(matches!(refused, Err(TemplateError::Threads(_))));
    drop(stop);
    assert!(thread.join().unwrap().is_err());
}

fn what_a_template_has_begun_for_its_forks_each_has_for_itself() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    let of_template: Vec<_> = fs::read_dir(format!("/proc/{}/fd", asker.template.pid))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap())
        .map(|link| link.display().to_string())
        .collect();
    let mut all = of_template.clone();
    for _ in 0..2 {
        let (pid, link) = asker.fork(&mut children);
        let report = report(&link);
        assert_eq!(report.reserved, pid.to_string());
        assert_eq!(report.pair.len(), 2);
        for socket in report.pair {
            assert!(socket.starts_with("socket:"), "{socket}");
            assert!(!all.contains(&socket), "{socket} is another's");
            all.push(socket);
        }
        drop(link);
        await_end(&mut children, pid);
    }
    asker.end();
}

/// As PID 1, which reaps strangers: a fork that is not known yet is one.
pub(crate) fn reap_a_fork_as_a_stranger() {
    let mut asker = Asker::executed();
    let mut children = Children::new();
    children.insert(asker.template.pid);
    children.expect();
    drop(asker.ask());
    let Some(Answer::Made(pid)) = asker.answer() else {
        panic!("no fork");
    };
    await_zombie(pid);
    assert_eq!(children.reap(), []);
    assert_eq!(usage::parent_of(pid), None, "it is reaped");
    let exit = children.insert_expected(pid);
    assert_eq!(exit, Some(Exit::Code(LINK_ENDED.into())));
    asker.end();
}
