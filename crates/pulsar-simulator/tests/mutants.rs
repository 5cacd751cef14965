//! That the simulator finds mistakes: each of these, planted in the policies' source, is caught.
//!
//! A mutant takes about a second, most of it for its build; the whole, on two cores, well under a minute, and
//! half a minute more where the crates of others are not built yet.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs of each mutant. It stops at the first that fails.
const SEEDS: &str = "6000";

/// A mistake.
struct Mutant {
    file: &'static str,
    /// What is written there, once.
    old: &'static str,
    new: &'static str,
}

const fn mutant(file: &'static str, old: &'static str, new: &'static str) -> Mutant {
    Mutant { file, old, new }
}

const MUTANTS: &[Mutant] = &[
    // An ordered group stops all at once.
    mutant(
        "supervision.rs",
        "all_go && (in_any_order || is_last)",
        "all_go && (in_any_order || is_last || index > 0)",
    ),
    // A child begins though the one before it is not ready.
    mutant(
        "supervision.rs",
        "!child.wanted || child.is_ready();",
        "!child.wanted || child.is_alive();",
    ),
    // A child that is restarted alone waits for those before it.
    mutant(
        "supervision.rs",
        "(has_turn || !child.is_in_order())",
        "(has_turn || child.is_alive())",
    ),
    // Who was ready before it went with others begins before its turn.
    mutant(
        "supervision.rs",
        ".for_each(Child::begin_in_order);",
        ".for_each(|_| {});",
    ),
    // Who was never ready begins before its turn, after its first life.
    mutant(
        "child.rs",
        "self.state = State::Alive(Life::default());",
        "self.state = State::Alive(Life::default());\n        self.in_order = false;",
    ),
    // An earlier sibling that dies does not widen the restart.
    mutant("supervision.rs", "Some(from.min(before))", "Some(before)"),
    // One-for-all is rest-for-one.
    mutant(
        "supervision.rs",
        "Shape::Ordered(Strategy::OneForAll) => 0,",
        "Shape::Ordered(Strategy::OneForAll) => index,",
    ),
    // Ends within a restart of several are counted too.
    mutant(
        "supervision.rs",
        "match self.is_restarting(index) {",
        "match false {",
    ),
    // A restart of several does not wait for the delay.
    mutant(
        "supervision.rs",
        "child.is_alive() || child.is_delayed()",
        "child.is_alive()",
    ),
    // The group ends while somebody lives.
    mutant(
        "supervision.rs",
        "Phase::Stopping && self.status.living == 0",
        "Phase::Stopping && self.status.ready == 0",
    ),
    // A group that stops begins new lives.
    mutant(
        "supervision.rs",
        "if self.phase != Phase::Running {\n            return;\n        }\n        if let Some(from)",
        "if let Some(from)",
    ),
    // A pool gives up though somebody only waits.
    mutant(
        "supervision.rs",
        "self.children.iter().all(|child| !child.wanted)",
        "self.children.iter().all(|child| !child.is_alive())",
    ),
    // A temporary child that went for a sibling begins anew.
    mutant(
        "supervision.rs",
        "} else if child.is_temporary() {",
        "} else if child.is_temporary() && self.limits.jitter > 1.0 {",
    ),
    // A place that is given up is filled again.
    mutant("child.rs", "life.is_last = true;", "life.is_last = false;"),
    // Each "ready" counts anew.
    mutant(
        "child.rs",
        "State::Alive(life) if life.ready_since.is_none() => {",
        "State::Alive(life) => {",
    ),
    // Who was asked to stop while it booted has failed to boot.
    mutant(
        "child.rs",
        "life.ready_since.is_none() && !life.is_asked",
        "life.ready_since.is_none()",
    ),
    // It is killed again and again.
    mutant(
        "child.rs",
        "life.kill_at.take_if(|at| *at <= now).is_some()",
        "life.kill_at.is_some_and(|at| at <= now)",
    ),
    // A group that has no boots to fail gives up for who was ready.
    mutant(
        "supervision.rs",
        "self.limits.max_failed_boots.max(1)",
        "self.limits.max_failed_boots",
    ),
    // A group begins with those whom operators had stopped.
    mutant(
        "supervision.rs",
        "for index in stopped {",
        "for index in &stopped[..0] {",
    ),
    // A group that ends does not say so before it has ended.
    mutant(
        "supervision.rs",
        "self.status.stopping = self.phase != Phase::Running;",
        "self.status.stopping = self.phase == Phase::Ended;",
    ),
    // A place is forgotten while somebody lives there.
    mutant(
        "supervision.rs",
        "child.wanted || child.is_alive();",
        "child.wanted;",
    ),
    // Who is wanted again while it stops is not begun again.
    mutant(
        "child.rs",
        "(false, true) => self.wanted = true,",
        "(false, true) => {}",
    ),
    // Who was ready is healthy.
    mutant(
        "child.rs",
        "ready_for.is_some_and(|ready_for| ready_for >= limits.healthy_after)",
        "ready_for.is_some() || limits.jitter > 1.0",
    ),
    // At the very end of the healthy time it is not healthy yet.
    mutant("child.rs", "ready_for >= limits", "ready_for > limits"),
    // A delay varies one way only.
    mutant("backoff.rs", "chance.clamp(-1.0, 1.0)", "chance.abs()"),
    // Delays grow without end.
    mutant("backoff.rs", ".min(limits.max_delay)", ".min(LONGEST)"),
    // Restarts are counted for ever.
    mutant(
        "intensity.rs",
        "is_some_and(is_over)",
        "is_some_and(|at| is_over(at) && limits.jitter > 1.0)",
    ),
    // At the very end of the period a restart still counts.
    mutant("intensity.rs", ">= limits.period", "> limits.period"),
    // One restart more than there may be.
    mutant(
        "intensity.rs",
        "self.restarts.len() >= most",
        "self.restarts.len() > most",
    ),
    // News of earlier lives are taken for those of the present one.
    mutant(
        "roster.rs",
        "place.living == Some(incarnation)",
        "place.living.is_some()",
    ),
    // A new place goes on with the numbers of the old one.
    mutant(
        "roster.rs",
        "*self.place(child) = Place::default();",
        "self.place(child).living = None;",
    ),
    // All lives of a place have one number.
    mutant(
        "roster.rs",
        "self.next = incarnation.next();",
        "self.next = incarnation;",
    ),
    // KILL comes with TERM.
    mutant(
        "oversight.rs",
        "kill_at: now + self.exit_timeout,",
        "kill_at: now + self.exit_timeout / 2,",
    ),
    // A life is over before all that it had sent was read.
    mutant(
        "oversight.rs",
        "true => self.exit.is_some() && self.link_closed,",
        "true => self.exit.is_some(),",
    ),
    // What was killed is killed again.
    mutant(
        "oversight.rs",
        "Phase::Killed { .. } | Phase::Lingering { .. } => Decision::Wait,",
        "Phase::Lingering { .. } => Decision::Wait,",
    ),
    // A silence is held against those whose notifies we have not read.
    mutant(
        "oversight.rs",
        "now > until + HELD_AFTER &&",
        "now > until + HELD_AFTER * 1000 &&",
    ),
    // Who is held again and again never judges.
    mutant(
        "oversight.rs",
        "self.pardons < PARDONS;",
        "self.pardons < PARDONS * 1000;",
    ),
    // One pardon is missing.
    mutant(
        "oversight.rs",
        "self.pardons < PARDONS;",
        "self.pardons + 1 < PARDONS;",
    ),
    // Pardons are counted over the whole life.
    mutant("oversight.rs", "            self.pardons = 0;\n", ""),
    // Who seems silent is judged at once.
    mutant(
        "oversight.rs",
        "return self.doubt(until, now);",
        "return self.silent(until, now);",
    ),
    // Who sleeps is believed for ever.
    mutant(
        "oversight.rs",
        "!asleep || self.sights >= MOST_SIGHTS",
        "!asleep",
    ),
    // One look more is believed than should be.
    mutant(
        "oversight.rs",
        "self.sights >= MOST_SIGHTS",
        "self.sights > MOST_SIGHTS",
    ),
    // Who does not sleep is believed to.
    mutant(
        "oversight.rs",
        "if !asleep || self.sights",
        "if self.sights",
    ),
    // Who sleeps is not taken for heard.
    mutant(
        "oversight.rs",
        "self.sights += 1;\n        self.pardons = 0;\n        self.phase = self.ready(now);",
        "self.sights += 1;",
    ),
    // Looks come half as often.
    mutant(
        "looks.rs",
        "now + self.every.saturating_sub(into_period)",
        "now + self.every * 2 - into_period",
    ),
    // Who was not looked at in time is judged without a look.
    mutant(
        "oversight.rs",
        "Some(_) => Decision::Look,",
        "Some(_) => Decision::Wait,",
    ),
    // Who is heard between the two looks is silent all the same.
    mutant(
        "oversight.rs",
        "matches!(self.phase, Phase::Ready { .. } | Phase::Doubted { .. })",
        "matches!(self.phase, Phase::Ready { .. })",
    ),
    // The second look comes later than it should.
    mutant(
        "oversight.rs",
        "until: now + SECOND_LOOK,",
        "until: now + SECOND_LOOK * 2,",
    ),
    // A last word moves the kill.
    mutant("oversight.rs", "kill_at.min(grace)", "grace"),
    // A timer that comes too early is taken for one that was due.
    mutant(
        "oversight.rs",
        "if self.deadline().is_none_or(|deadline| now < deadline) {",
        "if self.deadline().is_none() {",
    ),
    // Who stops as asked, without a word, has ended by itself.
    mutant(
        "oversight.rs",
        "(Some(Exit::Code(0)), None) if self.stop_asked => Cause::Stopped,",
        "",
    ),
    // A boot that took too long is not called so.
    mutant(
        "oversight.rs",
        "self.verdict = Some(Cause::BootTimeout);",
        "self.verdict = None;",
    ),
    // It is aborted, and then nobody looks after it.
    mutant(
        "oversight.rs",
        "kill_at: now + ABORT_GRACE,",
        "kill_at: now + ABORT_GRACE * 1000,",
    ),
];

