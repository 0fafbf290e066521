//! What the screen shows and what it is to show next, and the bytes between the two. No terminal:
//! bytes come out, somebody else writes them.

use std::{io, ops::Range};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    style::ResetColor,
    terminal::{BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate},
};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::{Buffer, Cell},
    layout::{Position, Rect, Size},
};
use unicode_width::UnicodeWidthStr as _;

use super::osc;
use crate::client::picture::{LinkSpan, Picture, uri};

/// A screen that has no size is taken to be as large as the oldest ones.
const USUAL: Size = Size { width: 80, height: 24 };

/// The largest side of a screen: what a terminal claims beyond it is not believed, because it would
/// only cost memory.
const LARGEST: u16 = 1000;

/// The screen as it is shown, and as it is drawn next.
#[derive(Debug)]
pub struct Canvas {
    shown: Buffer,
    next: Buffer,
    /// What the screen shows beside the cells.
    picture: Picture,
    /// Whether the terminal is told which cells are links.
    bears_links: bool,
    /// Whether it is not known what the screen shows.
    unknown: bool,
}

impl Canvas {
    /// Returns a canvas for a screen that shows who knows what.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let area = area(size);
        let (shown, next) = (Buffer::empty(area), Buffer::empty(area));
        Self { shown, next, picture: Picture::default(), bears_links: false, unknown: true }
    }

    /// Returns this canvas for a terminal that is told which cells are links, or is not.
    #[must_use]
    pub fn with_links(mut self, bears_links: bool) -> Self {
        self.bears_links = bears_links;
        self
    }

    /// Takes note that the screen has another size, and that the terminal did with its rows as it
    /// liked.
    pub fn resize(&mut self, size: Size) {
        self.shown.resize(area(size));
        self.next.resize(area(size));
        self.unknown = true;
    }

    /// Takes note that something else was written on the screen.
    pub fn forget(&mut self) {
        self.unknown = true;
    }

    /// Returns what turns the screen into the picture that `draw` makes; nothing when it is the
    /// picture that is there.
    #[must_use]
    pub fn paint(&mut self, draw: impl FnOnce(Rect, &mut Buffer) -> Picture) -> Vec<u8> {
        self.next.reset();
        let mut picture = draw(self.next.area, &mut self.next);
        picture.links.retain(|link| self.bears_links && uri(&link.text).is_some());
        // What a terminal wraps in its last row it scrolls.
        picture.wrapped.retain(|y| y + 2 < self.next.area.height);
        let mut bytes = Vec::new();
        if self.unknown || self.shown.content != self.next.content || self.picture != picture {
            // Cannot fail: a Vec takes everything.
            drop(self.encode(&mut bytes, &picture));
            std::mem::swap(&mut self.shown, &mut self.next);
            self.picture = picture;
            self.unknown = false;
        }
        bytes
    }

    fn encode(&mut self, bytes: &mut Vec<u8>, picture: &Picture) -> io::Result<()> {
        queue!(bytes, BeginSynchronizedUpdate, Hide)?;
        if self.unknown {
            queue!(bytes, ResetColor, Clear(ClearType::All))?;
            self.shown.reset();
            self.picture = Picture::default();
        }
        let Rect { width, height, .. } = self.next.area;
        let mut differing: Vec<(u16, u16, &Cell)> = self.shown.diff(&self.next);
        let mut intricate: Vec<Range<u16>> = Vec::new();
        let mut y = 0;
        while y < height {
            let mut end = y + 1;
            while picture.wrapped.binary_search(&(end - 1)).is_ok() {
                end += 1;
            }
            if self.is_rewritten(y..end, width, picture) {
                intricate.push(y..end);
            }
            y = end;
        }
        differing.retain(|(_, y, _)| !intricate.iter().any(|rows| rows.contains(y)));
        CrosstermBackend::new(&mut *bytes).draw(differing.into_iter())?;
        for rows in intricate {
            self.rewrite(bytes, rows, width, picture)?;
        }
        if let Some(Position { x, y }) = picture.cursor {
            queue!(bytes, MoveTo(x, y), Show)?;
        }
        queue!(bytes, EndSynchronizedUpdate)
    }

    /// Returns whether `rows`, which are one line to the terminal, change and are more than cells
    /// of one character each.
    ///
    /// Terminals do not agree how wide a cluster of several code points is, and what a wrong guess
    /// left behind stays for ever where only differing cells are written. Which cells are links,
    /// and that a row goes on in the next, is told as they are written.
    fn is_rewritten(&self, rows: Range<u16>, width: u16, picture: &Picture) -> bool {
        let cells = usize::from(rows.start) * usize::from(width)..usize::from(rows.end) * usize::from(width);
        let (Some(shown), Some(next)) = (self.shown.content.get(cells.clone()), self.next.content.get(cells)) else {
            return false;
        };
        let links = |picture: &Picture| {
            let links = picture.links.iter().filter(|link| rows.contains(&link.y));
            links.map(|link| (link.y, link.x.clone(), link.id, uri(&link.text))).collect::<Vec<_>>()
        };
        let wraps =
            |picture: &Picture| picture.wrapped.iter().filter(|y| rows.contains(y) || rows.contains(&(*y + 1))).count();
        let (links, wraps) = ([links(&self.picture), links(picture)], [wraps(&self.picture), wraps(picture)]);
        let is_changed = shown != next || links[0] != links[1] || wraps[0] != wraps[1];
        is_changed
            && (wraps != [0, 0]
                || links.iter().any(|links| !links.is_empty())
                || shown.iter().chain(next).any(is_cluster))
    }

    /// Writes every cell of `rows`, from the left, and tells the place anew after each cluster;
    /// between two rows that are one line, the terminal itself goes on in the next.
    fn rewrite(&self, bytes: &mut Vec<u8>, rows: Range<u16>, width: u16, picture: &Picture) -> io::Result<()> {
        let wraps = rows.len() > 1;
        // An erased row goes on nowhere, whatever it did before.
        let erases = wraps || rows.clone().any(|y| self.picture.wrapped.binary_search(&y).is_ok());
        for y in rows.clone().filter(|_| erases) {
            queue!(bytes, MoveTo(0, y), Clear(ClearType::CurrentLine))?;
        }
        if wraps {
            queue!(bytes, EnableLineWrap)?;
        }
        let (mut link, mut moves) = (None, true);
        for y in rows.clone() {
            let end = if erases { self.written(y, width, rows.contains(&(y + 1))) } else { width };
            let mut run: Vec<(u16, u16, &Cell)> = Vec::new();
            let mut x = 0;
            while x < end {
                let here = picture.links.iter().find(|link| link.y == y && link.x.contains(&x));
                if here.map(|link| link.id) != link.map(|link: &LinkSpan| link.id) {
                    moves = put(bytes, &mut run, moves)? && moves || !wraps;
                    bytes.extend(osc::link(here).into_bytes());
                    link = here;
                }
                let cell = &self.next[(x, y)];
                // In one line, cells follow each other as the terminal places them.
                let place = run.first().filter(|_| wraps).map_or(x, |first| first.0.saturating_add(length(&run)));
                run.push((place, y, cell));
                x += u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
                if is_cluster(cell) {
                    put(bytes, &mut run, moves)?;
                    moves = true;
                }
            }
            moves = put(bytes, &mut run, moves)? && moves || !wraps;
        }
        if link.is_some() {
            bytes.extend(osc::link(None).into_bytes());
        }
        if wraps { queue!(bytes, DisableLineWrap) } else { Ok(()) }
    }

    /// Returns before which column the cells of row `y` are written where blanks at the end need
    /// not be; a wide character that begins the next row has no blank before it.
    fn written(&self, y: u16, width: u16, goes_on: bool) -> u16 {
        if goes_on {
            let is_wide = self.next[(0, y + 1)].symbol().width() > 1;
            return width - u16::from(is_wide && self.next[(width - 1, y)] == Cell::EMPTY);
        }
        (0..width).rev().find(|x| self.next[(*x, y)] != Cell::EMPTY).map_or(0, |x| x + 1)
    }
}

