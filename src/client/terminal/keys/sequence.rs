//! What the bytes behind an ESC mean: ECMA-48 section 5.4 for their form; xterm's, rxvt's, the
//! Linux console's and kitty's keys. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::answer::Answer;

/// The longest sequence that is waited for; kitty's longest have some 30 bytes.
const LONGEST: usize = 64;

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sequence {
    /// The beginning of a sequence.
    Unfinished,
    Key(KeyEvent),
    Focus(bool),
    PasteBegins,
    PasteEnds,
    /// An answer to a question of ours.
    Answer(Answer),
    /// The beginning of a string, as terminals answer: OSC, DCS, APC, PM or SOS. It goes on to its
    /// end.
    AnswerBegins,
    /// The beginning of a string, or a key with Alt and another behind it: its end tells.
    AnswerOrKeys,
    /// A key with Alt, and another behind it.
    WithAlt,
    /// A sequence, but no key that is known, or an answer. Nobody typed it.
    Meaningless,
    /// A key that can stand in no sequence, behind the beginning of one, which nobody typed.
    Cut,
}

/// Returns the byte that `key` was, if it can stand in a sequence.
pub(super) fn byte(key: KeyEvent) -> Option<u8> {
    match key.code {
        KeyCode::Char(c @ ' '..='~') if KeyModifiers::SHIFT.contains(key.modifiers) => u8::try_from(c).ok(),
        _ => None,
    }
}

/// Returns whether `byte` behind an ESC can begin a sequence, CSI or SS3, or a string, or is the
/// end of one (ST).
pub(super) fn begins(byte: u8) -> bool {
    matches!(byte, b'[' | b'O' | b'\\') || begins_string(byte)
}

pub(super) fn begins_string(byte: u8) -> bool {
    matches!(byte, b']' | b'P' | b'_' | b'^' | b'X')
}

/// Returns what is left of a sequence that begins with ESC and `first`, when `key` comes, which can
/// stand in none.
pub(super) fn broken(first: KeyEvent, key: KeyEvent) -> Sequence {
    match byte(first) {
        Some(first) if begins_string(first) => {
            if matches!(key.code, KeyCode::Char(_)) && KeyModifiers::SHIFT.contains(key.modifiers) {
                Sequence::AnswerOrKeys
            } else {
                Sequence::WithAlt
            }
        }
        _ => Sequence::Cut,
    }
}

/// Returns what `bytes`, those behind the ESC, are.
pub(super) fn read(bytes: &[u8]) -> Sequence {
    match *bytes {
        // F1 to F5 of the Linux console.
        [b'[', b'[', last @ b'A'..=b'E'] => Sequence::Key(KeyCode::F(1 + last - b'A').into()),
        // With M, where the mouse is, in three characters behind it.
        [b'[' | b'O'] | [b'[', b'[' | b'M'] | [b'[', b'M', _] | [b'[', b'M', _, _] => Sequence::Unfinished,
        [b'\\'] | [b'[', b'[', _] | [b'[', b'M', _, _, _] => Sequence::Meaningless,
        [first] if begins_string(first) => Sequence::Unfinished,
        // Numbers, and what else tells one answer from another.
        [first, b'0'..=b'?' | b'!' | b'$' | b'+'] if begins_string(first) => Sequence::AnswerBegins,
        [b'_', b'G'] | [b']', b'l' | b'L' | b'I'] => Sequence::AnswerBegins,
        [first, _] if begins_string(first) => Sequence::AnswerOrKeys,
        [b'O', ref parameters @ .., last] => keypad(parameters, last),
        // rxvt's keys with Shift, whose end is no final byte elsewhere.
        [b'[', ref digits @ .., b'$'] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            control(digits, b'$')
        }
        [b'[', b'?', .., b'c'] => Sequence::Answer(Answer::Attributes),
        [b'[', b'?', ref flags @ .., b'u'] if flags.iter().all(u8::is_ascii_digit) => {
            Sequence::Answer(Answer::Keyboard)
        }
        [b'[', ref parameters @ .., last @ b'@'..=b'~'] => control(parameters, last),
        [b'[', ..] if bytes.len() < LONGEST => Sequence::Unfinished,
        [b'[', ..] => Sequence::AnswerBegins,
        _ => Sequence::Meaningless,
    }
}

