//! The layout of the text in rows of the screen. Pure.
//!
//! A row breaks after white space or next to a wide cluster. A word is broken only if it does not
//! fit into a row of its own. A cluster that is wider than the area is shown as `…`, so no row is
//! wider than the area.

use std::ops::Range;

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

/// Replaces a cluster that is wider than the area.
const TOO_WIDE: &str = "…";

/// The visible rows of a text and the position of the cursor in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The visible rows. There is at least one, and none is wider than the requested width.
    pub rows: Vec<String>,
    /// The column and the row of the cursor, counted from the first visible row. The position is
    /// always inside the area.
    pub cursor: (u16, u16),
    /// The number of rows above the first visible one.
    pub above: usize,
    /// The number of rows below the last visible one.
    pub below: usize,
}

/// Returns the rows around `cursor`. There are at most `rows` of them, and each is at most `width`
/// columns wide. A `rows` or `width` of 0 counts as 1.
pub(super) fn layout(text: &str, cursor: usize, width: u16, rows: u16) -> Layout {
    let width = usize::from(width.max(1));
    let most = usize::from(rows.max(1));
    let mut all = wrapped(text, width);
    // The last row that starts at or before the cursor. The first row starts at 0.
    let mut row = all.partition_point(|range| range.start <= cursor).saturating_sub(1);
    let mut column = shown(&text[all[row].start..cursor], width).map(|(_, wide)| wide).sum::<usize>();
    if column >= width {
        // The cursor is after the end of a full row, so it goes to the start of the next row. If
        // there is no such row, insert one.
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

/// Returns the width of `text` in columns, without any wrapping.
pub(super) fn columns(text: &str) -> usize {
    shown(text, usize::MAX).map(|(_, wide)| wide).sum()
}

/// Returns how each cluster of `text` is shown, and its width in columns.
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

/// Returns the byte range of each row. No range contains a line break.
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
    // The last position where this row can be broken, and the width of the row before that
    // position.
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
