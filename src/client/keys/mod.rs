//! The keys that were pressed: put together again where a read of the terminal cut them, and told from what only looks like keys.
//! Pure: no terminal, and time is an argument.
//!
//! **Sequences.** A key can be a sequence of bytes that begins with ESC, and a read can end anywhere in it. Esc alone is told from
//! it by the time. What else a terminal sends are answers: nobody typed them, so they are swallowed.
//!
//! **Pastes.** A terminal that can puts brackets round what is pasted; a paste without its end ends with a silence. What comes together
//! with the end of a paste is a part of it: a text that holds such an end would else go on as keys. The Linux console, old terminals
//! and a multiplexer's own paste do not say what is pasted, and no terminal tells who pastes. What hands type is read key by key, at
//! the most a line with its Enter where a network is slow. So a line break with more behind it that came with it is a paste, and so is
//! what is longer than such a line. That is a guess: lines typed ahead look the same, and wait for Enter.
//!
//! **The wheel.** On the alternate screen many terminals, and tmux, send arrows for it, several at once. A key that repeats itself
//! comes one by one.

mod bytes;
mod sequence;
#[cfg(test)]
mod tests;

use std::{mem, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::bytes::Bytes;
use self::sequence::Sequence;

/// What belongs to one key follows the ESC within this time; nobody presses two keys so fast, and nobody feels Esc come so late.
pub const ESCAPE: Duration = Duration::from_millis(50);

/// A paste without brackets has ended when nothing came for so long: more than a network pauses within one, less than it takes to
/// look at what was pasted and press Enter. So has an answer of the terminal.
pub const SILENCE: Duration = Duration::from_millis(250);

/// A paste with brackets has ended when nothing came for so long: its end is lost, and the keyboard must not be.
pub const LOST: Duration = Duration::from_secs(1);

/// What follows within this time came together, where a network or a read has parted it. Hands do not break a line and begin the
/// next so fast, and nobody feels a line be sent so late.
pub const TOGETHER: Duration = Duration::from_millis(30);

/// Arrows within this time of each other are the wheel's: no key repeats itself 100 times a second.
pub const WHEEL: Duration = Duration::from_millis(10);

/// The least that a terminal sends for a turn of the wheel, but for those that can be told not to.
const ARROWS: usize = 3;

/// Nobody types as much while nothing is read: what is longer is a paste.
const LINE: usize = 1000;

/// The longest answer that is swallowed; the longest that a terminal gives unasked are colours, titles and clipboards.
const ANSWER: usize = 1024 * 1024;

/// What a terminal has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed or repeats itself.
    Key(KeyEvent),
    /// This was pasted; line breaks are as the terminal sent them.
    Paste(String),
    /// The wheel was turned by so many rows; down is positive.
    Wheel(i32),
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
    /// What was pasted so far, while a paste goes on.
    pasted: Option<String>,
    /// How long nothing more of that paste comes before it has ended.
    patience: Duration,
    /// How much of an answer of the terminal was swallowed, while it goes on.
    answer: Option<usize>,
    /// Keys that came together: of a text that can become a paste, or one and the same arrow. Nothing else waits beside them.
    burst: Vec<KeyEvent>,
    /// When what waits stops waiting for more.
    until: Duration,
    /// When the last key of a text came, and whether the first of the burst came together with one.
    written_at: Option<Duration>,
    goes_on: bool,
    /// Until when an arrow is one more row of the wheel.
    turning_until: Duration,
}

impl Keys {
    /// Takes an event that came at `now`, which is counted from any fixed moment; returns what is certain then, in order.
    pub fn feed(&mut self, event: Event, now: Duration) -> Vec<Input> {
        let mut inputs = self.wake(now);
        match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => {}
            // What comes together with a line break, such as a colour, was not pressed behind it.
            Event::Key(key) if self.burst.iter().copied().any(is_break) => {
                self.begin_paste(now);
                self.paste_key(key, now, &mut inputs);
            }
            Event::Key(key) if self.pasted.is_some() => self.paste_key(key, now, &mut inputs),
            Event::Key(key) if self.answer.is_some() => self.answer_key(key, now, &mut inputs),
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
        let waits = !self.held.is_empty() || !self.burst.is_empty() || self.pasted.is_some() || self.answer.is_some();
        waits.then_some(self.until)
    }

