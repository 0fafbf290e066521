//! What the screen shows and what it is to show next, and the bytes between the two. No terminal: bytes come out, somebody else
//! writes them.

use std::io;

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    style::ResetColor,
    terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate},
};
use ratatui::{
    backend::{Backend as _, CrosstermBackend},
    buffer::{Buffer, Cell},
    layout::{Position, Rect, Size},
};
use unicode_width::UnicodeWidthStr as _;

/// A screen that has no size is taken to be as large as the oldest ones.
const USUAL: Size = Size { width: 80, height: 24 };

/// The largest side of a screen: what a terminal claims beyond it is not believed, because it would only cost memory.
const LARGEST: u16 = 1000;

/// The screen as it is shown, and as it is drawn next.
#[derive(Debug)]
pub struct Canvas {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    /// Whether it is not known what the screen shows.
    unknown: bool,
}

impl Canvas {
    /// Returns a canvas for a screen that shows who knows what.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let area = area(size);
        Self { shown: Buffer::empty(area), next: Buffer::empty(area), cursor: None, unknown: true }
    }

    /// Takes note that the screen has another size, and that the terminal did with its rows as it liked.
    pub fn resize(&mut self, size: Size) {
        self.shown.resize(area(size));
        self.next.resize(area(size));
        self.unknown = true;
    }

    /// Takes note that something else was written on the screen.
    pub fn forget(&mut self) {
        self.unknown = true;
    }

    /// Returns what turns the screen into the picture that `draw` makes, with the cursor where it says; nothing when it is the
    /// picture that is there.
    #[must_use]
    pub fn paint(&mut self, draw: impl FnOnce(Rect, &mut Buffer) -> Option<Position>) -> Vec<u8> {
        self.next.reset();
        let cursor = draw(self.next.area, &mut self.next);
        let mut bytes = Vec::new();
        let changed = self.unknown || self.shown.content != self.next.content;
        if changed || cursor != self.cursor {
            // Cannot fail: a Vec takes everything.
            drop(self.encode(&mut bytes, cursor));
            std::mem::swap(&mut self.shown, &mut self.next);
            self.cursor = cursor;
            self.unknown = false;
        }
        bytes
    }

    fn encode(&mut self, bytes: &mut Vec<u8>, cursor: Option<Position>) -> io::Result<()> {
        queue!(bytes, BeginSynchronizedUpdate, Hide)?;
        if self.unknown {
            queue!(bytes, ResetColor, Clear(ClearType::All))?;
            self.shown.reset();
        }
        let Rect { width, height, .. } = self.next.area;
        let mut differing: Vec<(u16, u16, &Cell)> = self.shown.diff(&self.next);
        let intricate: Vec<u16> = (0..height).filter(|&y| self.is_rewritten(y, width)).collect();
        differing.retain(|(_, y, _)| intricate.binary_search(y).is_err());
        CrosstermBackend::new(&mut *bytes).draw(differing.into_iter())?;
        for y in intricate {
            self.rewrite(bytes, y, width)?;
        }
        if let Some(Position { x, y }) = cursor {
            queue!(bytes, MoveTo(x, y), Show)?;
        }
        queue!(bytes, EndSynchronizedUpdate)
    }

    /// Returns whether row `y` changes and has, or had, a cluster of several code points in it: terminals do not agree how wide
    /// those are, and what a wrong guess left behind stays for ever where only differing cells are written.
    fn is_rewritten(&self, y: u16, width: u16) -> bool {
        let row = usize::from(y) * usize::from(width)..(usize::from(y) + 1) * usize::from(width);
        let (Some(shown), Some(next)) = (self.shown.content.get(row.clone()), self.next.content.get(row)) else {
            return false;
        };
        shown != next && shown.iter().chain(next).any(is_cluster)
    }

    /// Writes every cell of row `y`, from the left, and tells the place anew after each cluster.
    fn rewrite(&self, bytes: &mut Vec<u8>, y: u16, width: u16) -> io::Result<()> {
        let mut run = Vec::new();
        let mut x = 0;
        while x < width {
            let cell = &self.next[(x, y)];
            run.push((x, y, cell));
            x += u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
            if is_cluster(cell) || x >= width {
                CrosstermBackend::new(&mut *bytes).draw(run.drain(..))?;
            }
        }
        Ok(())
    }
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
            Some(Position::new(1, 2))
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
