//! Cursor motions. Positions are byte offsets in the text, always between two grapheme clusters.
//! Pure.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

use super::layout::{columns, is_blank};

/// A cursor motion. Erase and kill remove the text between the cursor and the target of a motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Motion {
    /// One grapheme cluster.
    Left,
    Right,
    /// To the start or the end of a word. A word is a run of clusters that contain a letter, a
    /// digit or `_`. Clusters between words are skipped.
    WordLeft,
    WordRight,
    /// To the start of the run of clusters that are not white space.
    BlankLeft,
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
}

impl Motion {
    /// Returns the target of this motion from `cursor`.
    pub(super) fn target(self, text: &str, cursor: usize) -> usize {
        let (before, after) = text.split_at(cursor);
        match self {
            Self::Left => before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at),
            Self::Right => cursor + after.graphemes(true).next().map_or(0, str::len),
            Self::WordLeft => run_before(&before[..run_before(before, |cluster| !is_word(cluster))], is_word),
            Self::WordRight => {
                let gap = run_after(after, |cluster| !is_word(cluster));
                cursor + gap + run_after(&after[gap..], is_word)
            }
            Self::BlankLeft => run_before(&before[..run_before(before, is_blank)], |cluster| !is_blank(cluster)),
            Self::LineStart => before.rfind('\n').map_or(0, |at| at + 1),
            Self::LineEnd => after.find('\n').map_or(text.len(), |at| cursor + at),
            Self::TextStart => 0,
            Self::TextEnd => text.len(),
        }
    }
}

fn is_word(cluster: &str) -> bool {
    cluster.contains(|c: char| c.is_alphanumeric() || c == '_')
}

/// Returns the start of the longest run at the end of `text` in which every cluster passes.
fn run_before(text: &str, passes: impl Fn(&str) -> bool) -> usize {
    let run = text.grapheme_indices(true).rev().take_while(|(_, cluster)| passes(cluster));
    run.last().map_or(text.len(), |(at, _)| at)
}

/// Returns the length in bytes of the longest run at the start of `text` in which every cluster
/// passes.
fn run_after(text: &str, passes: impl Fn(&str) -> bool) -> usize {
    text.graphemes(true).take_while(|cluster| passes(cluster)).map(str::len).sum()
}

/// Returns the first cluster boundary at or after `at`. An edit can join the clusters on its two
/// sides, so `at` may be inside a cluster.
pub(super) fn settled(text: &str, at: usize) -> usize {
    let mut place = GraphemeCursor::new(at, text.len(), true);
    // Neither call can fail, because both get the whole text.
    if place.is_boundary(text, 0) == Ok(true) {
        return at;
    }
    place.next_boundary(text, 0).ok().flatten().unwrap_or(text.len())
}

/// Returns the column of `cursor`, counted from the start of its line.
pub(super) fn column(text: &str, cursor: usize) -> usize {
    columns(&text[Motion::LineStart.target(text, cursor)..cursor])
}

/// Returns the position in the line above that is nearest to `column` without exceeding it. Returns
/// `None` in the first line.
pub(super) fn above(text: &str, cursor: usize, column: usize) -> Option<usize> {
    let end = Motion::LineStart.target(text, cursor).checked_sub(1)?;
    Some(at_column(text, Motion::LineStart.target(text, end), end, column))
}

/// Returns the position in the line below that is nearest to `column` without exceeding it. Returns
/// `None` in the last line.
pub(super) fn below(text: &str, cursor: usize, column: usize) -> Option<usize> {
    let start = Motion::LineEnd.target(text, cursor) + 1;
    if start > text.len() {
        return None;
    }
    Some(at_column(text, start, Motion::LineEnd.target(text, start), column))
}

fn at_column(text: &str, start: usize, end: usize, column: usize) -> usize {
    let mut used = 0;
    for (at, cluster) in text[start..end].grapheme_indices(true) {
        used += columns(cluster);
        if used > column {
            return start + at;
        }
    }
    end
}
