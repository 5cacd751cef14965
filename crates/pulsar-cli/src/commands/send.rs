//! `pulsar send`.

use clap::Args;
use pulsar_control::printable;
use serde_json::Value;

use crate::output;
use crate::session::Session;

/// Send a command to an actor and print its reply.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The actor's id or name.
    target: String,
    /// The command's name.
    command: String,
    /// Its arguments, each JSON; a word that is no JSON is taken as a string.
    #[arg(value_name = "JSON", allow_negative_numbers = true)]
    args: Vec<String>,
}

impl Send {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let args = self.args.into_iter().map(argument).collect();
        let reply = session
            .connect()
            .await?
            .send(&self.target, &self.command, args)
            .await?;
        match &reply {
            reply if session.json() => output::json(reply)?,
            Value::String(text) => output::text(&bare(text))?,
            reply => output::pretty(reply)?,
        }
        Ok(())
    }
}

fn argument(word: String) -> Value {
    serde_json::from_str(&word).unwrap_or(Value::String(word))
}

/// A text with its own lines, and each of them printable.
fn bare(text: &str) -> String {
    text.split('\n')
        .map(printable)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_that_is_no_json_is_a_string() {
        let words = [
            "7",
            "-1.5",
            "true",
            "null",
            "\"7\"",
            "{\"a\":[1]}",
            "hello",
            "{a}",
            "",
            "1 2",
        ];
        let values = words.map(|word| argument(word.to_owned()));
        let expected = [
            json!(7),
            json!(-1.5),
            json!(true),
            json!(null),
            json!("7"),
            json!({"a": [1]}),
            json!("hello"),
            json!("{a}"),
            json!(""),
            json!("1 2"),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn a_bare_reply_keeps_its_lines_only() {
        assert_eq!(bare("a\n\u{1b}[1mb\r\n"), "a\n\\u{1b}[1mb\\r\n");
    }
}
