//! The keys that were pressed: put together again where a read of the terminal cut them, and told
//! from what only looks like keys. Pure: no terminal, and time is an argument.
//!
//! **Sequences.** A key can be a sequence of bytes that begins with ESC, and a read can end
//! anywhere in it. Esc alone is told from it by the time; where a network has parted the two for
//! longer, by what comes at once behind the gap, because hands type one character a read. What else
//! a terminal sends are answers: nobody typed them, so they are swallowed, and what we asked is
//! told.
//!
//! **Pastes.** A terminal that can puts brackets round what is pasted; a paste without its end ends
//! with a silence. What comes together with the end of a paste is a part of it: a text that holds
//! such an end would else go on as keys. The Linux console, old terminals and a multiplexer's own
//! paste do not say what is pasted, and no terminal tells who pastes. What hands type is read key
//! by key, at the most a line with its Enter where a network is slow. So a line break with more
//! behind it that came with it is a paste, and so is what is longer than such a line. That is a
//! guess: lines typed ahead look the same, and wait for Enter.
//!
//! **The wheel.** On the alternate screen many terminals, and tmux, send arrows for it, several at
//! once. A key that repeats itself comes one by one; when it has, arrows that a slow network hands
//! over together are still the key's.

mod answer;
mod bytes;
mod sequence;
#[cfg(test)]
mod terminals;
#[cfg(test)]
mod tests;

use std::{mem, time::Duration};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::sequence::Sequence;
pub use self::{answer::Answer, bytes::Bytes};

/// What belongs to one key follows the ESC within this time; nobody presses two keys so fast, and
/// nobody feels Esc come so late.
pub const ESCAPE: Duration = Duration::from_millis(50);

/// A paste without brackets has ended when nothing came for so long: more than a network pauses
/// within one, less than it takes to look at what was pasted and press Enter.
pub const SILENCE: Duration = Duration::from_millis(250);

/// A paste with brackets, a sequence and an answer of the terminal have ended when nothing came for
/// so long: their end is lost, and the keyboard must not be.
pub const LOST: Duration = Duration::from_secs(1);

/// What follows within this time came together, where a network or a read has parted it. Hands do
/// not break a line and begin the next so fast, and nobody feels a line be sent so late.
pub const TOGETHER: Duration = Duration::from_millis(30);

/// Arrows within this time of each other are the wheel's: no key repeats itself 100 times a second.
pub const WHEEL: Duration = Duration::from_millis(10);

/// A hand that has turned the wheel presses no arrow so soon: one more is a small turn, as a
/// touchpad sends.
pub const TURNING: Duration = Duration::from_millis(200);

/// How often a key comes one by one before it is known to repeat itself.
const REPEATS: u32 = 2;

/// The least that a terminal sends for a turn of the wheel, but for those that can be told not to.
const ARROWS: usize = 3;

/// Nobody types as much while nothing is read: what is longer is a paste.
const LINE: usize = 1000;

/// The longest answer that is swallowed; the longest that a terminal gives unasked are colours,
/// titles and clipboards.
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
    /// The terminal has answered a question of ours.
    Answer(Answer),
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
    /// What stood before that Esc, if it changes what that is.
    before: Before,
    /// When Esc was handed on because nothing came behind it.
    escaped_at: Option<Duration>,
    /// How many keys of the read under way have come so far.
    in_read: usize,
    /// What was pasted so far, while a paste goes on.
    pasted: Option<String>,
    /// How long nothing more of that paste comes before it has ended.
    patience: Duration,
    /// What was swallowed of an answer of the terminal, while it goes on.
    answer: Option<Swallowed>,
    /// Keys that came together: of a text that can become a paste, or one and the same arrow.
    /// Nothing else waits beside them.
    burst: Vec<KeyEvent>,
    /// When what waits stops waiting for more.
    until: Duration,
    /// When the last key of a text came, and whether the first of the burst came together with one.
    written_at: Option<Duration>,
    goes_on: bool,
    /// Until when an arrow is one more row of the wheel.
    turning_until: Duration,
    /// The arrow that came one by one, how often, and when for the last time.
    repeating: Option<(KeyCode, u32, Duration)>,
}

/// What stood before the Esc that is held.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that matters.
    #[default]
    Nothing,
    /// Another Esc: what is one key then has Alt, as rxvt sends it.
    Escape,
    /// An Esc that was handed on already, because the rest did not come in time.
    HandedOn,
    /// An answer, whose end it begins.
    Answer,
}

/// An answer of the terminal while it goes on.
#[derive(Debug, Default)]
struct Swallowed {
    /// How much of it there was.
    length: usize,
    /// Its beginning.
    text: String,
    /// When it began, and when the last of it came.
    began: Duration,
    latest: Duration,
    /// What it was if it is no answer but keys, the first with Alt: kept while that is possible.
    typed: Option<Vec<KeyEvent>>,
    /// A key that came when no more was expected, and is not swallowed if it was read alone.
    suspect: Option<KeyEvent>,
}

