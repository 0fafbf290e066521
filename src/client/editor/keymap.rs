//! Which key does what. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::motion::Motion;
use crate::protocol::sanitize;

/// What a key asks the editor to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Insert(char),
    Break,
    Submit,
    Go(Motion),
    Erase(Motion),
    /// Erases what can be yanked back.
    Kill(Motion),
    Yank,
    /// Puts an older piece in the place of what was just yanked.
    YankOlder,
    Transpose,
    Undo,
    Up,
    Down,
    Search,
}

impl Action {
    /// Returns what `key` means; none when it is not a key of the editor.
    pub(super) fn of(key: KeyEvent) -> Option<Self> {
        if key.modifiers.intersects(KeyModifiers::SUPER | KeyModifiers::HYPER | KeyModifiers::META) {
            return None;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        Some(match key.code {
            KeyCode::Char(c) => return of_character(c, control, alt),
            KeyCode::Enter if alt || shift => Self::Break,
            KeyCode::Enter => Self::Submit,
            KeyCode::Backspace if control || alt => Self::Kill(Motion::WordLeft),
            KeyCode::Backspace => Self::Erase(Motion::Left),
            KeyCode::Delete if control || alt => Self::Kill(Motion::WordRight),
            KeyCode::Delete => Self::Erase(Motion::Right),
            // The screen's: Alt with an arrow goes to another room, Shift scrolls.
            _ if alt => return None,
            KeyCode::Left if control => Self::Go(Motion::WordLeft),
            KeyCode::Right if control => Self::Go(Motion::WordRight),
            KeyCode::Left => Self::Go(Motion::Left),
            KeyCode::Right => Self::Go(Motion::Right),
            KeyCode::Home if control => Self::Go(Motion::TextStart),
            KeyCode::End if control => Self::Go(Motion::TextEnd),
            KeyCode::Home => Self::Go(Motion::LineStart),
            KeyCode::End => Self::Go(Motion::LineEnd),
            KeyCode::Up if !control && !shift => Self::Up,
            KeyCode::Down if !control && !shift => Self::Down,
            _ => return None,
        })
    }
}

fn of_character(c: char, control: bool, alt: bool) -> Option<Action> {
    Some(match (control, alt, c.to_ascii_lowercase()) {
        (false, false, _) if may_stand(c) => Action::Insert(c),
        // AltGr is Ctrl and Alt together on Windows, and what it types is more than a letter of
        // ASCII.
        (true, true, lower) if !lower.is_ascii_alphanumeric() && may_stand(c) => Action::Insert(c),
        (true, false, 'a') => Action::Go(Motion::LineStart),
        (true, false, 'e') => Action::Go(Motion::LineEnd),
        (true, false, 'b') => Action::Go(Motion::Left),
        (true, false, 'f') => Action::Go(Motion::Right),
        (true, false, 'h') => Action::Erase(Motion::Left),
        (true, false, 'd') => Action::Erase(Motion::Right),
        (true, false, 'k') => Action::Kill(Motion::LineEnd),
        (true, false, 'u') => Action::Kill(Motion::LineStart),
        (true, false, 'w') => Action::Kill(Motion::BlankLeft),
        (true, false, 'y') => Action::Yank,
        (true, false, 't') => Action::Transpose,
        (true, false, 'r') => Action::Search,
        // A line break that is pasted without brackets comes as this one.
        (true, false, 'j') => Action::Break,
        // Terminals send one and the same byte for Ctrl-_, Ctrl-/ and Ctrl-7.
        (true, false, '_' | '/' | '7') => Action::Undo,
        (false, true, 'b') => Action::Go(Motion::WordLeft),
        (false, true, 'f') => Action::Go(Motion::WordRight),
        (false, true, 'd') => Action::Kill(Motion::WordRight),
        (false, true, 'y') => Action::YankOlder,
        _ => return None,
    })
}

/// Returns whether `c` may be typed; a separator of lines or paragraphs is a line break, and these
/// have a key.
fn may_stand(c: char) -> bool {
    sanitize::is_printable(c) && !matches!(c, '\u{2028}' | '\u{2029}')
}
