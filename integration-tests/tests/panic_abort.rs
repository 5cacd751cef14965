//! A program whose panics abort. The test builds it: cargo's own test profile always unwinds.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::Command;

#[test]
fn fault_18_a_panic_that_aborts_the_process_is_told_with_its_message() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panic-abort");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "panic-abort",
            "--profile",
            "abort",
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{errors}");
    let ran = Command::new(target.join("abort/panic-abort"))
        .output()
        .unwrap();
    let (said, errors) = (
        String::from_utf8(ran.stdout).unwrap(),
        String::from_utf8_lossy(&ran.stderr),
    );
    assert_eq!(
        said, "the actor died before it replied: it panicked: out of tea\n",
        "{errors}"
    );
    assert!(ran.status.success(), "{errors}");
}
