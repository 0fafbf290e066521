//! What a picture of the screen has beside its cells, and which links a terminal takes. Pure.

use std::{ops::Range, sync::Arc};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ratatui::layout::{Position, Rect};

/// The longest link that is told to a terminal, in bytes: widespread ones take no longer one.
const LONGEST: usize = 2083;

/// The first version of VTE that survives links (0.50).
const VTE: u32 = 5000;

/// What a URI has as `%20` and the like (RFC 3986): here, everything that a terminal would not take
/// as a character of one.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ');

/// What is drawn beside the cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// Where the cursor stands; without a place it is hidden.
    pub cursor: Option<Position>,
    /// Which cells are links; none overlap.
    pub links: Vec<LinkSpan>,
    /// The rows that go on in the next row, so that the terminal selects both as one line.
    /// Ascending.
    pub wrapped: Vec<u16>,
}

/// The part of a link that stands in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSpan {
    /// The row.
    pub y: u16,
    /// The columns.
    pub x: Range<u16>,
    /// What its parts have in common, and no other link on the screen has: which entry it is in,
    /// and which of the links there.
    pub id: (i64, u16),
    /// The whole link, as it was said.
    pub text: Arc<str>,
}

impl Picture {
    /// Takes out what something else is drawn over.
    pub fn cover(&mut self, area: Rect) {
        let rows = area.top()..area.bottom();
        self.links.retain(|link| !rows.contains(&link.y) || link.x.end <= area.left() || link.x.start >= area.right());
        self.wrapped.retain(|y| !rows.contains(y) && !rows.contains(&(y + 1)));
    }

    /// Returns the links, each once, in the order of the screen.
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

/// Returns the URI that a terminal opens for this link; none for one that it is not told of,
/// because what opens it might do harm.
pub(super) fn uri(link: &str) -> Option<String> {
    let (scheme, _) = link.split_once(':')?;
    let is_known = ["http", "https", "mailto"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let uri = is_known.then(|| utf8_percent_encode(link, ENCODED).to_string())?;
    (uri.len() <= LONGEST).then_some(uri)
}

/// Returns whether a terminal is told of links, by what the environment says of it: `TERM`, whether
/// tmux stands between, and `VTE_VERSION`. All but a few pass over what they do not know.
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