impl Keys {
    /// Takes an event that came at `now`, which is counted from any fixed moment; returns what is
    /// certain then, in order.
    pub fn feed(&mut self, event: Event, now: Duration) -> Vec<Input> {
        let mut inputs = self.wake(now);
        self.in_read += usize::from(matches!(event, Event::Key(_)));
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

    /// Returns what is certain at `now` because nothing came. Events that wait to be taken come
    /// first: they may complete a key.
    pub fn wake(&mut self, now: Duration) -> Vec<Input> {
        let mut inputs = Vec::new();
        if now >= self.until {
            if self.before == Before::Nothing && matches!(self.held[..], [_]) {
                self.escaped_at = Some(now);
            }
            self.flush(&mut inputs);
        }
        inputs
    }

    /// Returns what is certain because nothing more has been read with the events before.
    pub fn drained(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        let alone = mem::take(&mut self.in_read) == 1;
        if let Some(answer) = &mut self.answer
            && let Some(key) = answer.suspect.take()
            && alone
        {
            let now = answer.latest;
            self.answer = None;
            self.key(key, now, &mut inputs);
        }
        if self.before == Before::HandedOn && self.held.len() <= 3 && !self.held.is_empty() {
            self.settle_late(&mut inputs);
        }
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
            if self.before == Before::Nothing && self.held.len() == 1 {
                self.before = Before::Escape;
                self.until = now + ESCAPE;
                return;
            }
            // It may begin one more of the same arrow.
            if !self.held.is_empty() || !self.burst.iter().any(|first| arrow(*first).is_some()) {
                self.flush(inputs);
            }
            self.hold(key, now + ESCAPE);
        } else if self.held.is_empty() {
            if self.goes_on_late(key, now) {
                self.before = Before::HandedOn;
                self.hold(KeyCode::Esc.into(), now + LOST);
                self.hold(key, now + LOST);
            } else {
                self.gather(key, now, inputs);
            }
        } else if self.held.len() == 1 && sequence::byte(key).is_none_or(|byte| !sequence::begins(byte)) {
            let with_alt = with_alt(key);
            if with_alt.is_some() {
                self.held.clear();
            }
            self.flush(inputs);
            self.gather(with_alt.unwrap_or(key), now, inputs);
        } else if self.before == Before::HandedOn && self.held.len() == 3 && sequence::byte(self.held[1]) == Some(b'O')
        {
            // Only what ends with the read is not looked at before.
            self.give_up_late(inputs);
            self.gather(key, now, inputs);
        } else {
            // Nobody types so much of one at once: the rest is on its way, however long a network
            // takes.
            self.hold(key, now + LOST);
            self.look(now, inputs);
        }
    }

    /// Returns whether `key` goes on with a sequence whose Esc was handed on: what came first of a
    /// read behind it.
    fn goes_on_late(&self, key: KeyEvent, now: Duration) -> bool {
        let is_soon = self.escaped_at.is_some_and(|at| now < at + LOST);
        let begins = sequence::byte(key).is_some_and(|byte| sequence::begins(byte) && byte != b'\\');
        is_soon && begins && self.in_read == 1 && self.burst.is_empty()
    }

    /// Decides on what goes on behind an Esc that was handed on, when the read has ended.
    fn settle_late(&mut self, inputs: &mut Vec<Input>) {
        let bytes: Vec<u8> = self.held[1..].iter().filter_map(|key| sequence::byte(*key)).collect();
        match (bytes.as_slice(), sequence::read(&bytes)) {
            ([b'O', _], Sequence::Key(key)) => {
                self.held.clear();
                self.before = Before::Nothing;
                let now = self.until.saturating_sub(LOST);
                self.gather(key, now, inputs);
            }
            // One alone was typed.
            ([_] | [b'O', _], _) => self.give_up_late(inputs),
            _ => {}
        }
    }

    /// Takes what is held behind an Esc that was handed on for what it looks like: keys.
    fn give_up_late(&mut self, inputs: &mut Vec<Input>) {
        self.before = Before::Nothing;
        self.escaped_at = None;
        let now = self.until.saturating_sub(LOST);
        for key in mem::take(&mut self.held).into_iter().skip(1) {
            self.gather(key, now, inputs);
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
        self.repeating = None;
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
            let repeats =
                self.repeating.is_some_and(|(code, times, at)| code == key.code && times >= REPEATS && now < at + LOST);
            if repeats {
                return self.flush(inputs);
            }
            rows = mem::take(&mut self.burst).len();
        }
        self.turning_until = now + TURNING;
        self.repeating = None;
        inputs.push(Input::Wheel(row * i32::try_from(rows).unwrap_or(1)));
    }

