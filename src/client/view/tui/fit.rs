//! Truncates texts to a width. Pure.

use unicode_truncate::UnicodeTruncateStr as _;
use unicode_width::UnicodeWidthStr as _;

/// Returns `text`, truncated between grapheme clusters and ended with an ellipsis if it is wider
/// than `width` columns.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(rest) = width.checked_sub(1) else { return String::new() };
    let (head, _) = text.unicode_truncate(rest);
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_and_what_does_not_is_cut_between_characters() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello", 4), "hel…");
        assert_eq!(fit("学生学生", 4), "学…");
        assert_eq!(fit("👩‍👩‍👧x", 2), "…");
        assert_eq!(fit("x", 0), "");
    }
}