    /// Returns what is certain at `now` because nothing came. Events that wait to be taken come first: they may complete a key.
    pub fn wake(&mut self, now: Duration) -> Vec<Input> {
        let mut inputs = Vec::new();
        if now >= self.until {
            self.flush(&mut inputs);
        }
        inputs
    }

    /// Returns what is certain because nothing more has been read with the events before.
    pub fn drained(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        // A key alone was typed. Only Enter close behind a text can be the middle of one.
        if let &[key] = self.burst.as_slice()
            && is_text(key)
            && !(is_break(key) && self.goes_on)
        {
            self.flush(&mut inputs);
        }
        inputs
    }

    fn key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        if is_escape(key) {
            // It may begin one more of the same arrow.
            if !self.held.is_empty() || !self.burst.iter().any(|first| arrow(*first).is_some()) {
                self.flush(inputs);
            }
            self.hold(key, now + ESCAPE);
        } else if self.held.is_empty() {
            self.gather(key, now, inputs);
        } else if self.held.len() == 1 && sequence::byte(key).is_none_or(|byte| !sequence::begins(byte)) {
            let with_alt = with_alt(key);
            if with_alt.is_some() {
                self.held.clear();
            }
            self.flush(inputs);
            self.gather(with_alt.unwrap_or(key), now, inputs);
        } else {
            // Nobody types so much of one at once: the rest is on its way, however long a network takes.
            let patience = if self.held.len() > 1 { LOST } else { SILENCE };
            self.hold(key, now + patience);
            self.look(now, inputs);
        }
    }

    /// Takes a whole key, and sees what it is together with those before it.
    fn gather(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        let goes_on = |burst: &[KeyEvent]| match burst.first() {
            Some(&first) if is_text(first) => is_text(key),
            Some(first) => first.code == key.code && arrow(key).is_some(),
            None => true,
        };
        if !goes_on(&self.burst) {
            self.flush(inputs);
        }
        if let Some(row) = arrow(key) {
            return self.turn(key, row, now, inputs);
        }
        // There is a hand at the keys.
        self.turning_until = now;
        if is_text(key) {
            self.write(key, now);
        } else {
            inputs.push(Input::Key(key));
        }
    }

    fn turn(&mut self, key: KeyEvent, row: i32, now: Duration, inputs: &mut Vec<Input>) {
        let mut rows = 1;
        if now >= self.turning_until {
            self.burst.push(key);
            self.until = now + WHEEL;
            if self.burst.len() < ARROWS {
                return;
            }
            rows = mem::take(&mut self.burst).len();
        }
        self.turning_until = now + WHEEL;
        inputs.push(Input::Wheel(row * i32::try_from(rows).unwrap_or(1)));
    }

    fn write(&mut self, key: KeyEvent, now: Duration) {
        if self.burst.is_empty() {
            self.goes_on = self.written_at.is_some_and(|at| now < at + TOGETHER);
        }
        self.written_at = Some(now);
        self.burst.push(key);
        self.until = now + TOGETHER;
        if self.burst.len() > LINE {
            self.begin_paste(now);
        }
    }

    /// Makes what came together the beginning of a paste without brackets.
    fn begin_paste(&mut self, now: Duration) {
        self.pasted = Some(mem::take(&mut self.burst).into_iter().filter_map(written).collect());
        self.patience = SILENCE;
        self.until = now + self.patience;
    }

    /// Acts on what is held if that is a whole sequence, or none.
    fn look(&mut self, now: Duration, inputs: &mut Vec<Input>) {
        let bytes: Option<Vec<u8>> = self.held[1..].iter().map(|key| sequence::byte(*key)).collect();
        let found = bytes.map_or_else(|| sequence::broken(self.held[1]), |bytes| sequence::read(&bytes));
        if found == Sequence::Unfinished {
            return;
        }
        let held = mem::take(&mut self.held);
        if !matches!(found, Sequence::Key(_)) {
            self.flush(inputs);
        }
        match found {
            Sequence::Key(key) if key.kind == KeyEventKind::Release => {}
            Sequence::Key(key) => self.gather(key, now, inputs),
            Sequence::Focus(focus) => inputs.push(Input::Focus(focus)),
            Sequence::PasteBegins => {
                self.pasted = Some(String::new());
                self.patience = LOST;
                self.until = now + self.patience;
            }
            Sequence::AnswerBegins => {
                self.answer = Some(held.len());
                self.until = now + SILENCE;
            }
            Sequence::Unfinished | Sequence::PasteEnds | Sequence::Meaningless => {}
            Sequence::WithAlt => {
                let (with_alt, key) = (with_alt(held[1]), held[held.len() - 1]);
                inputs.extend(with_alt.map(Input::Key));
                self.gather(key, now, inputs);
            }
            Sequence::Cut => self.gather(held[held.len() - 1], now, inputs),
        }
    }

    /// Swallows a key of an answer. BEL and ST end it, and any other control does, which is no part of one.
    fn answer_key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        let length = self.answer.take().unwrap_or_default() + 1;
        let is_bell = key.code == KeyCode::Char('g') && key.modifiers == KeyModifiers::CONTROL;
        if is_text(key) && !is_break(key) && length < ANSWER {
            self.answer = Some(length);
            self.until = now + SILENCE;
        } else if !is_bell {
            self.key(key, now, inputs);
        }
    }

    /// Takes a key of a paste that came as keys. What is held is then what can be its end.
    fn paste_key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        if is_escape(key) {
            self.pour();
            self.hold(key, now + self.patience);
        } else if !self.held.is_empty() && sequence::byte(key).is_some() {
            self.hold(key, now + self.patience);
            let bytes: Vec<u8> = self.held[1..].iter().filter_map(|key| sequence::byte(*key)).collect();
            match sequence::read(&bytes) {
                Sequence::Unfinished => {}
                Sequence::PasteEnds => {
                    self.held.clear();
                    self.patience = TOGETHER;
                    self.until = now + self.patience;
                }
                _ => self.pour(),
            }
        } else if is_of_a_paste(key) {
            self.pour();
            self.pasted.get_or_insert_default().extend(written(key));
            // Text behind its end makes it one without brackets.
            self.patience = self.patience.max(SILENCE);
            self.until = now + self.patience;
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

    /// Waits no longer: hands on what is held.
    fn flush(&mut self, inputs: &mut Vec<Input>) {
        if self.pasted.is_some() {
            self.pour();
            inputs.extend(self.pasted.take().map(Input::Paste));
        }
        self.answer = None;
        inputs.extend(self.burst.drain(..).map(Input::Key));
        // Esc and one key, which could have begun a sequence, are that key with Alt.
        if let &[_, key] = self.held.as_slice()
            && let Some(key) = with_alt(key)
        {
            inputs.push(Input::Key(key));
            self.held.clear();
        }
        let held = mem::take(&mut self.held);
        // Nobody typed the beginning of a longer sequence.
        if held.len() <= 2 {
            inputs.extend(held.into_iter().map(Input::Key));
        }
    }
}

