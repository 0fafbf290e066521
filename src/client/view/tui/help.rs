//! The help pages over the conversation: one for keys, one for commands. Pure.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::UnicodeWidthStr as _;

use super::{command, fit::fit, palette::Palette};
use crate::protocol::command::Group;

/// The keys, and what they do.
pub(super) static KEYS: [(&str, &str); 27] = [
    ("Enter", "send"),
    ("Shift-Enter, Alt-Enter", "line break; Ctrl-J, too"),
    ("Tab", "complete a nick, room, command or :emoji"),
    ("Up, Down", "what was sent before, on an empty line"),
    ("Ctrl-R", "search in what was sent before"),
    ("Ctrl-A E K U W Y", "as in a shell; Ctrl-_ takes back"),
    ("Ctrl-X Ctrl-E", "write in your editor: $VISUAL or $EDITOR"),
    ("Alt-1 to Alt-9", "go to a room"),
    ("Alt-Left, Alt-Right", "the room before, the next"),
    ("Ctrl-P, Ctrl-N", "the same"),
    ("Alt-A", "the next room with something unread"),
    ("PgUp, PgDn", "scroll"),
    ("Shift-Up, Shift-Down", "scroll by a line"),
    ("Ctrl-Home, Ctrl-End", "to the oldest, to the newest"),
    ("Alt-Home", "to the first that is new"),
    ("Esc", "to the newest; closes what is open"),
    ("F2", "the whole topic"),
    ("F3", "show what a search has found while you typed"),
    ("Alt-L", "the links on the screen, to copy one"),
    ("Alt-V", "the bare text, for the mouse to select"),
    ("F9 or Alt-P", "show or hide rooms and people"),
    ("Ctrl-L", "draw everything anew"),
    ("Ctrl-Z", "suspend"),
    ("Ctrl-C", "clear the line; twice on an empty one: quit"),
    ("Ctrl-D", "quit, on an empty line"),
    ("F1", "this page"),
    ("Shift with the mouse", "selects, where the terminal would not"),
];

/// A help page and its scroll position in lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Help {
    pub(super) above: usize,
    of: Page,
}

/// The content of a help page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Keys,
    Commands,
}

impl Help {
    /// Returns the page of keys.
    pub(super) fn keys() -> Self {
        Self { above: 0, of: Page::Keys }
    }

    /// Returns the page of commands.
    pub(super) fn commands() -> Self {
        Self { above: 0, of: Page::Commands }
    }

    /// Scrolls by `lines`; positive values scroll down.
    pub(super) fn scroll(&mut self, lines: i32) {
        self.above = self.above.saturating_add_signed(isize::try_from(lines).unwrap_or(0));
    }

    /// Draws the page over `area`.
    pub(super) fn draw(&mut self, area: Rect, buffer: &mut Buffer, palette: Palette) {
        if area.is_empty() {
            return;
        }
        let height = usize::from(area.height.saturating_sub(1));
        let width = usize::from(area.width).saturating_sub(2);
        let (lines, column, other) = match self.of {
            Page::Keys => (keys(), 22, "/help: the commands"),
            Page::Commands => (commands(width, height), 30, "F1: the keys"),
        };
        self.above = self.above.min(lines.len().saturating_sub(height));
        for y in area.top()..area.bottom() {
            buffer.set_string(area.x, y, " ".repeat(area.width.into()), Style::new());
        }
        for (y, (left, right)) in (area.y..).zip(lines.iter().skip(self.above).take(height)) {
            // If the area is narrow, do not pad the left column: leave the space for the
            // description.
            let column = left.width().max(if width < 60 { 0 } else { column });
            buffer.set_string(area.x + 1, y, fit(left, width), palette.selected());
            let x = column + 2;
            if x < width {
                let at = area.x + 1 + u16::try_from(x).unwrap_or(0);
                buffer.set_string(at, y, fit(right, width - x), Style::new());
            }
        }
        let more = lines.len().saturating_sub(self.above + height);
        let more = if more > 0 { format!("PgDn: {more} more lines; ") } else { String::new() };
        let words = format!("{more}Esc closes; {other}");
        let y = area.bottom().saturating_sub(1);
        buffer.set_string(area.x + 1, y, fit(&words, width), palette.quiet());
    }
}

fn keys() -> Vec<(String, String)> {
    KEYS.iter().map(|(keys, does)| ((*keys).to_owned(), (*does).to_owned())).collect()
}

/// Returns the commands by group, one a line. If these lines do not fit into `height`, returns the
/// dense form.
fn commands(width: usize, height: usize) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        for (index, spec) in command::all().filter(|spec| spec.group == group).enumerate() {
            let title = if index == 0 { group.title() } else { "" };
            lines.push((format!("{title:<6} {spec}"), spec.summary.to_owned()));
        }
    }
    lines.push((format!("{:<6} //TEXT", ""), "say a text that begins with /".to_owned()));
    if lines.len() <= height { lines } else { dense(width) }
}

/// Returns the usage of the commands, several to a line.
fn dense(width: usize) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        let mut line = format!("{:<6}", group.title());
        for spec in command::all().filter(|spec| spec.group == group) {
            let usage = spec.to_string();
            if line.width() + 2 + usage.width() > width && line.width() > 6 {
                lines.push((std::mem::replace(&mut line, " ".repeat(6)), String::new()));
            }
            line.push_str(if line.width() == 6 { " " } else { "  " });
            line.push_str(&usage);
        }
        lines.push((line, String::new()));
    }
    lines.push((format!("{:<6} //TEXT says a text that begins with /", ""), String::new()));
    lines.push((format!("{:<6} /help COMMAND explains one, with an example", ""), String::new()));
    lines
}
