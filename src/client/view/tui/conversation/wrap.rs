//! From parts of a text to rows of cells: broken at words, measured in grapheme clusters. Pure.

use std::{ops::Range, sync::Arc};

use ratatui::{
    buffer::{Buffer, CellWidth as _},
    layout::Rect,
    style::Style,
};
use unicode_segmentation::UnicodeSegmentation as _;

use super::super::{palette::Palette, styled::Role};
use crate::client::picture::LinkSpan;

/// The widest cluster that is drawn as one; what people write has two columns, or three with a
/// voiced sound mark.
const WIDEST: u16 = 4;

/// Characters that must not begin a row (kinsoku), of scripts that otherwise break anywhere.
const NEVER_FIRST: &str = "、。，．！？：；」』）］｝】〉》〕・ー…ぁぃぅぇぉっゃゅょァィゥェォッャュョ";

/// Some text of one role, where it stands in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) x: u16,
    pub(super) text: String,
    pub(super) role: Role,
}

/// What stands on one line of the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pieces: Vec<Piece>,
    /// Whether it is full, and what stands in it goes on at the left edge of the next.
    pub(super) goes_on: bool,
}

impl Row {
    pub(super) fn of(x: u16, text: impl Into<String>, role: Role) -> Self {
        Self { pieces: vec![Piece { x, text: text.into(), role }], goes_on: false }
    }

    /// Draws the row into the line `y` of `area`, over what is there, in the styles of `palette`
    /// patched with `over`.
    pub(super) fn draw(&self, area: Rect, y: u16, buffer: &mut Buffer, palette: Palette, over: Style) {
        for piece in self.pieces.iter().filter(|piece| piece.x < area.width) {
            let room = usize::from(area.width - piece.x);
            buffer.set_stringn(area.x + piece.x, area.y + y, &piece.text, room, piece.role.style(palette).patch(over));
        }
    }

    /// Returns where in the line `y` of `area` the row has parts of `links`, which are those of the
    /// entry `serial`.
    pub(super) fn links(&self, area: Rect, y: u16, serial: i64, links: &[Arc<str>]) -> impl Iterator<Item = LinkSpan> {
        let pieces = self.pieces.iter().filter(move |piece| !links.is_empty() && piece.x < area.width);
        pieces.filter_map(move |piece| {
            let Role::Connection(number) = piece.role else { return None };
            let text = Arc::clone(links.get(usize::from(number))?);
            let start = area.x + piece.x;
            let wide = u16::try_from(columns(&piece.text)).unwrap_or(u16::MAX);
            let end = start.saturating_add(wide).min(area.right());
            Some(LinkSpan { y: area.y + y, x: start..end, id: (serial, number), text })
        })
    }
}

/// Where text may stand: from the column `first` in its first row and `rest` in the others, up to
/// `width`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margins {
    pub(super) first: u16,
    pub(super) rest: u16,
    pub(super) width: u16,
}

#[derive(Clone, Copy)]
struct Cluster<'a> {
    text: &'a str,
    role: Role,
    width: u16,
}

impl Cluster<'_> {
    fn is_space(&self) -> bool {
        self.text == " "
    }

    /// Returns whether a row may end before this one.
    fn may_begin(&self, before: &Self) -> bool {
        let wide = self.width > 1 || before.width > 1;
        !self.is_space()
            && (before.is_space() || wide && !self.text.chars().next().is_some_and(|c| NEVER_FIRST.contains(c)))
    }
}

/// Appends the rows of `parts` to `rows`; each `\n` begins a new one.
pub(super) fn wrap<'a>(parts: impl IntoIterator<Item = (Role, &'a str)>, margins: Margins, rows: &mut Vec<Row>) {
    let mut line = Vec::new();
    let mut x = margins.first;
    let first = rows.len();
    for (role, text) in parts {
        for (index, text) in text.split('\n').enumerate() {
            if index > 0 {
                wrap_line(&line, x, margins, rows.len() == first, rows);
                line.clear();
                x = margins.rest;
            }
            clusters(text, role, margins, &mut line);
        }
    }
    wrap_line(&line, x, margins, rows.len() == first, rows);
}

/// Returns `text`, which is one line, cut where a row of `width` columns is full.
pub(in super::super) fn cut_rows(text: &str, width: u16) -> Vec<&str> {
    let (mut rows, mut start, mut used) = (Vec::new(), 0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        let wide = columns(cluster);
        if used + wide > usize::from(width) && used > 0 {
            rows.push(&text[start..at]);
            (start, used) = (at, 0);
        }
        used += wide;
    }
    rows.push(&text[start..]);
    rows
}

/// Returns the beginning of `text` that fits `width` columns; where it is not all, it ends in `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut end = 0;
    let mut used = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        let wide = columns(cluster);
        if used + wide > width {
            let mut short = text[..end].to_owned();
            if width > 0 {
                short.push('…');
            }
            return short;
        }
        used += wide;
        // Kept back for the `…`.
        if used < width {
            end = at + cluster.len();
        }
    }
    text.to_owned()
}

