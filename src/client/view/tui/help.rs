//! The page of keys and commands over the conversation. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{command, fit::fit, palette::Palette};

/// The keys, and what they do.
pub(super) static KEYS: [(&str, &str); 22] = [
    ("Enter", "send"),
    ("Alt-Enter", "line break"),
    ("Tab", "complete a nick, a room or a command"),
    ("Up, Down", "what was sent before, on an empty line"),
    ("Ctrl-R", "search in what was sent before"),
    ("Ctrl-A E K U W Y", "as in a shell; Ctrl-_ takes back"),
    ("Alt-1 to Alt-9", "go to a room"),
    ("Alt-Left, Alt-Right", "the room before, the next"),
    ("Ctrl-P, Ctrl-N", "the same"),
    ("Alt-A", "the next room with something unread"),
    ("PgUp, PgDn", "scroll"),
    ("Shift-Up, Shift-Down", "scroll by a line"),
    ("Ctrl-Home, Ctrl-End", "to the oldest, to the newest"),
    ("Esc", "to the newest; closes what is open"),
    ("F3", "show what a search has found while you typed"),
    ("F9 or Alt-P", "show or hide rooms and people"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-Z", "suspend"),
    ("Ctrl-C", "clear the line; twice on an empty one: quit"),
    ("Ctrl-D", "quit, on an empty line"),
    ("F1", "this page"),
    ("Shift with the mouse", "selects, where the terminal would not"),
];

/// The page, and how far it is scrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Help {
    pub(super) above: usize,
}

impl Help {
    /// Scrolls by so many lines; down is positive.
    pub(super) fn scroll(&mut self, lines: i32) {
        self.above = self.above.saturating_add_signed(isize::try_from(lines).unwrap_or(0));
    }

    /// Draws the page over `area`.
    pub(super) fn draw(&mut self, area: Rect, buffer: &mut Buffer, palette: Palette) {
        if area.is_empty() {
            return;
        }
        let lines = lines();
        let height = usize::from(area.height.saturating_sub(1));
        self.above = self.above.min(lines.len().saturating_sub(height));
        for y in area.top()..area.bottom() {
            buffer.set_string(area.x, y, " ".repeat(area.width.into()), Style::new());
        }
        for (y, (left, right)) in (area.y..).zip(lines.iter().skip(self.above).take(height)) {
            let width = usize::from(area.width).saturating_sub(2);
            // Where both do not fit side by side, what it does is worth more than blanks.
            let column = left.width().max(if width < 60 { 0 } else { 22 });
            buffer.set_string(area.x + 1, y, fit(left, width), palette.selected());
            let x = column + 2;
            if x < width {
                let at = area.x + 1 + u16::try_from(x).unwrap_or(0);
                buffer.set_string(at, y, fit(right, width - x), Style::new());
            }
        }
        let more = lines.len().saturating_sub(self.above + height);
        let words = if more > 0 { format!("PgDn: {more} more lines; Esc closes") } else { "Esc closes".to_owned() };
        let y = area.bottom().saturating_sub(1);
        buffer.set_string(area.x + 1, y, fit(&words, usize::from(area.width).saturating_sub(2)), palette.quiet());
    }
}

fn lines() -> Vec<(String, String)> {
    let mut lines: Vec<_> = KEYS.iter().map(|(keys, does)| ((*keys).to_owned(), (*does).to_owned())).collect();
    lines.push((String::new(), String::new()));
    lines.extend(command::all().map(|spec| {
        let alias = if spec.alias.is_empty() { String::new() } else { format!(" (also /{})", spec.alias) };
        (spec.to_string(), format!("{}{alias}", spec.summary))
    }));
    lines.push(("//TEXT".to_owned(), "say a text that begins with /".to_owned()));
    lines
}