fn is_escape(key: KeyEvent) -> bool {
    key.code == KeyCode::Esc && key.modifiers.is_empty()
}

/// Returns whether `key` writes something, or breaks the line, as what is pasted does.
fn is_text(key: KeyEvent) -> bool {
    let plain = KeyModifiers::SHIFT.contains(key.modifiers);
    match key.code {
        KeyCode::Char(_) => plain || is_break(key),
        KeyCode::Enter | KeyCode::Tab => key.modifiers.is_empty(),
        _ => false,
    }
}

/// Returns whether `key` is a line break: the one that a terminal sends for it, or the one that stands in files.
fn is_break(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Enter => key.modifiers.is_empty(),
        KeyCode::Char('j') => key.modifiers == KeyModifiers::CONTROL,
        _ => false,
    }
}

/// Returns the row to which an arrow that the wheel can send leads; down is positive.
fn arrow(key: KeyEvent) -> Option<i32> {
    match key.code {
        KeyCode::Up if key.modifiers.is_empty() => Some(-1),
        KeyCode::Down if key.modifiers.is_empty() => Some(1),
        _ => None,
    }
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
        // Whole sequences are taken out later, and BEL ends some.
        KeyCode::Esc => Some('\u{1b}'),
        KeyCode::Char('g') if control => Some('\u{7}'),
        KeyCode::Char('j') if control => Some('\n'),
        KeyCode::Char(c) if !control => Some(c),
        _ => None,
    }
}
