//! Real children, real signals: this program is its own child.
//!
//! It has no test harness, as [`boot::take`] must come before any thread. Started by [`exec::spawn`] it plays the part
//! that its first argument names (`part`); started by hand with `--part` it plays one that needs no link; else it
//! is the parent and runs the checks. It obeys a name filter and `--list`, and closes, as a test harness does: whoever
//! counts tests reads that.

#![expect(
    clippy::unwrap_used,
    reason = "all of it is a test, which the lint can't see without a harness"
)]

mod boot_checks;
mod death_checks;
mod parent;
mod part;
mod template_checks;

use std::{
    panic,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use pulsar_sys::{
    boot, entry,
    template::{self, Side},
};

/// More than all checks take together on a slow machine; a hanging one must not hang the build.
const WATCHDOG: Duration = Duration::from_secs(240);

pulsar_sys::before_main!(note);

extern "C" fn note() {
    part::Early::note();
}

type Check = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = entry::arguments()
        .into_iter()
        .filter_map(|argument| argument.into_string().ok())
        .collect();
    if arguments
        .get(1)
        .is_some_and(|first| first == "--threaded-part")
    {
        thread::spawn(thread::park);
        return part::play_without_link(&arguments[2..]);
    }
    match boot::take() {
        Some(Ok(socket)) if socket.errand == boot::Errand::Template => {
            return template_checks::serve(template::Seat::of(socket));
        }
        Some(Ok(socket)) => return part::play(socket, &arguments[1..]),
        Some(Err(error)) => return part::report_boot_error(&error),
        None => {}
    }
    if arguments.get(1).is_some_and(|first| first == "--part") {
        return part::play_without_link(&arguments[2..]);
    }
    let asked = arguments.get(1..).unwrap_or_default();
    let filter = asked.iter().find(|asked| !asked.starts_with('-'));
    let (wanted, others): (Vec<Check>, Vec<Check>) = [
        // First, as the others count all children.
        template_checks::CHECKS,
        boot_checks::CHECKS,
        death_checks::CHECKS,
    ]
    .concat()
    .into_iter()
    .partition(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())));
    if asked.iter().any(|asked| asked == "--list") {
        return list(&wanted);
    }
    // While there is one thread.
    if wanted
        .iter()
        .any(|(name, _)| *name == template_checks::OF_A_FORKED_ONE)
    {
        match template::fork() {
            Ok(Side::Parent(template)) => template_checks::keep(template),
            Ok(Side::Template(seat)) => return template_checks::serve(Ok(seat)),
            Err(error) => eprintln!("no template: {error}"),
        }
    }
    run_checks(&wanted, others.len())
}

fn list(checks: &[Check]) -> ExitCode {
    for (name, _) in checks {
        println!("{name}: test");
    }
    println!("\n{} tests, 0 benchmarks", checks.len());
    ExitCode::SUCCESS
}

fn run_checks(checks: &[Check], filtered_out: usize) -> ExitCode {
    let begun = Instant::now();
    parent::prepare();
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        eprintln!("the checks take longer than {WATCHDOG:?}");
        std::process::exit(1);
    });
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in checks {
        let result = panic::catch_unwind(check);
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("test {name} ... {word}");
        *(if result.is_ok() {
            &mut passed
        } else {
            &mut failed
        }) += 1;
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered_out} filtered out; \
         finished in {:.2}s",
        begun.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(failed != 0))
}
