//! Sentences for the reader of the report.

use septet_kit::show::shown;

/// Names in a sentence at most.
const NAMES: usize = 10;

/// `'a', 'b' and 3 more`
pub(crate) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let first: Vec<_> = names
        .take(NAMES)
        .map(|name| format!("'{}'", shown(name, 60)))
        .collect();
    if more > 0 {
        format!("{} and {more} more", first.join(", "))
    } else {
        first.join(", ")
    }
}

/// `1 row`, `2 rows`
pub(crate) fn rows(count: usize) -> String {
    if count == 1 {
        "1 row".to_owned()
    } else {
        format!("{count} rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed(["a", "b"].into_iter()), "'a', 'b'");
        let names = vec!["x"; 12];
        assert!(listed(names.into_iter()).ends_with("'x' and 2 more"));
    }
}
