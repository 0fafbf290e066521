//! The keys that were pressed, put together again where a read of the terminal cut them. Pure: no terminal, and time is an argument.
//!
//! A key can be a sequence of bytes that begins with ESC. crossterm 0.29 keeps the beginning of a sequence until the rest is read,
//! but for one place: when a read ends behind the ESC, that is the Esc key to it, and the rest, read next, is text. Two more things
//! come of that. The end of a paste whose beginning was cut there never arrives, because crossterm drops it as a sequence without
//! a meaning: such a paste ends with a silence. And where two ESC are read together, crossterm reports one Esc and again text.

mod sequence;
#[cfg(test)]
mod tests;

use std::{mem, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::sequence::Sequence;

/// What belongs to one key follows the ESC within this time; nobody presses two keys so fast, and nobody feels Esc come so late.
pub const ESCAPE: Duration = Duration::from_millis(50);

/// A paste whose end cannot arrive has ended when nothing came for so long: more than a network pauses within one, less than it
/// takes to look at what was pasted and press Enter.
pub const SILENCE: Duration = Duration::from_millis(250);

/// What a terminal has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed or repeats itself.
    Key(KeyEvent),
    /// This was pasted; line breaks are as the terminal sent them.
    Paste(String),
    /// The terminal has the focus now, or has it no more.
    Focus(bool),
    /// The terminal has these columns and rows now.
    Resize(u16, u16),
}

/// Turns events of crossterm into [`Input`].
#[derive(Debug, Default)]
pub struct Keys {
    /// Esc, and what came behind it, while that can become one key.
    held: Vec<KeyEvent>,
    /// What was pasted so far, while a paste that was cut goes on.
    pasted: Option<String>,
    /// When what is held stops waiting for more.
    until: Duration,
}

impl Keys {
    /// Takes an event that came at `now`, which is counted from any fixed moment; returns what is certain then, in order.
    pub fn feed(&mut self, event: Event, now: Duration) -> Vec<Input> {
        let mut inputs = self.wake(now);
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            Event::Key(key) if self.pasted.is_some() => self.paste_key(key, now, &mut inputs),
            Event::Key(key) => self.key(key, now, &mut inputs),
            // No sequence of bytes: it can come in the middle of one.
            Event::Resize(columns, rows) => inputs.push(Input::Resize(columns, rows)),
            Event::Mouse(_) => {}
            Event::Paste(text) => {
                self.flush(&mut inputs);
                inputs.push(Input::Paste(text));
            }
            Event::FocusGained | Event::FocusLost => {
                self.flush(&mut inputs);
                inputs.push(Input::Focus(event == Event::FocusGained));
            }
        }
        inputs
    }

    /// Returns when to call [`Self::wake`], if nothing comes before.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        if self.held.is_empty() && self.pasted.is_none() { None } else { Some(self.until) }
    }

    /// Returns what is certain at `now` because nothing came. Events that wait to be taken come first: they may complete a key.
    pub fn wake(&mut self, now: Duration) -> Vec<Input> {
        let mut inputs = Vec::new();
        if now >= self.until {
            self.flush(&mut inputs);
        }
        inputs
    }

    fn key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        if is_escape(key) {
            self.flush(inputs);
            self.hold(key, now + ESCAPE);
        } else if self.held.is_empty() {
            inputs.push(Input::Key(key));
        } else if self.held.len() == 1 && sequence::byte(key).is_none_or(|byte| !sequence::begins(byte)) {
            let with_alt = with_alt(key);
            if with_alt.is_some() {
                self.held.clear();
            }
            self.flush(inputs);
            inputs.push(Input::Key(with_alt.unwrap_or(key)));
        } else {
            self.hold(key, now + ESCAPE);
            self.look(now, inputs);
        }
    }

    /// Acts on what is held if that is a whole sequence, or none.
    fn look(&mut self, now: Duration, inputs: &mut Vec<Input>) {
        let bytes: Option<Vec<u8>> = self.held[1..].iter().map(|key| sequence::byte(*key)).collect();
        let found = bytes.map_or(Sequence::Other, |bytes| sequence::read(&bytes));
        match found {
            Sequence::Unfinished => return,
            Sequence::Key(key) if key.kind == KeyEventKind::Release => {}
            Sequence::Key(key) => inputs.push(Input::Key(key)),
            Sequence::Focus(focus) => inputs.push(Input::Focus(focus)),
            Sequence::PasteBegins => {
                self.pasted = Some(String::new());
                self.until = now + SILENCE;
            }
            Sequence::PasteEnds | Sequence::Meaningless => {}
            Sequence::Other => inputs.extend(self.held.drain(..).map(Input::Key)),
        }
        self.held.clear();
    }

    /// Takes a key of a paste that came as keys. What is held is then what can be its end.
    fn paste_key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        if is_escape(key) {
            self.pour();
            self.hold(key, now + SILENCE);
        } else if !self.held.is_empty() && sequence::byte(key).is_some() {
            self.hold(key, now + SILENCE);
            let bytes: Vec<u8> = self.held[1..].iter().filter_map(|key| sequence::byte(*key)).collect();
            match sequence::read(&bytes) {
                Sequence::Unfinished => {}
                Sequence::PasteEnds => {
                    self.held.clear();
                    self.flush(inputs);
                }
                _ => self.pour(),
            }
        } else if is_of_a_paste(key) {
            self.pour();
            self.pasted.get_or_insert_default().extend(written(key));
            self.until = now + SILENCE;
        } else {
            // No byte of a paste makes such a key: it was pressed.
            self.flush(inputs);
            inputs.push(Input::Key(key));
        }
    }

    fn hold(&mut self, key: KeyEvent, until: Duration) {
        self.held.push(key);
        self.until = until;
    }

    /// Makes what is held a part of what was pasted.
    fn pour(&mut self) {
        let text = self.pasted.get_or_insert_default();
        text.extend(self.held.drain(..).filter_map(written));
    }

    /// Waits no longer: hands on what is held as it came.
    fn flush(&mut self, inputs: &mut Vec<Input>) {
        if self.pasted.is_some() {
            self.pour();
            inputs.extend(self.pasted.take().map(Input::Paste));
        }
        // Esc and one key, which could have begun a sequence, are that key with Alt.
        if let &[_, key] = self.held.as_slice()
            && let Some(key) = with_alt(key)
        {
            inputs.push(Input::Key(key));
            self.held.clear();
        }
        inputs.extend(mem::take(&mut self.held).into_iter().map(Input::Key));
    }
}

fn is_escape(key: KeyEvent) -> bool {
    key.code == KeyCode::Esc && key.modifiers.is_empty()
}

/// Returns what `key` is with an ESC before it; none if it came with an ESC of its own.
fn with_alt(mut key: KeyEvent) -> Option<KeyEvent> {
    let one_byte = matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace);
    if !one_byte || key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    key.modifiers |= KeyModifiers::ALT;
    Some(key)
}

/// Returns whether `key` is one character, as those of a paste are.
fn is_of_a_paste(key: KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab | KeyCode::Backspace | KeyCode::Esc)
}

/// Returns what `key` writes in a paste that came as keys; a control character writes nothing.
fn written(key: KeyEvent) -> Option<char> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => Some('\r'),
        KeyCode::Tab => Some('\t'),
        KeyCode::Char('j') if control => Some('\n'),
        KeyCode::Char(c) if !control => Some(c),
        _ => None,
    }
}