/// What the copy runs: all seeds, or up to the first that fails.
const MAIN: &str = r#"//! Runs the seeds.
use std::process::{ExitCode, exit};
use std::time::Duration;

fn main() -> ExitCode {
    // A mutant may run in a circle where the simulator does not see it.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        exit(3);
    });
    let seeds = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let summary = pulsar_simulator::campaign(seeds.unwrap_or(0), true);
    println!("{summary}");
    ExitCode::from(u8::from(summary.failed > 0))
}
"#;

#[test]
fn each_planted_mistake_is_caught() {
    let copy = Copy::make();
    let sound = copy.run("as it is");
    assert_eq!(sound.status.code(), Some(0), "{}", text(&sound));
    let survivors: Vec<String> = MUTANTS
        .iter()
        .filter_map(|mutant| survives(&copy, mutant))
        .collect();
    assert!(
        survivors.is_empty(),
        "not caught:\n{}",
        survivors.join("\n")
    );
}

/// Why a mutant counts as not caught, if it does.
fn survives(copy: &Copy, mutant: &Mutant) -> Option<String> {
    let Mutant { file, old, new } = mutant;
    let path = copy.dir.join("crates/pulsar-policy/src").join(file);
    let source = fs::read_to_string(&path).expect("a file of the policy");
    let found = source.matches(old).count();
    assert_eq!(found, 1, "{file} has changed, so renew its mutant: {old}");
    fs::write(&path, source.replace(old, new)).expect("the copy can be written");
    let output = copy.run(new);
    fs::write(&path, &source).expect("the copy can be written");
    let lines = text(&output);
    let failure = lines.lines().find(|line| line.starts_with("seed "));
    println!("{file}: {new}\n    {}", failure.unwrap_or("nothing found"));
    let is_caught = output.status.code() == Some(1);
    (!is_caught).then(|| format!("{file}: {new} ({})", output.status))
}

