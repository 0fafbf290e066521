//! The text as rows of the screen. Pure.
//!
//! Rows are broken after blanks and between wide clusters, within a word only where it fills a row
//! alone. A cluster that is wider than the whole area is shown as `…`, so no row is ever wider than
//! the area.

use std::ops::Range;

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Stands for a cluster that is wider than the area.
const TOO_WIDE: &str = "…";

/// The rows in which a text is shown, and the place of the cursor in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The rows in sight, at least one, none wider than was asked for.
    pub rows: Vec<String>,
    /// The column and the row of the cursor, counted from the first row in sight. It stands on a
    /// cell of the area.
    pub cursor: (u16, u16),
    /// Rows out of sight above the first.
    pub above: usize,
    /// Rows out of sight below the last.
    pub below: usize,
}

/// Returns the rows round `cursor`, as many as there are and at most `rows`, each at most `width`
/// columns wide. Neither is taken to be less than 1.
pub(super) fn layout(text: &str, cursor: usize, width: u16, rows: u16) -> Layout {
    let width = usize::from(width.max(1));
    let most = usize::from(rows.max(1));
    let mut all = wrapped(text, width);
    // The last row that begins at the cursor or before it; the first row begins at 0.
    let mut row = all.partition_point(|range| range.start <= cursor).saturating_sub(1);
    let mut column = shown(&text[all[row].start..cursor], width).map(|(_, wide)| wide).sum::<usize>();
    if column >= width {
        // Behind the end of a full row: the cursor stands at the beginning of the next, which may
        // have to be made for it.
        if all.get(row + 1).is_none_or(|next| next.start != all[row].end) {
            all.insert(row + 1, cursor..cursor);
        }
        (row, column) = (row + 1, 0);
    }
    let above = row.saturating_sub(most / 2).min(all.len().saturating_sub(most));
    let in_sight = &all[above..all.len().min(above + most)];
    Layout {
        rows: in_sight
            .iter()
            .map(|range| shown(&text[range.clone()], width).map(|(cells, _)| cells).collect())
            .collect(),
        cursor: (clamped(column), clamped(row - above)),
        above,
        below: all.len() - above - in_sight.len(),
    }
}

/// Returns whether `cluster` is white space.
pub(super) fn is_blank(cluster: &str) -> bool {
    cluster.chars().all(char::is_whitespace)
}

/// Returns how many columns `text` takes in a row that is wide enough.
pub(super) fn columns(text: &str) -> usize {
    shown(text, usize::MAX).map(|(_, wide)| wide).sum()
}

/// Returns how each cluster of `text` is shown, and how wide that is.
fn shown(text: &str, width: usize) -> impl Iterator<Item = (&str, usize)> {
    text.graphemes(true).map(move |cluster| match cluster {
        "\t" => (" ", 1),
        "\n" => ("", 0),
        cluster => match usize::from(cluster.cell_width()) {
            wide if wide > width => (TOO_WIDE, 1),
            wide => (cluster, wide),
        },
    })
}

/// Returns the bytes of each row; line breaks are in none.
fn wrapped(text: &str, width: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut line_start = 0;
    for line in text.split('\n') {
        wrap(line, line_start, width, &mut rows);
        line_start += line.len() + 1;
    }
    rows
}

fn wrap(line: &str, line_start: usize, width: usize, rows: &mut Vec<Range<usize>>) {
    let (mut start, mut used) = (0, 0);
    // The last place where this row can be broken, and how much of the row lies before it.
    let mut fold = (0, 0);
    let mut at = 0;
    for (cluster, (_, wide)) in line.graphemes(true).zip(shown(line, width)) {
        if wide > 1 {
            fold = (at, used);
        }
        if used + wide > width {
            let (end, before) = if fold.1 > 0 { fold } else { (at, used) };
            rows.push(line_start + start..line_start + end);
            (start, used) = (end, used - before);
            fold = (0, 0);
        }
        at += cluster.len();
        used += wide;
        if wide > 1 || is_blank(cluster) {
            fold = (at, used);
        }
    }
    rows.push(line_start + start..line_start + line.len());
}

fn clamped(cells: usize) -> u16 {
    u16::try_from(cells).unwrap_or(u16::MAX)
}
