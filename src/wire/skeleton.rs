//! What a text looks like, so that two that look alike can be told to be the same. Pure.

use std::sync::LazyLock;

/// Returns the UTS 39 section 4 skeleton of `text`, in lower case: two texts with the same one look alike.
pub(super) fn skeleton(text: &str) -> String {
    // Most names are ASCII, whose characters are looked at one by one, and the rules for all others take many times as long.
    static ASCII: LazyLock<[String; 128]> = LazyLock::new(|| {
        std::array::from_fn(|code| {
            let c = u8::try_from(code).map_or('\0', char::from);
            by_tables(c.encode_utf8(&mut [0; 4]))
        })
    });
    if text.is_ascii() { text.bytes().map(|byte| ASCII[usize::from(byte)].as_str()).collect() } else { by_tables(text) }
}

fn by_tables(text: &str) -> String {
    unicode_security::skeleton(text).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_looked_at_one_by_one() {
        for first in '\0'..='\x7f' {
            for second in '\0'..='\x7f' {
                let text = format!("{first}{second}m");
                assert_eq!(skeleton(&text), by_tables(&text), "{text:?}");
            }
        }
    }
}
