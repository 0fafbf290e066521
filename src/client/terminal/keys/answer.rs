//! What a terminal answers to the questions that we ask it. Pure.

/// The longest name of a terminal that is kept, and the most of any answer that is looked at, in
/// characters.
pub(super) const LONGEST: usize = 128;

/// An answer of the terminal to a question of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The ground has this colour: red, green and blue (OSC 11).
    Ground([u8; 3]),
    /// Its name and version (XTVERSION).
    Name(String),
    /// It speaks kitty's keyboard protocol.
    Keyboard,
    /// What it is (DA1): every terminal says that, and answers in the order of the questions. So it
    /// says no more.
    Attributes,
}

impl Answer {
    /// Returns what a string of a terminal answers, from what stands behind its ESC, without its
    /// end.
    pub(super) fn of(string: &str) -> Option<Self> {
        if let Some(colour) = string.strip_prefix("]11;") {
            return ground(colour).map(Self::Ground);
        }
        string.strip_prefix("P>|").map(|name| Self::Name(name.to_owned()))
    }
}

/// Reads a colour as X11 names it: `rgb:` or `rgba:`, each part with one to four hexadecimal
/// digits; or `#` and two digits each.
fn ground(colour: &str) -> Option<[u8; 3]> {
    let parts: Vec<&str> = if let Some(digits) = colour.strip_prefix('#') {
        if digits.len() != 6 || !digits.is_ascii() {
            return None;
        }
        vec![&digits[..2], &digits[2..4], &digits[4..]]
    } else {
        colour.strip_prefix("rgb:").or_else(|| colour.strip_prefix("rgba:"))?.split('/').collect()
    };
    let part = |digits: &&str| {
        if !(1..=4).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let largest = (1_u32 << (4 * digits.len())) - 1;
        u8::try_from(u32::from_str_radix(digits, 16).ok()? * 255 / largest).ok()
    };
    let parts: Vec<u8> = parts.iter().take(3).map(part).collect::<Option<_>>()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ground_is_read_in_every_spelling() {
        for (string, rgb) in [
            ("]11;rgb:1e1e/1e1e/2e2e", [0x1e, 0x1e, 0x2e]),
            ("]11;rgb:ff/80/00", [0xff, 0x80, 0]),
            ("]11;rgb:f/0/8", [0xff, 0, 0x88]),
            ("]11;rgba:ffff/ffff/ffff/cccc", [0xff; 3]),
            ("]11;#fdf6e3", [0xfd, 0xf6, 0xe3]),
        ] {
            assert_eq!(Answer::of(string), Some(Answer::Ground(rgb)), "{string}");
        }
        for string in [
            "]11;",
            "]11;?",
            "]11;rgb:",
            "]11;rgb:0/0",
            "]11;rgb:00000/0/0",
            "]11;rgb:+1/0/0",
            "]11;#ééé",
            "]10;rgb:0/0/0",
        ] {
            assert_eq!(Answer::of(string), None, "{string}");
        }
    }

    #[test]
    fn a_terminal_says_its_name() {
        assert_eq!(Answer::of("P>|foot(1.16.2)"), Some(Answer::Name("foot(1.16.2)".to_owned())));
        assert_eq!(Answer::of("P1$r0m"), None);
    }
}
