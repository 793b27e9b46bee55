//! A user's text in a message: on one line and bounded.

/// At most `limit` characters of `text`, with control characters escaped; `…` says that there is
/// more.
pub fn shown(text: &str, limit: usize) -> String {
    let mut shown = String::new();
    let mut rest = text.chars();
    for character in rest.by_ref().take(limit) {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_on_one_line_and_short() {
        assert_eq!(shown("it's \"é\"", 40), "it's \"é\"");
        assert_eq!(shown("a\nb\u{1b}[0m", 40), "a\\nb\\u{1b}[0m");
        assert_eq!(shown("abcdef", 3), "abc…");
    }
}
