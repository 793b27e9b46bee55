//! The header line: names of the columns.

use std::collections::BTreeMap;

use septet_kit::{arrow::MAX_COLUMNS, show::shown, table::RESERVED};

use crate::records::Record;

/// Bytes of a column's name at most.
const MAX_NAME: usize = 255;

/// Columns at most: the table has one more, the number of the line.
pub const MAX_NAMES: usize = MAX_COLUMNS - 1;

/// Whether a name is one that a column may have.
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with(RESERVED)
        && !name.contains(char::is_control)
}

/// The names of the columns, without space around them.
pub fn names(header: &Record<'_>) -> Result<Vec<String>, String> {
    let line = header.line;
    if header.len() > MAX_NAMES {
        return Err(format!(
            "the header (line {line}) has {} columns: at most {MAX_NAMES} are taken",
            header.len()
        ));
    }
    let mut seen = BTreeMap::new();
    let mut names = Vec::with_capacity(header.len());
    for (number, field) in (1..).zip(header.fields()) {
        let name = std::str::from_utf8(field).map_err(|_| {
            format!(
                "the header (line {line}) is not UTF-8: convert the file, for example by 'iconv \
                 -f ISO-8859-1 -t UTF-8'"
            )
        })?;
        let name = name.trim();
        if name.is_empty() {
            return Err(format!(
                "column {number} has no name in the header (line {line}): name it, or leave it \
                 out (pandas writes its index so unless told index=False)"
            ));
        }
        if name.len() > MAX_NAME {
            return Err(format!(
                "the name of column {number} in the header (line {line}) is longer than \
                 {MAX_NAME} bytes: is this CSV?"
            ));
        }
        if name.contains(char::is_control) {
            return Err(format!(
                "the name of column {number} in the header (line {line}), '{}', has a control \
                 character: rename it",
                shown(name, 80)
            ));
        }
        if name.starts_with(RESERVED) {
            return Err(format!(
                "column {number} has the reserved name '{}': rename it",
                shown(name, 80)
            ));
        }
        if let Some(first) = seen.insert(name, number) {
            return Err(format!(
                "the column '{}' comes twice in the header (line {line}): columns {first} and \
                 {number}",
                shown(name, 80)
            ));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    fn header(line: &[u8]) -> Result<Vec<String>, String> {
        let mut records = Records::new(line, b',');
        names(&records.next_record().unwrap().unwrap())
    }

    #[test]
    fn names_are_trimmed_and_checked() {
        assert_eq!(header(b"a, b ,\"c,d\"\n").unwrap(), ["a", "b", "c,d"]);
        let told = |line: &[u8]| header(line).unwrap_err();
        assert!(told(b",a\n").starts_with("column 1 has no name"));
        assert!(
            told(b"a,b, a\n").contains("'a' comes twice in the header (line 1): columns 1 and 3")
        );
        assert!(told(b"a,septet:row\n").contains("reserved name 'septet:row'"));
        assert!(told(b"a,\xe9\n").contains("iconv"));
        assert!(told(b"a,\"b\nc\"\n").contains("has a control character"));
        assert!(!is_name("b\u{1}c"));
        assert!(told(&vec![b'x'; 2_000]).contains("longer than 255 bytes"));
        assert_eq!(header(&[b'x'; 255]).unwrap().len(), 1);
        assert!(
            told(",x".repeat(4_096).trim_start_matches(',').as_bytes()).contains("4096 columns")
        );
    }
}