/// Returns what a control sequence means: parameters, then the final byte.
fn control(parameters: &[u8], last: u8) -> Sequence {
    // Answers and reports have other bytes as well.
    if !parameters.iter().all(|byte| matches!(byte, b'0'..=b';')) {
        return Sequence::Meaningless;
    }
    let mut fields = parameters.split(|byte| *byte == b';');
    let mut field = || fields.next().unwrap_or_default().split(|byte| *byte == b':').map(number);
    let mut numbers = field();
    let (first, shifted, base) = (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten());
    let mut state = field();
    let (bits, kind) = (state.next().flatten(), state.next().flatten());
    let third = field().next().flatten();
    let modifiers = modifiers(bits);
    let kind = match kind {
        Some(2) => KeyEventKind::Repeat,
        Some(3) => KeyEventKind::Release,
        _ => KeyEventKind::Press,
    };
    let character = |number, text| Character { number, shifted, base, text, capitals: capitals(bits) };
    let key = match (last, first) {
        (b'I', None) => return Sequence::Focus(true),
        (b'O', None) => return Sequence::Focus(false),
        (b'~', Some(200)) => return Sequence::PasteBegins,
        (b'~', Some(201)) => return Sequence::PasteEnds,
        (b'Z', None | Some(1)) => {
            Some(KeyEvent::new_with_kind(KeyCode::BackTab, modifiers | KeyModifiers::SHIFT, kind))
        }
        // xterm's modifyOtherKeys.
        (b'~', Some(27)) => third.and_then(|number| unicode(&character(number, None), modifiers, kind)),
        (b'~', Some(first)) => numbered(first).map(|code| KeyEvent::new_with_kind(code, modifiers, kind)),
        // rxvt's keys with Shift, Control or both.
        (b'$', Some(first)) => numbered(first).map(|code| KeyEvent::new(code, KeyModifiers::SHIFT)),
        (b'^', Some(first)) => numbered(first).map(|code| KeyEvent::new(code, KeyModifiers::CONTROL)),
        (b'@', Some(first)) => {
            numbered(first).map(|code| KeyEvent::new(code, KeyModifiers::CONTROL | KeyModifiers::SHIFT))
        }
        (b'a'..=b'd', None) if parameters.is_empty() => {
            letter(last.to_ascii_uppercase(), KeyModifiers::SHIFT, KeyEventKind::Press)
        }
        (b'u', Some(first)) => unicode(&character(first, third), modifiers, kind),
        // F3 with a modifier, and where the cursor is in the first row: nobody asked for that, but
        // somebody before us can have.
        (b'R', Some(_)) => None,
        (_, None | Some(1)) => letter(last, modifiers, kind),
        // The modifiers alone, as xterm has it with modifyCursorKeys 1.
        (_, Some(2..=16)) if bits.is_none() && third.is_none() => letter(last, self::modifiers(first), kind),
        _ => None,
    };
    key.map_or(Sequence::Meaningless, Sequence::Key)
}

/// Returns what SS3, parameters as old terminals have them, and `last` mean.
fn keypad(parameters: &[u8], last: u8) -> Sequence {
    let is_parameter = |byte: &u8| matches!(byte, b'0'..=b'9' | b';');
    if !parameters.iter().all(is_parameter) {
        return Sequence::Meaningless;
    }
    if is_parameter(&last) {
        return if parameters.len() < LONGEST { Sequence::Unfinished } else { Sequence::Meaningless };
    }
    let key = if parameters.is_empty() {
        single(last)
    } else {
        let bits = parameters.rsplit(|byte| *byte == b';').next().and_then(number);
        letter(last, modifiers(bits), KeyEventKind::Press)
    };
    key.map_or(Sequence::Meaningless, Sequence::Key)
}

/// Returns the key whose sequence is SS3 and this byte: xterm's, rxvt's arrows with Control, and
/// the keypad's as a VT100 sends them.
fn single(last: u8) -> Option<KeyEvent> {
    let code = match last {
        b'a'..=b'd' => return letter(last.to_ascii_uppercase(), KeyModifiers::CONTROL, KeyEventKind::Press),
        b'M' => KeyCode::Enter,
        b'I' => KeyCode::Tab,
        b' ' => KeyCode::Char(' '),
        b'X' => KeyCode::Char('='),
        b'j'..=b'y' => KeyCode::Char(char::from(last - b'j' + b'*')),
        _ => return letter(last, KeyModifiers::NONE, KeyEventKind::Press),
    };
    Some(code.into())
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the modifiers that xterm and kitty count from 1 on.
fn modifiers(number: Option<u32>) -> KeyModifiers {
    let bits = number.unwrap_or(1).saturating_sub(1);
    let names = [
        KeyModifiers::SHIFT,
        KeyModifiers::ALT,
        KeyModifiers::CONTROL,
        KeyModifiers::SUPER,
        KeyModifiers::HYPER,
        KeyModifiers::META,
    ];
    names.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name).collect()
}

/// Returns whether the same number says that Caps Lock is on.
fn capitals(number: Option<u32>) -> bool {
    number.unwrap_or(1).saturating_sub(1) >> 6 & 1 == 1
}

/// Returns the key whose sequence ends with this letter.
fn letter(last: u8, modifiers: KeyModifiers, kind: KeyEventKind) -> Option<KeyEvent> {
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(1 + last - b'P'),
        _ => return None,
    };
    Some(KeyEvent::new_with_kind(code, modifiers, kind))
}