    /// Takes note of arrows that came one by one: so a key repeats itself.
    fn note_repeats(&mut self) {
        let Some(key) = self.burst.first().filter(|key| arrow(**key).is_some()) else { return };
        let at = self.until.saturating_sub(WHEEL);
        let before = self.repeating.filter(|(code, _, latest)| *code == key.code && at < *latest + SILENCE);
        self.repeating = Some((key.code, before.map_or(1, |(_, times, _)| times.saturating_add(1)), at));
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
        let last = self.held[self.held.len() - 1];
        let found = bytes.as_ref().map_or_else(|| sequence::broken(self.held[1], last), |bytes| sequence::read(bytes));
        let is_late = self.before == Before::HandedOn;
        if found == Sequence::Unfinished || is_late && bytes.is_some_and(|bytes| matches!(bytes[..], [b'O', _])) {
            return;
        }
        if is_late && matches!(found, Sequence::WithAlt | Sequence::Cut) {
            return self.give_up_late(inputs);
        }
        let held = mem::take(&mut self.held);
        let before = mem::take(&mut self.before);
        let doubled = before == Before::Escape;
        if !matches!(found, Sequence::Key(_)) {
            if doubled {
                inputs.push(Input::Key(KeyCode::Esc.into()));
            }
            self.flush(inputs);
        }
        match found {
            Sequence::Key(key) if key.kind == KeyEventKind::Release => {}
            Sequence::Key(mut key) => {
                key.modifiers.set(KeyModifiers::ALT, doubled || key.modifiers.contains(KeyModifiers::ALT));
                self.gather(key, now, inputs);
            }
            Sequence::Focus(focus) => inputs.push(Input::Focus(focus)),
            Sequence::Answer(answer) => inputs.push(Input::Answer(answer)),
            Sequence::PasteBegins => {
                self.pasted = Some(String::new());
                self.patience = LOST;
                self.until = now + self.patience;
            }
            Sequence::AnswerBegins | Sequence::AnswerOrKeys => {
                let is_certain = found == Sequence::AnswerBegins;
                let text = held[1..].iter().filter_map(|key| written(*key)).collect();
                let with_alt = with_alt(held[1]).filter(|_| !is_late).unwrap_or(held[1]);
                let typed = (!is_certain).then(|| [&[with_alt], &held[2..]].concat());
                let length = held.len();
                self.answer = Some(Swallowed { length, text, began: now, latest: now, typed, suspect: None });
                self.until = now + if is_certain { LOST } else { SILENCE };
            }
            Sequence::Unfinished | Sequence::PasteEnds | Sequence::Meaningless => {}
            Sequence::WithAlt => {
                inputs.extend(with_alt(held[1]).map(Input::Key));
                self.gather(last, now, inputs);
            }
            Sequence::Cut => self.gather(last, now, inputs),
        }
    }

    /// Swallows a key of an answer. BEL and ST end it, and any other control does, which is no part
    /// of one.
    fn answer_key(&mut self, key: KeyEvent, now: Duration, inputs: &mut Vec<Input>) {
        let Some(mut answer) = self.answer.take() else { return };
        if key.code == KeyCode::Char('g') && key.modifiers == KeyModifiers::CONTROL {
            inputs.extend(Answer::of(&answer.text).map(Input::Answer));
            return;
        }
        if is_escape(key) {
            // Its end, which is two bytes, whatever comes between them.
            self.answer = Some(answer);
            self.before = Before::Answer;
            self.held.clear();
            self.hold(key, now + LOST);
            return;
        }
        if self.before == Before::Answer && !self.held.is_empty() {
            self.held.clear();
            self.before = Before::Nothing;
            if sequence::byte(key) == Some(b'\\') {
                inputs.extend(Answer::of(&answer.text).map(Input::Answer));
                return;
            }
            // It has no end, and something else begins.
            give_back(answer, inputs);
            self.hold(KeyCode::Esc.into(), now + ESCAPE);
            return self.key(key, now, inputs);
        }
        answer.length += 1;
        if !is_text(key) || is_break(key) || answer.length >= ANSWER {
            give_back(answer, inputs);
            return self.key(key, now, inputs);
        }
        // What an answer brings comes together. What comes alone after a silence, or when it has
        // lasted long, was typed.
        let is_late = now >= answer.latest + SILENCE || now >= answer.began + 2 * LOST;
        answer.suspect = (is_late && self.in_read == 1).then_some(key);
        answer.latest = now;
        if answer.text.len() < answer::LONGEST {
            answer.text.extend(written(key));
        }
        match &mut answer.typed {
            Some(typed) if typed.len() < LINE => typed.push(key),
            _ => answer.typed = None,
        }
        self.until = now + if answer.typed.is_some() { SILENCE } else { LOST };
        self.answer = Some(answer);
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
        let before = mem::take(&mut self.before);
        if let Some(answer) = self.answer.take() {
            give_back(answer, inputs);
        }
        self.note_repeats();
        inputs.extend(self.burst.drain(..).map(Input::Key));
        match before {
            Before::Escape => inputs.push(Input::Key(KeyCode::Esc.into())),
            Before::Nothing => {}
            // Nobody pressed it just now.
            Before::Answer | Before::HandedOn => self.held.clear(),
        }
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

/// Hands on what was no answer.
fn give_back(answer: Swallowed, inputs: &mut Vec<Input>) {
    inputs.extend(answer.typed.into_iter().flatten().map(Input::Key));
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

/// Returns whether `key` is a line break: the one that a terminal sends for it, or the one that
/// stands in files.
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
        _ if key.kind != KeyEventKind::Press => None,
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
