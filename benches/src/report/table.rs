//! A group as a table for a terminal, which is Markdown too.

use super::number::number;
use crate::finding::Finding;

const HEADINGS: [&str; 8] = [
    "measure", "ours", "floor", "× floor", "peers", "spread", "goal", "holds",
];

/// The findings of a group.
pub(crate) fn table(group: &str, findings: &[Finding]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(findings.iter().map(row));
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let rule = widths.map(|width| "-".repeat(width));
    rows.insert(1, rule);
    let mut text = format!("\n## {group}\n\n");
    for row in rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

fn row(finding: &Finding) -> [String; 8] {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let unit = match finding.unit {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let peers = finding.peers.iter().filter_map(|(name, value)| {
        let value = (*value)?;
        Some(format!("{name} {}", number(value)))
    });
    let peers: Vec<String> = peers.collect();
    [
        finding.measure.clone(),
        or_dash(finding.ours.map(|ours| number(ours) + &unit)),
        or_dash(finding.floor.map(number)),
        or_dash(finding.ratio_to_floor.map(ratio)),
        peers.join(", "),
        or_dash(
            finding
                .spread
                .map(|spread| format!("{:.0} %", 100.0 * spread)),
        ),
        or_dash(finding.goal.map(str::to_owned)),
        match finding.holds {
            None => "–".to_owned(),
            Some(true) => "yes".to_owned(),
            Some(false) => "no".to_owned(),
        },
    ]
    .map(|cell| cell.trim().to_owned())
}

/// With the interval of the median it would be too wide for a table; that is in the JSON.
fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Values;
    use crate::measure::{Better, Measure};
    use crate::order::Work;

    #[test]
    fn a_table_shows_what_is_there_and_dashes_for_the_rest() {
        let measure = Measure::new("a_p50_us", Work::Ask, "p50_us").peers(&["there", "not"]);
        let values = Values {
            better: Better::Lower,
            ours: vec![Some(1.5)],
            floor: vec![None],
            peers: vec![("there", vec![Some(3.0)]), ("not", vec![None])],
        };
        let text = table("ask", &[Finding::of("ask", &measure, &values)]);
        let last = text.lines().last().unwrap();
        let cells: Vec<&str> = last.split('|').map(str::trim).collect();
        let expected = [
            "",
            "a_p50_us",
            "1.50 µs",
            "–",
            "–",
            "there 3.00",
            "0 %",
            "–",
            "–",
            "",
        ];
        assert_eq!(cells, expected);
    }
}
