//! Findings, shown.

mod number;
mod plot;
mod table;

use crate::finding::Finding;

pub(crate) use plot::plots;
pub(crate) use table::table;

/// As a JSON array.
pub(crate) fn json(findings: &[Finding]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(findings)? + "\n")
}
