//! The command line: the settings of every application and the application's own.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::{ConfigError, Settings};

/// What the command line says.
#[derive(Parser)]
// Without it the help of a user's program would begin with the comment above.
#[command(about = None, long_about = None)]
struct CommandLine<S: Args> {
    #[command(flatten)]
    own: S,
    #[command(flatten)]
    base: Settings,
}

/// What came of it.
pub(crate) enum Parsed<S> {
    /// Go on with these.
    Settings(Settings, S),
    /// Print this on stdout and end with exit code 0: help or version.
    Print(String),
}

/// Reads a command line, its first word the program.
///
/// # Errors
///
/// One line that names the flag or variable.
pub(crate) fn parse<S: Args>(words: Vec<OsString>) -> Result<Parsed<S>, ConfigError> {
    let program = program_name(&words);
    let command = CommandLine::<S>::command().bin_name(program);
    let matches = command.try_get_matches_from(words);
    match matches.and_then(|matches| CommandLine::<S>::from_arg_matches(&matches)) {
        Ok(line) => Ok(Parsed::Settings(line.base, line.own)),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Parsed::Print(help(&error))),
            _ => Err(ConfigError::line(one_line(&error))),
        },
    }
}

/// The text as a terminal shows it, or as a file should hold it.
fn help(error: &clap::Error) -> String {
    match std::io::stdout().is_terminal() {
        true => error.render().ansi().to_string(),
        false => error.render().to_string(),
    }
}

/// The last part of the program's path.
pub(crate) fn program_name(words: &[OsString]) -> String {
    let file = words.first().and_then(|word| Path::new(word).file_name());
    file.map_or_else(
        || "pulsar".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// The first line of a message that goes on to explain itself.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoSettings;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn error_of(line: &str) -> String {
        match parse::<NoSettings>(words(line)) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("accepted: {line}"),
        }
    }

    #[test]
    fn a_wrong_flag_or_value_is_one_line_that_names_it() {
        let cases = [
            ("/bin/app --wrokers 2", "--wrokers"),
            ("app --workers 0", "--workers"),
            ("app --workers x", "--workers"),
            ("app --concurrency fibre", "--concurrency"),
            ("app --timeout 0.2", "--timeout"),
            ("app --exit-timeout -1", "--exit-timeout"),
            ("app --log-level a=b=c", "--log-level"),
        ];
        for (line, names) in cases {
            let error = error_of(line);
            assert!(error.contains(names), "{line}: {error}");
            assert!(
                !error.contains('\n') && !error.starts_with("error"),
                "{line}: {error}"
            );
        }
    }

    #[test]
    fn settings_are_read_and_help_is_printed() {
        match parse::<NoSettings>(words("app --workers 3 --concurrency thread")) {
            Ok(Parsed::Settings(base, NoSettings {})) => {
                assert_eq!(base.workers(), 3);
                assert_eq!(base.concurrency, crate::Concurrency::Thread);
            }
            _ => panic!("not read"),
        }
        match parse::<NoSettings>(words("/x/app --help")) {
            Ok(Parsed::Print(help)) => assert!(help.contains("--workers"), "{help}"),
            _ => panic!("no help"),
        }
    }
}
