//! The results: tables for people, and one file for a plot.

use std::fmt::Write as _;

/// The figures so far.
pub(crate) struct Report {
    is_quick: bool,
    only: Option<String>,
    /// Whether any table was requested.
    has_any: bool,
    csv: String,
}

/// The content of a table cell.
pub(crate) type Cell = String;

impl Report {
    pub(crate) fn new(is_quick: bool, only: Option<String>) -> Self {
        Self { is_quick, only, has_any: false, csv: "table,row,figure,value\n".to_owned() }
    }

    /// Returns the first value for a full measurement, the second for a quick one.
    pub(crate) fn choose<T>(&self, whole: T, quick: T) -> T {
        if self.is_quick { quick } else { whole }
    }

    /// Returns whether the table with this title was requested.
    pub(crate) fn wants(&mut self, title: &str) -> bool {
        let wants = self.only.as_ref().is_none_or(|only| title.contains(only.as_str()));
        self.has_any |= wants;
        wants
    }

    /// Returns the requested title, if no table contains it.
    pub(crate) fn unknown(&self) -> Option<&str> {
        self.only.as_deref().filter(|_| !self.has_any)
    }

    /// Begins a table.
    pub(crate) fn table(title: &str, columns: &[&str]) {
        println!("\n{title}");
        Self::row("", &columns.iter().map(ToString::to_string).collect::<Vec<_>>());
    }

    /// Adds a row to the table.
    pub(crate) fn row(name: &str, cells: &[Cell]) {
        let cells = cells.iter().fold(String::new(), |mut line, cell| {
            // Cannot fail: it writes to a String.
            let _ = write!(line, "{cell:>16}");
            line
        });
        println!("{name:<34}{cells}");
    }

    /// Keeps a figure for the plot.
    pub(crate) fn keep(&mut self, table: &str, row: &str, figure: &str, value: f64) {
        // Cannot fail: it writes to a String.
        let _ = writeln!(self.csv, "\"{table}\",\"{row}\",{figure},{value}");
    }

    /// Returns all figures that were kept.
    pub(crate) fn csv(&self) -> &str {
        &self.csv
    }
}

/// Returns the median, or 0 for no values.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// Returns the percentile, or 0 for no values.
pub(crate) fn percentile(values: &[f64], hundredths: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Returns a count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "a rate is read by people")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
