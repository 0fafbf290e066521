//! The cursor, the links and the line wraps that go with the cells of a screen, and the links that
//! a terminal supports. Pure.

use std::{ops::Range, sync::Arc};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ratatui::layout::{Position, Rect};

/// The maximum length of a link for a terminal, in bytes. Common terminals accept no longer links.
const LONGEST: usize = 2083;

/// The first version of VTE that handles links without crashing (0.50).
const VTE: u32 = 5000;

/// The characters to percent-encode in a URI (RFC 3986): the ones that a terminal would not accept.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ');

/// The parts of a screen besides its cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The position of the cursor. `None` hides it.
    pub cursor: Option<Position>,
    /// The cells that are links. They do not overlap.
    pub links: Vec<LinkSpan>,
    /// The rows that continue in the next row, so that the terminal selects both as one line.
    /// Ascending.
    pub wrapped: Vec<u16>,
}

/// The part of a link in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpan {
    /// The row.
    pub y: u16,
    /// The columns.
    pub x: Range<u16>,
    /// The id that all parts of one link share, and no other link on the screen has: the id of its
    /// entry, and the index of the link in that entry.
    pub id: (i64, u16),
    /// The whole link, as it was sent.
    pub text: Arc<str>,
}

impl Picture {
    /// Removes the links and wraps that `area` covers.
    pub fn cover(&mut self, area: Rect) {
        let rows = area.top()..area.bottom();
        self.links.retain(|link| !rows.contains(&link.y) || link.x.end <= area.left() || link.x.start >= area.right());
        self.wrapped.retain(|y| !rows.contains(y) && !rows.contains(&(y + 1)));
    }

    /// Returns the links in screen order, each one once.
    #[must_use]
    pub fn distinct_links(&self) -> Vec<Arc<str>> {
        let mut links: Vec<&LinkSpan> = Vec::new();
        for link in &self.links {
            if links.iter().all(|other| other.text != link.text) {
                links.push(link);
            }
        }
        links.into_iter().map(|link| Arc::clone(&link.text)).collect()
    }
}

/// Returns the URI that a terminal opens for this link. Returns `None` if the scheme is not known
/// to be harmless or the URI is too long.
pub(super) fn uri(link: &str) -> Option<String> {
    let (scheme, _) = link.split_once(':')?;
    let is_known = ["http", "https", "mailto"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let uri = is_known.then(|| utf8_percent_encode(link, ENCODED).to_string())?;
    (uri.len() <= LONGEST).then_some(uri)
}

/// Returns whether a terminal gets links, according to its environment: `TERM`, whether tmux runs
/// in between, and `VTE_VERSION`. Most terminals ignore escape sequences that they do not know. A
/// few do not.
#[must_use]
pub fn bears_links(term: &str, tmux: bool, vte: &str) -> bool {
    let is_old =
        ["linux", "vt", "ansi", "cons", "dumb", "wy", "sun", "eterm"].iter().any(|name| term.starts_with(name));
    let is_screen = term.starts_with("screen") && !tmux;
    let is_old_vte = vte.parse().is_ok_and(|version: u32| version < VTE);
    !(term.is_empty() || is_old || is_screen || is_old_vte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_only_of_links_to_pages_and_people() {
        assert_eq!(uri("HTTPS://a.example/x?y=1;z#q").as_deref(), Some("HTTPS://a.example/x?y=1;z#q"));
        assert_eq!(uri("mailto:ada@example.org").as_deref(), Some("mailto:ada@example.org"));
        assert_eq!(uri("https://a.example/学\u{1b}\u{7f} x").as_deref(), Some("https://a.example/%E5%AD%A6%1B%7F%20x"));
        for link in ["ws://x", "wss://x", "file:///etc/passwd", "javascript:x", "x", ""] {
            assert_eq!(uri(link), None, "{link}");
        }
        assert_eq!(uri(&format!("http://{}", "x".repeat(LONGEST))), None);
    }

    #[test]
    fn terminals_that_would_stumble_are_not_told_of_links() {
        for (term, tmux, vte, bears) in [
            ("xterm-256color", false, "", true),
            ("xterm-256color", false, "4999", false),
            ("xterm-256color", false, "7600", true),
            ("tmux-256color", true, "", true),
            ("screen-256color", true, "", true),
            ("screen", false, "", false),
            ("linux", false, "", false),
            ("dumb", false, "", false),
            ("", false, "", false),
        ] {
            assert_eq!(bears_links(term, tmux, vte), bears, "{term} {tmux} {vte}");
        }
    }

    #[test]
    fn what_is_covered_is_no_link() {
        let link = |y, x: Range<u16>| LinkSpan { y, x, id: (1, 0), text: "http://a".into() };
        let links = vec![link(0, 0..4), link(1, 0..4), link(1, 6..8), link(2, 0..4)];
        let mut picture = Picture { links, wrapped: vec![0, 1, 3], ..Picture::default() };
        picture.cover(Rect::new(3, 1, 3, 1));
        assert_eq!(picture.links, [link(0, 0..4), link(1, 6..8), link(2, 0..4)]);
        assert_eq!(picture.wrapped, [3]);
        assert_eq!(picture.distinct_links(), ["http://a".into()]);
    }
}
