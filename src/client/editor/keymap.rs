//! The key bindings of the editor. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::motion::Motion;
use crate::protocol::sanitize;

/// What a key does in the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Insert(char),
    Break,
    Submit,
    Go(Motion),
    Erase(Motion),
    /// Deletes text that can be yanked back.
    Kill(Motion),
    Yank,
    /// Replaces the text that was just yanked with the next older piece of the kill ring.
    YankOlder,
    Transpose,
    Undo,
    Up,
    Down,
    Search,
}

impl Action {
    /// Returns the action of `key`, or `None` if the editor has no binding for it.
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
            // These keys belong to the screen: Alt with an arrow key changes the room, Shift
            // scrolls.
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
        // On Windows, AltGr is reported as Ctrl and Alt together. AltGr types something other than
        // an ASCII letter or digit.
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
        // A pasted line break arrives as Ctrl-J if the terminal sends pastes without brackets.
        (true, false, 'j') => Action::Break,
        // Terminals send the same byte for Ctrl-_, Ctrl-/ and Ctrl-7.
        (true, false, '_' | '/' | '7') => Action::Undo,
        (false, true, 'b') => Action::Go(Motion::WordLeft),
        (false, true, 'f') => Action::Go(Motion::WordRight),
        (false, true, 'd') => Action::Kill(Motion::WordRight),
        (false, true, 'y') => Action::YankOlder,
        _ => return None,
    })
}

/// Returns whether `c` may be typed. U+2028 and U+2029 may not: they are line breaks, and line
/// breaks have their own keys.
fn may_stand(c: char) -> bool {
    sanitize::is_printable(c) && !matches!(c, '\u{2028}' | '\u{2029}')
}