/// Writes the cells of `run`, and takes them out; where the terminal's cursor is there already, it
/// is not moved. Returns whether there were none.
fn put(bytes: &mut Vec<u8>, run: &mut Vec<(u16, u16, &Cell)>, moves: bool) -> io::Result<bool> {
    let Some(&(x, y, _)) = run.first() else { return Ok(true) };
    let mut moving = Vec::new();
    queue!(moving, MoveTo(x, y))?;
    let start = bytes.len();
    CrosstermBackend::new(&mut *bytes).draw(run.drain(..))?;
    if !moves && bytes[start..].starts_with(&moving) {
        bytes.drain(start..start + moving.len());
    }
    Ok(false)
}

fn length(run: &[(u16, u16, &Cell)]) -> u16 {
    u16::try_from(run.len()).unwrap_or(u16::MAX)
}

fn is_cluster(cell: &Cell) -> bool {
    cell.symbol().chars().nth(1).is_some()
}

fn area(size: Size) -> Rect {
    let usable = |side: u16, usual| if side == 0 { usual } else { side.min(LARGEST) };
    Rect::new(0, 0, usable(size.width, USUAL.width), usable(size.height, USUAL.height))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use ratatui::style::Style;

    use super::*;

    fn screen() -> (Canvas, vt100::Parser) {
        let side = |side| NonZeroU16::new(side).unwrap();
        (Canvas::new(Size::new(12, 3)), vt100::Parser::new(side(3), side(12), 0))
    }

    fn show(canvas: &mut Canvas, terminal: &mut vt100::Parser, rows: [&str; 3]) -> usize {
        let bytes = canvas.paint(|_, buffer| {
            for (y, row) in (0..).zip(rows) {
                buffer.set_string(0, y, row, Style::default());
            }
            Picture { cursor: Some(Position::new(1, 2)), ..Picture::default() }
        });
        terminal.process(&bytes);
        bytes.len()
    }

    fn rows(terminal: &vt100::Parser) -> Vec<String> {
        terminal.screen().rows(0, 12).map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn what_is_drawn_is_shown_and_the_cursor_is_where_it_should_be() {
        let (mut canvas, mut terminal) = screen();
        show(&mut canvas, &mut terminal, ["hello", "学生 ok", ">"]);
        assert_eq!(rows(&terminal), ["hello", "学生 ok", ">"]);
        assert_eq!(terminal.screen().cursor_position(), (2, 1));
        assert!(!terminal.screen().hide_cursor());
    }

    #[test]
    fn the_same_picture_is_not_written_again() {
        let (mut canvas, mut terminal) = screen();
        let whole = show(&mut canvas, &mut terminal, ["hello", "there", ">"]);
        assert_eq!(show(&mut canvas, &mut terminal, ["hello", "there", ">"]), 0);
        assert!(show(&mut canvas, &mut terminal, ["hello", "thare", ">"]) < whole);
        assert_eq!(rows(&terminal), ["hello", "thare", ">"]);
    }

    #[test]
    fn a_row_with_clusters_is_written_whole() {
        let (mut canvas, mut terminal) = screen();
        show(&mut canvas, &mut terminal, ["a👩‍👩‍👧b", "", ">"]);
        // What the terminal made of the family, where it did not know it.
        terminal.process("\u{1b}[1;4Hghosts".as_bytes());
        show(&mut canvas, &mut terminal, ["b", "", ">"]);
        assert_eq!(rows(&terminal)[0], "b");
    }

    /// Shows rows of which the link `text` has these cells; returns what was written.
    fn show_link(canvas: &mut Canvas, terminal: &mut vt100::Parser, text: &str, parts: &[(u16, Range<u16>)]) -> String {
        let bytes = canvas.paint(|_, buffer| {
            let mut rest = text;
            let mut links = Vec::new();
            for (y, x) in parts {
                let (part, after) = rest.split_at(x.len());
                buffer.set_string(x.start, *y, part, Style::default());
                links.push(LinkSpan { y: *y, x: x.clone(), id: (7, 0), text: text.into() });
                rest = after;
            }
            let wrapped = parts.iter().filter(|(_, x)| x.end == 12).map(|(y, _)| *y).collect();
            Picture { links, wrapped, ..Picture::default() }
        });
        terminal.process(&bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_link_is_opened_and_closed_in_each_row_and_goes_with_its_text() {
        let (canvas, mut terminal) = screen();
        let mut canvas = canvas.with_links(true);
        let link = "http://a.b/c";
        let parts = [(0, 5..11), (1, 0..6)];
        let bytes = show_link(&mut canvas, &mut terminal, link, &parts);
        let opened = format!("\u{1b}]8;id=7-0;{link}\u{1b}\\");
        let closed = "\u{1b}]8;;\u{1b}\\";
        assert_eq!((bytes.matches(&opened).count(), bytes.matches(closed).count()), (2, 2), "{bytes:?}");
        assert!(bytes.find(&opened) < bytes.find("http:/") && bytes.rfind("/a.b/c") < bytes.rfind(closed));
        assert_eq!(show_link(&mut canvas, &mut terminal, link, &parts), "", "it is there");
        // The same cells are no link any more: only the terminal's memory differs.
        let plain = canvas.paint(|_, buffer| {
            buffer.set_string(5, 0, "http:/", Style::default());
            buffer.set_string(0, 1, "/a.b/c", Style::default());
            Picture::default()
        });
        let plain = String::from_utf8(plain).unwrap();
        assert!(plain.contains("http:/") && plain.contains("/a.b/c") && !plain.contains("\u{1b}]8;"), "{plain:?}");
    }

    #[test]
    fn a_terminal_without_links_and_a_link_that_may_do_harm_get_none() {
        let (mut canvas, mut terminal) = screen();
        assert!(!show_link(&mut canvas, &mut terminal, "http://a", &[(0, 0..8)]).contains("\u{1b}]8"));
        let mut canvas = canvas.with_links(true);
        canvas.forget();
        assert!(!show_link(&mut canvas, &mut terminal, "ws://abc", &[(0, 0..8)]).contains("\u{1b}]8"));
        assert_eq!(rows(&terminal)[0], "ws://abc");
    }

    #[test]
    fn what_goes_on_in_the_next_row_is_one_line_to_the_terminal() {
        let side = |side| NonZeroU16::new(side).unwrap();
        let mut canvas = Canvas::new(Size::new(12, 5)).with_links(true);
        let mut terminal = vt100::Parser::new(side(5), side(12), 0);
        let link = "https://a.example/x?y=z";
        for row in 0..2 {
            show_link(&mut canvas, &mut terminal, link, &[(row, 0..12), (row + 1, 0..11)]);
            let wrapped: Vec<_> = (0..5).map(|row| terminal.screen().row_wrapped(row)).collect();
            assert_eq!(wrapped, [0, 1, 2, 3, 4].map(|y| y == row));
            assert_eq!(terminal.screen().contents().trim(), link);
        }
        // In the last row the terminal would scroll.
        let bytes = show_link(&mut canvas, &mut terminal, link, &[(3, 0..12), (4, 0..11)]);
        assert!(!bytes.contains("\u{1b}[?7h"), "{bytes:?}");
    }

    #[test]
    fn after_a_resize_everything_is_written() {
        let (mut canvas, mut terminal) = screen();
        show(&mut canvas, &mut terminal, ["hello", "there", ">"]);
        terminal.process(b"\x1b[1;1Hxxxxxxxxxxxx");
        canvas.resize(Size::new(12, 3));
        show(&mut canvas, &mut terminal, ["hello", "there", ">"]);
        assert_eq!(rows(&terminal), ["hello", "there", ">"]);
    }

    #[test]
    fn sizes_that_cannot_be_are_not_believed() {
        assert_eq!(area(Size::new(0, 0)), Rect::new(0, 0, 80, 24));
        assert_eq!(area(Size::new(u16::MAX, 5)), Rect::new(0, 0, 1000, 5));
    }
}
