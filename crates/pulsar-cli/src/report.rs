//! Says what failed.

use std::io::{self, Write};
use std::process::ExitCode;

use pulsar_control::{ClientError, printable};
use serde_json::json;

use crate::output;

/// Writes one line to stderr and gives the exit code. A reader of stdout that has left is no failure: there
/// is nobody to tell.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    if error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    {
        return ExitCode::SUCCESS;
    }
    // Where stderr is closed too, the exit code has to do.
    let _ = writeln!(io::stderr().lock(), "{}", line(error, json));
    ExitCode::FAILURE
}

fn line(error: &anyhow::Error, json: bool) -> String {
    let message = error.to_string();
    if json {
        let kind = error
            .downcast_ref::<ClientError>()
            .map_or("failed", ClientError::kind);
        output::safe(&json!({"error": {"kind": kind, "message": message}}).to_string())
    } else {
        format!("pulsar: {}", printable(&message))
    }
}

#[cfg(test)]
mod tests {
    use pulsar_control::Failure;

    use super::*;

    #[test]
    fn a_failure_is_one_line_without_escapes() {
        let error = ClientError::from(Failure::new("k", "two\nlines \u{1b}[31m")).into();
        assert_eq!(line(&error, false), "pulsar: two\\nlines \\u{1b}[31m");
        assert_eq!(
            line(&error, true),
            r#"{"error":{"kind":"k","message":"two\nlines \u001b[31m"}}"#
        );
    }
}