/// Returns the key whose sequence is this number and a tilde.
fn numbered(number: u32) -> Option<KeyCode> {
    Some(match u8::try_from(number).ok()? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        // The numbers of a VT220 have gaps, as its keyboard had.
        n @ 11..=15 => KeyCode::F(n - 10),
        n @ 17..=21 => KeyCode::F(n - 11),
        n @ 23..=26 => KeyCode::F(n - 12),
        n @ 28..=29 => KeyCode::F(n - 15),
        n @ 31..=34 => KeyCode::F(n - 17),
        _ => return None,
    })
}

/// The keys of the keypad, which kitty counts from 57399 on, as far as they have a use here.
const KEYPAD: [KeyCode; 28] = [
    KeyCode::Char('0'),
    KeyCode::Char('1'),
    KeyCode::Char('2'),
    KeyCode::Char('3'),
    KeyCode::Char('4'),
    KeyCode::Char('5'),
    KeyCode::Char('6'),
    KeyCode::Char('7'),
    KeyCode::Char('8'),
    KeyCode::Char('9'),
    KeyCode::Char('.'),
    KeyCode::Char('/'),
    KeyCode::Char('*'),
    KeyCode::Char('-'),
    KeyCode::Char('+'),
    KeyCode::Enter,
    KeyCode::Char('='),
    KeyCode::Char(','),
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::Insert,
    KeyCode::Delete,
];

/// What kitty says of a key with a character.
#[derive(Debug, Clone, Copy)]
struct Character {
    /// The character without Shift, in the layout that is in use. xterm says it with Shift.
    number: u32,
    /// The character with Shift.
    shifted: Option<u32>,
    /// The character of the same key in the layout of the United States.
    base: Option<u32>,
    /// What the key writes.
    text: Option<u32>,
    /// Whether Caps Lock is on.
    capitals: bool,
}

/// Returns the key of a character: the same key as it is where a terminal has nothing but bytes for
/// it.
fn unicode(character: &Character, mut modifiers: KeyModifiers, kind: KeyEventKind) -> Option<KeyEvent> {
    let code = match char::from_u32(character.number)? {
        '\u{1b}' => KeyCode::Esc,
        '\r' => KeyCode::Enter,
        '\t' if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        '\u{8}' | '\u{7f}' => KeyCode::Backspace,
        c if c.is_control() => return None,
        // Kitty's keys without a character.
        '\u{e000}'..='\u{f8ff}' => *KEYPAD.get(usize::try_from(character.number.checked_sub(57399)?).ok()?)?,
        c if modifiers.contains(KeyModifiers::CONTROL) => {
            let shifts = modifiers.contains(KeyModifiers::SHIFT);
            let shifted = character.shifted.and_then(char::from_u32).filter(|_| shifts);
            modifiers.remove(KeyModifiers::SHIFT);
            with_control(shifted.unwrap_or(c), latin(c, character), shifts, &mut modifiers)
        }
        c => {
            let c = if modifiers.contains(KeyModifiers::ALT) { latin(c, character) } else { c };
            let c = written(c, character, modifiers);
            modifiers.set(KeyModifiers::SHIFT, c.is_uppercase());
            KeyCode::Char(c)
        }
    };
    Some(KeyEvent::new_with_kind(code, modifiers, kind))
}

/// Returns the character of the key in a Latin layout, if `c` is of another script: it names the
/// key in what is pressed with Control or Alt.
fn latin(c: char, character: &Character) -> char {
    let base = character.base.and_then(char::from_u32).filter(char::is_ascii);
    base.filter(|_| !c.is_ascii()).unwrap_or(c)
}

/// Returns what a key writes.
fn written(c: char, character: &Character, modifiers: KeyModifiers) -> char {
    let shifts = modifiers.contains(KeyModifiers::SHIFT);
    let shifted = character.shifted.filter(|_| shifts);
    let text = character.text.or(shifted).and_then(char::from_u32).filter(|c| !c.is_control());
    text.unwrap_or_else(|| {
        let mut upper = c.to_uppercase();
        match (shifts != character.capitals, upper.next(), upper.next()) {
            (true, Some(upper), None) => upper,
            _ => c,
        }
    })
}

/// Returns what the key of `c` is with Control: a terminal that has nothing but bytes sends control
/// characters for them, which are also other keys. Control stays in `modifiers` where it is no
/// other key.
fn with_control(shown: char, c: char, shifts: bool, modifiers: &mut KeyModifiers) -> KeyCode {
    let code = match (shown, c.to_ascii_lowercase()) {
        ('?', _) | (_, '8') => KeyCode::Backspace,
        ('_', _) => return KeyCode::Char('_'),
        (_, '-') if shifts => return KeyCode::Char('_'),
        ('@', _) | (_, '2') => return KeyCode::Char(' '),
        (_, 'i') => KeyCode::Tab,
        (_, 'm') => KeyCode::Enter,
        (_, '[' | '3') => KeyCode::Esc,
        (_, lower) => return KeyCode::Char(lower),
    };
    modifiers.remove(KeyModifiers::CONTROL);
    code
}