/// The policies and the simulator in a workspace of their own, which changes while the real one does not.
struct Copy {
    dir: PathBuf,
}

impl Copy {
    fn make() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().expect("the workspace is there");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
        for name in ["pulsar-policy", "pulsar-simulator"] {
            let (from, to) = (
                root.join("crates").join(name),
                dir.join("crates").join(name),
            );
            drop(fs::remove_dir_all(&to));
            copy_folder(&from.join("src"), &to.join("src"));
            let manifest = fs::copy(from.join("Cargo.toml"), to.join("Cargo.toml"));
            manifest.expect("a crate has a manifest");
        }
        let main = dir.join("crates/pulsar-simulator/src/main.rs");
        fs::write(main, MAIN).expect("the copy can be written");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
        let manifest = workspace(&manifest, &root);
        fs::write(dir.join("Cargo.toml"), manifest).expect("the copy can be written");
        fs::copy(root.join("Cargo.lock"), dir.join("Cargo.lock")).expect("the lock file");
        Self { dir }
    }

    /// Builds and runs it as it is now.
    fn run(&self, what: &str) -> Output {
        let target = self.dir.join("target");
        let build = Command::new(env!("CARGO"))
            .args([
                "build",
                "--offline",
                "--quiet",
                "--package",
                "pulsar-simulator",
            ])
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .output()
            .expect("cargo can be run");
        assert!(build.status.success(), "{what}: {}", text(&build));
        Command::new(target.join("debug/pulsar-simulator"))
            .arg(SEEDS)
            .output()
            .expect("it was built")
    }
}

/// The workspace's manifest with two members, and what they need of the others in its place.
fn workspace(manifest: &str, root: &Path) -> String {
    let (rest, _profiles) = manifest
        .split_once("[profile.")
        .expect("profiles come last");
    let lines = rest.lines().map(|line| {
        if line.starts_with("members =") {
            "members = [\"crates/*\"]".to_owned()
        } else if line.starts_with("default-members =") {
            String::new()
        } else if line.contains("crates/pulsar-policy\"") || line.contains("/pulsar-simulator\"") {
            line.to_owned()
        } else {
            let crates = format!("path = \"{}/crates/", root.display());
            line.replace("path = \"crates/", &crates)
        }
    });
    let profile = "[profile.dev]\ndebug = false\n".to_owned();
    lines.chain([profile]).collect::<Vec<_>>().join("\n")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the copy can be written");
    for entry in fs::read_dir(from).expect("a folder of sources") {
        let path = entry.expect("a file of sources").path();
        let name = path.file_name().expect("a file has a name");
        match path.is_dir() {
            true => copy_folder(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("the copy can be written")),
        }
    }
}

fn text(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr];
    parts.map(|bytes| String::from_utf8_lossy(bytes)).concat()
}