/// Returns how many columns `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.graphemes(true).map(|cluster| usize::from(width(cluster))).sum()
}

/// Returns how many columns the screen gives to `cluster`; none to what it does not draw.
fn width(cluster: &str) -> u16 {
    if cluster.contains(char::is_control) { 0 } else { cluster.cell_width() }
}

fn clusters<'a>(text: &'a str, role: Role, margins: Margins, line: &mut Vec<Cluster<'a>>) {
    let room = margins.width.saturating_sub(margins.rest).clamp(1, WIDEST);
    for text in text.graphemes(true) {
        let width = match text {
            "\t" => {
                line.extend([Cluster { text: " ", role, width: 1 }; 4]);
                continue;
            }
            text => width(text),
        };
        // A hundred jamo in one cluster, say, or a screen without any room: what cannot be drawn
        // must not go unseen.
        let (text, width) = if width <= room { (text, width) } else { ("\u{fffd}", 1) };
        line.push(Cluster { text, role, width });
    }
}

/// Appends the rows of `line`. A link that fits no row stands at the left edge with nothing beside
/// it, so that the terminal can go on with it from row to row, and selects it whole; only beside
/// the `first` row of all there may be something.
fn wrap_line(line: &[Cluster<'_>], mut x: u16, margins: Margins, first: bool, rows: &mut Vec<Row>) {
    let width = usize::from(margins.width).max(1);
    let (mut at, mut is_beside) = (0, first && x > 0);
    while let Some(link) = long_link(line, at, margins) {
        let spaces = line[at..link.start].iter().rev().take_while(|cluster| cluster.is_space()).count();
        let before = &line[at..link.start - spaces];
        if is_beside || !before.is_empty() {
            break_line(before, x, margins, rows);
        }
        at = link.end + line[link.end..].iter().take_while(|cluster| cluster.is_space()).count();
        rows.extend(line[link].chunks(width).map(|part| Row { goes_on: true, ..row(part, 0) }));
        rows.iter_mut().next_back().into_iter().for_each(|last| last.goes_on = false);
        (x, is_beside) = (margins.rest, false);
    }
    if at == 0 || at < line.len() {
        break_line(&line[at..], x, margins, rows);
    }
}

/// Returns the next link from `from` on that does not fit between the margins, and can be cut
/// anywhere.
fn long_link(line: &[Cluster<'_>], from: usize, margins: Margins) -> Option<Range<usize>> {
    let room = usize::from(margins.width.saturating_sub(margins.rest));
    let mut start = from;
    while start < line.len() {
        let role = line[start].role;
        let count = line[start..].iter().take_while(|cluster| cluster.role == role).count();
        let run = start..start + count;
        let is_simple = |cluster: &Cluster<'_>| cluster.text.is_ascii() && cluster.width == 1;
        if matches!(role, Role::Connection(_)) && count > room && line[run.clone()].iter().all(is_simple) {
            return Some(run);
        }
        start = run.end;
    }
    None
}

fn break_line(line: &[Cluster<'_>], x: u16, margins: Margins, rows: &mut Vec<Row>) {
    let limit = |x: u16| margins.width.saturating_sub(x).max(1);
    let (mut x, mut start) = (x, 0);
    loop {
        let (mut used, mut end, mut gap) = (0, start, None);
        while end < line.len() && used + line[end].width <= limit(x) {
            if end > start && line[end].may_begin(&line[end - 1]) {
                gap = Some(end);
            }
            used += line[end].width;
            end += 1;
        }
        if end == line.len() {
            rows.push(row(&line[start..], x));
            return;
        }
        let next = if line[end].is_space() {
            end + line[end..].iter().take_while(|cluster| cluster.is_space()).count()
        } else if end > start && line[end].may_begin(&line[end - 1]) {
            end
        } else {
            // What does not fit into a row of its own is cut here as well as there.
            gap.filter(|gap| word_fits(&line[*gap..], limit(margins.rest))).unwrap_or(end)
        };
        let shown = end.min(next);
        let spaces = line[start..shown].iter().rev().take_while(|cluster| cluster.is_space()).count();
        // A line that begins with spaces keeps them.
        let shown = if shown - spaces > start { shown - spaces } else { shown };
        rows.push(row(&line[start..shown], x));
        if next == line.len() {
            return;
        }
        (x, start) = (margins.rest, next);
    }
}

/// Returns whether the word at the beginning of `line` has at most `limit` columns.
fn word_fits(line: &[Cluster<'_>], limit: u16) -> bool {
    let mut used = 0;
    for (index, cluster) in line.iter().enumerate() {
        if cluster.is_space() || index > 0 && cluster.may_begin(&line[index - 1]) {
            break;
        }
        used += cluster.width;
        if used > limit {
            return false;
        }
    }
    true
}

fn row(line: &[Cluster<'_>], mut x: u16) -> Row {
    let mut pieces: Vec<Piece> = Vec::new();
    for cluster in line.iter().filter(|cluster| cluster.width > 0) {
        match pieces.last_mut() {
            Some(last) if last.role == cluster.role => last.text.push_str(cluster.text),
            _ => pieces.push(Piece { x, text: cluster.text.to_owned(), role: cluster.role }),
        }
        x += cluster.width;
    }
    Row { pieces, goes_on: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapped(text: &str, first: u16, rest: u16, width: u16) -> Vec<String> {
        let mut rows = Vec::new();
        wrap([(Role::Text, text)], Margins { first, rest, width }, &mut rows);
        let text = |row: &Row| row.pieces.iter().map(|piece| piece.text.as_str()).collect();
        rows.iter().map(text).collect()
    }

    #[test]
    fn rows_end_between_words() {
        assert_eq!(wrapped("one two three", 0, 0, 8), ["one two", "three"]);
        assert_eq!(wrapped("one two   three", 0, 0, 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 4, 0, 8), ["one", "two", "three"]);
        assert_eq!(wrapped("  a  b\n\n c", 0, 2, 9), ["  a  b", "", " c"]);
        assert_eq!(wrapped("a\tb", 0, 0, 9), ["a    b"]);
    }

    #[test]
    fn what_fits_no_row_is_cut_where_it_stands() {
        assert_eq!(wrapped("ab 0123456789", 0, 2, 8), ["ab 01234", "56789"]);
    }

    #[test]
    fn a_link_that_fits_no_row_stands_alone_at_the_left_edge() {
        let laid = |parts: &[(Role, &str)], first, rest, width| -> Vec<(u16, String, bool)> {
            let mut rows = Vec::new();
            wrap(parts.iter().copied(), Margins { first, rest, width }, &mut rows);
            let text = |row: &Row| row.pieces.iter().map(|piece| piece.text.as_str()).collect::<String>();
            rows.iter().map(|row| (row.pieces.first().map_or(0, |piece| piece.x), text(row), row.goes_on)).collect()
        };
        let row = |x, text: &str, goes_on| (x, text.to_owned(), goes_on);
        let link = (Role::Connection(0), "http://a/0123456789");
        let (before, after) = ((Role::Text, "ab ("), (Role::Text, ") cd"));
        assert_eq!(
            laid(&[before, link, after], 1, 3, 8),
            [
                row(1, "ab (", false),
                row(0, "http://a", true),
                row(0, "/0123456", true),
                row(0, "789", false),
                row(3, ") cd", false)
            ],
        );
        // It fits the screen and not the column of texts; beside the first row of all there may be
        // something.
        assert_eq!(laid(&[link], 1, 3, 19), [row(0, "", false), row(0, "http://a/0123456789", false)]);
        assert_eq!(laid(&[link], 0, 2, 19), [row(0, "http://a/0123456789", false)]);
        assert_eq!(laid(&[(Role::Text, "x\n"), link], 1, 3, 19)[1], row(0, "http://a/0123456789", false));
        // It fits, or cannot be cut anywhere.
        assert_eq!(laid(&[link], 0, 3, 22), [row(0, "http://a/0123456789", false)]);
        assert_eq!(laid(&[(Role::Connection(0), "http://a/学生学生学")], 2, 2, 10)[0], row(2, "http://a", false));
        assert_eq!(cut_rows("ab学c", 3), ["ab", "学c"]);
        assert_eq!((cut_rows("", 3), cut_rows("学a", 1)), (vec![""], vec!["学", "a"]));
    }

    #[test]
    fn wide_characters_end_a_row_anywhere_but_before_punctuation() {
        assert_eq!(wrapped("学生学生。", 0, 0, 8), ["学生学", "生。"]);
        assert_eq!(wrapped("学生ab学生", 0, 0, 7), ["学生ab", "学生"]);
    }

    #[test]
    fn a_cut_is_seen() {
        assert_eq!([cut("hello", 5), cut("hello", 4), cut("学生", 3), cut("x", 0)], ["hello", "hel…", "学…", ""]);
    }

    proptest! {
        #[test]
        fn everything_stands_within_the_margins(
            text in "([a-c é\u{301}\u{200d}\n-]|学|👍🏽|ｶﾞ|한){0,60}", first in 0..12_u16, rest in 0..12_u16, width in 1..20_u16,
        ) {
            let mut rows = Vec::new();
            wrap([(Role::Text, text.as_str())], Margins { first, rest, width }, &mut rows);
            let mut all = String::new();
            for row in &rows {
                for piece in &row.pieces {
                    let fits = usize::from(piece.x) + columns(&piece.text) <= usize::from(width.max(first + 1).max(rest + 1));
                    prop_assert!(fits, "{:?}", rows);
                    all.push_str(&piece.text);
                }
            }
            if rest + 4 <= width {
                let seen = |text: &str| text.graphemes(true).filter(|c| super::width(c) > 0 && *c != " ").collect::<String>();
                prop_assert_eq!(seen(&all), seen(&text));
            }
        }
    }
}
