//! A group as a drawing: for each measure a bar for each contender, on a logarithmic scale.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;

use super::number::number;
use crate::finding::Finding;
use crate::measure::{Better, FLOOR, OURS};

const WIDTH: f64 = 760.0;
const NAMES: f64 = 130.0;
const VALUES: f64 = 90.0;
const BAR: f64 = 16.0;
const HEADING: f64 = 30.0;
const MARGIN: f64 = 12.0;
/// A bar of the smallest value is still seen.
const SHORTEST: f64 = 0.04;

/// Draws each group into `folder`: `GROUP.svg`.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn plots(folder: &Path, findings: &[Finding]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    for group in findings.chunk_by(|one, other| one.group == other.group) {
        let file = folder.join(format!("{}.svg", group[0].group));
        fs::write(&file, svg(group))
            .with_context(|| format!("failed to write {}", file.display()))?;
    }
    Ok(())
}

fn svg(findings: &[Finding]) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for finding in findings {
        y = draw(&mut body, y, finding);
    }
    let height = y + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Draws a measure from `y` downwards; where the next one begins.
fn draw(body: &mut String, y: f64, finding: &Finding) -> f64 {
    let bars = bars(finding);
    let better = match finding.better {
        Better::Lower => "shorter is better",
        Better::Higher => "longer is better",
    };
    let heading = format!("{} [{}], {better}", finding.measure, finding.unit);
    text(
        body,
        (MARGIN, y + 18.0),
        "start",
        &format!("<tspan font-weight=\"bold\">{heading}</tspan>"),
    );
    let mut y = y + HEADING;
    let positive = bars
        .iter()
        .map(|(_, value)| value.ln())
        .filter(|log| log.is_finite());
    let (low, high) = positive.fold((f64::MAX, f64::MIN), |(low, high), log| {
        (low.min(log), high.max(log))
    });
    for (name, value) in &bars {
        let part = match value.ln() {
            log if log.is_finite() && high > low => {
                SHORTEST + (1.0 - SHORTEST) * (log - low) / (high - low)
            }
            log if log.is_finite() => 1.0,
            _ => 0.0,
        };
        let width = part * (WIDTH - NAMES - VALUES - 2.0 * MARGIN);
        let fill = match *name {
            OURS => "#1f6feb",
            FLOOR => "#8b949e",
            _ => "#d0d7de",
        };
        let x = MARGIN + NAMES;
        text(body, (x - 6.0, y + 12.0), "end", name);
        let height = BAR - 3.0;
        // Writing into a string cannot fail.
        let _ = writeln!(
            body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{fill}\"/>"
        );
        text(body, (x + width + 6.0, y + 12.0), "start", &number(*value));
        y += BAR;
    }
    y + MARGIN
}

fn bars(finding: &Finding) -> Vec<(&'static str, f64)> {
    let own = [(FLOOR, finding.floor), (OURS, finding.ours)];
    let peers = finding.peers.iter().map(|(name, value)| (*name, *value));
    own.into_iter()
        .chain(peers)
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, content: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{content}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Values;
    use crate::measure::Measure;
    use crate::order::Work;

    #[test]
    fn a_plot_has_a_bar_for_each_contender_that_is_there() {
        let measure = Measure::new("a_p50_us", Work::Ask, "p50_us").peers(&["there", "not"]);
        let values = Values {
            better: Better::Lower,
            ours: vec![Some(1.5)],
            floor: vec![Some(0.1)],
            peers: vec![("there", vec![Some(3.0)]), ("not", vec![None])],
        };
        let drawing = svg(&[Finding::of("ask", &measure, &values)]);
        assert_eq!(drawing.matches("<rect x=").count(), 3);
        for part in [
            "a_p50_us [µs], shorter is better",
            ">there<",
            ">1.50<",
            ">0.100<",
        ] {
            assert!(drawing.contains(part), "{part}");
        }
        assert!(!drawing.contains(">not<"));
    }
}
