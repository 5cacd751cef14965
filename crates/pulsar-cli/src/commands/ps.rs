//! `pulsar ps`.

use clap::Args;
use pulsar_control::{ActorRow, LastExit, printable};
use serde_json::{Map, Value};

use crate::outline::scalar;
use crate::output;
use crate::session::Session;
use crate::table::{Align, Table};
use crate::tree::tree;

/// The most characters of the detail of an exit; `--json` has it whole.
const DETAIL_WIDTH: usize = 40;

const HEADS: [(&str, Align); 15] = [
    ("AID", Align::Left),
    ("NAME", Align::Left),
    ("ROLE", Align::Left),
    ("PLACEMENT", Align::Left),
    ("PID", Align::Right),
    ("STATE", Align::Left),
    ("MONITOR", Align::Left),
    ("UPTIME", Align::Right),
    ("INC", Align::Right),
    ("GEN", Align::Right),
    ("RESTARTS", Align::Right),
    ("LAST EXIT", Align::Left),
    ("RSS", Align::Right),
    ("CPU%", Align::Right),
    ("MBOX", Align::Right),
];

/// List the actors.
#[derive(Debug, Args)]
pub(crate) struct Ps {}

impl Ps {
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<()> {
        let mut client = session.connect().await?;
        if session.json() {
            // As the arbiter sent them: fields that this release does not know are for the reader to judge.
            output::json(&client.request("ps", Map::new()).await?)?;
        } else {
            output::text(&table(&client.ps().await?).to_string())?;
        }
        Ok(())
    }
}

fn table(rows: &[ActorRow]) -> Table {
    let mut table = Table::new(&HEADS);
    for (depth, row) in tree(rows) {
        table.push(cells(depth, row));
    }
    table
}

fn cells(depth: usize, row: &ActorRow) -> Vec<String> {
    let name = if row.name.is_empty() { "-" } else { &row.name };
    vec![
        printable(&row.aid).into_owned(),
        format!("{}{}", "  ".repeat(depth), printable(name)),
        row.role.to_string(),
        row.placement.to_string(),
        or_hyphen(row.pid),
        row.state.to_string(),
        printable(row.monitor.as_deref().unwrap_or("-")).into_owned(),
        uptime(row.uptime_s),
        row.incarnation.to_string(),
        row.generation.to_string(),
        row.restarts.to_string(),
        row.last_exit
            .as_ref()
            .map_or_else(|| "-".to_owned(), last_exit),
        row.rss_bytes.map_or_else(|| "-".to_owned(), bytes),
        row.cpu_percent
            .map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}")),
        row.mailbox_depth.to_string(),
    ]
}

fn or_hyphen(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// The two largest units that are not zero: `4.2s`, `3m05s`, `2h00m`, `5d01h`.
fn uptime(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1}s", seconds.max(0.0));
    }
    // A float beyond the range becomes the largest number, which is fine for so long a life.
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days}d{:02}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h{:02}m", minutes % 60)
    } else {
        format!("{minutes}m{:02}s", seconds % 60)
    }
}

/// In the largest binary unit of which there is at least one.
fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["K", "M", "G", "T"] {
        if amount < 1024.0 {
            break;
        }
        amount /= 1024.0;
        unit = larger;
    }
    format!("{amount:.1}{unit}")
}

/// `Code(3)`, `Signal(9)`, `Normal`.
fn last_exit(exit: &LastExit) -> String {
    let cause = printable(&exit.cause);
    let detail = match &exit.detail {
        Value::Null => return cause.into_owned(),
        Value::Object(fields) => fields
            .get("signal")
            .map_or_else(|| scalar(&exit.detail), scalar),
        other => scalar(other),
    };
    if detail.chars().count() <= DETAIL_WIDTH {
        return format!("{cause}({detail})");
    }
    let start: String = detail.chars().take(DETAIL_WIDTH - 1).collect();
    format!("{cause}({start}…)")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_short() {
        let shown: Vec<_> = [-1.0, 4.21, 59.94, 59.96, 185.0, 7200.0, 435_600.0]
            .map(uptime)
            .into();
        assert_eq!(
            shown,
            ["0.0s", "4.2s", "59.9s", "1m00s", "3m05s", "2h00m", "5d01h"]
        );
        assert!(uptime(f64::INFINITY).ends_with('h'));
    }

    #[test]
    fn sizes_are_short() {
        let shown: Vec<_> = [0, 1023, 1024, 13_000_000, 5 << 30, 3 << 50]
            .map(bytes)
            .into();
        assert_eq!(shown, ["0B", "1023B", "1.0K", "12.4M", "5.0G", "3072.0T"]);
    }

    #[test]
    fn an_exit_fits_in_a_cell() {
        let shown = |cause: &str, detail| {
            last_exit(&LastExit {
                cause: cause.into(),
                detail,
                pid: None,
                stderr: Vec::new(),
            })
        };
        assert_eq!(shown("Normal", Value::Null), "Normal");
        assert_eq!(shown("Code", json!(3)), "Code(3)");
        assert_eq!(
            shown("Signal", json!({"signal": 9, "core_dumped": false})),
            "Signal(9)"
        );
        assert_eq!(
            shown("Panic", json!("a\n\u{1b}[1mb")),
            "Panic(a\\n\\u{1b}[1mb)"
        );
        let long = shown("Panic", json!("x".repeat(100)));
        assert_eq!(long, format!("Panic({}…)", "x".repeat(39)));
    }
}
