//! Children that say another hello than theirs.

use pulsar_testkit::Program;

/// A program that has such children.
const IMPOSTER: &str = env!("CARGO_BIN_EXE_imposter");

#[test]
fn fault_07_a_child_with_another_hello_than_its_own_is_refused_and_others_do_not_notice() {
    let outcome = Program::start(IMPOSTER, &[] as &[&str]).outcome();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let identity = "link closed: hello claims another identity than the one given to this peer";
    let version = "link closed: hello has protocol version 2, this side has 1";
    let build = "link closed: hello comes from another build of the program";
    let expected = [
        ("place", identity),
        ("arbiter", identity),
        ("life", identity),
        ("version", version),
        ("build", build),
        ("twice", "link closed: it said hello twice"),
        ("garbage", "link closed: hello is malformed"),
        ("silence", ""),
    ];
    assert_eq!(outcome.stdout.len(), expected.len() + 1, "{outcome:?}");
    for (line, (kind, why)) in outcome.stdout.iter().zip(expected) {
        assert!(
            line.starts_with(&format!("{kind}: ")) && line.contains(why),
            "{line}"
        );
        assert!(!line.contains("ready"), "{line}");
    }
    // The arbiter, the two that are honest, and one for each name that has become free.
    let actors = format!("{} actors", 3 + expected.len());
    assert_eq!(outcome.stdout.last(), Some(&actors));
}
