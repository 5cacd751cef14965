//! Lays out a JSON object for people.

use pulsar_control::printable;
use serde_json::{Map, Value};

use crate::output;

/// `value` with one field a line, inner objects indented below their name. Without a newline at the end.
pub(crate) fn outline(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let mut lines = Vec::new();
            // The depth is bounded: the reader of JSON refuses more than 128 levels.
            section(fields, "", &mut lines);
            lines.join("\n")
        }
        other => scalar(other),
    }
}

fn section(fields: &Map<String, Value>, indent: &str, lines: &mut Vec<String>) {
    let names: Vec<_> = fields.keys().map(|name| printable(name)).collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in names.iter().zip(fields.values()) {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push(format!("{indent}{name}"));
                section(inner, &format!("{indent}  "), lines);
            }
            other => lines.push(format!("{indent}{name:width$}  {}", scalar(other))),
        }
    }
}

/// `value` in one line: a string bare, null as a hyphen, anything else as JSON.
pub(crate) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text).into_owned(),
        other => output::safe(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_indented_and_values_aligned() {
        let value =
            json!({"actor": {"name": "w\u{1b}b", "state": "running"}, "extra": {}, "lag": null});
        assert_eq!(
            outline(&value),
            "actor\n  name   w\\u{1b}b\n  state  running\nextra  {}\nlag    -"
        );
        assert_eq!(outline(&json!([1, "a"])), "[1,\"a\"]");
    }
}
