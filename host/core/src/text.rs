//! Bounds of texts that come from a component.

/// The text on one line of at most `limit` bytes: control characters become spaces, and what is
/// cut is marked.
pub fn clean(text: &str, limit: u64) -> String {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut out = String::with_capacity(text.len().min(limit));
    for c in text.trim().chars() {
        let c = if c.is_control() || is_invisible(c) {
            ' '
        } else {
            c
        };
        if out.len() + c.len_utf8() > limit {
            // The mark takes three bytes: make room for it.
            while out.len() + '…'.len_utf8() > limit && out.pop().is_some() {}
            if '…'.len_utf8() <= limit {
                out.push('…');
            }
            break;
        }
        out.push(c);
    }
    out
}

/// Line and direction marks, which would let a text rearrange the line that it is shown in.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_bounded_line() {
        assert_eq!(clean(" a\nb\u{1b}[0m ", 100), "a b [0m");
        assert_eq!(clean("a\u{200f}b\u{61c}c\u{202e}d", 100), "a b c d");
        assert_eq!(clean("abcdefgh", 6), "abc…");
        assert_eq!(clean("äääää", 7), "ää…");
        assert_eq!(clean("abc", 2), "");
        assert_eq!(clean("abc", 3), "abc");
    }
}
