//! Lays out rows of cells in aligned columns.

use std::fmt;

/// A table with a head. Cells are plain text of one line.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// On which side a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

#[derive(Debug)]
struct Column {
    head: &'static str,
    align: Align,
    width: usize,
}

impl Table {
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Self {
        let columns = heads
            .iter()
            .map(|&(head, align)| Column {
                head,
                align,
                width: head.len(),
            })
            .collect();
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the last column are dropped.
    pub(crate) fn push(&mut self, cells: Vec<String>) {
        for (column, cell) in self.columns.iter_mut().zip(&cells) {
            column.width = column.width.max(cell.chars().count());
        }
        self.rows.push(cells);
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut line = String::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let padding = " ".repeat(column.width.saturating_sub(cell.chars().count()));
            let (before, after) = match column.align {
                Align::Left => ("", padding.as_str()),
                Align::Right => (padding.as_str(), ""),
            };
            line.extend([before, cell, after]);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The lines, without a newline at the end.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(self.columns.iter().map(|column| column.head)))?;
        for row in &self.rows {
            write!(f, "\n{}", self.line(row.iter().map(String::as_str)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("N", Align::Right),
            ("END", Align::Left),
        ]);
        table.push(vec!["é".into(), "100".into(), String::new()]);
        table.push(vec!["longer".into(), "7".into(), "x".into()]);
        assert_eq!(
            table.to_string(),
            "NAME      N  END\né       100\nlonger    7  x"
        );
    }
}
