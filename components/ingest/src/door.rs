//! The first bytes of a source: is it text, and which delimiter has it.

/// How many first bytes are looked at.
pub const HEAD: usize = 64 << 10;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Bytes to skip: the mark of UTF-8.
    pub skip: u64,
    /// Between fields.
    pub delimiter: u8,
}

/// The delimiters that are looked for; the first wins where two are as frequent.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Formats that are no CSV, by their first bytes, and what to do.
const OTHERS: [(&[u8], &str); 10] = [
    (b"PAR1", "a Parquet file: convert it to CSV first"),
    (b"ARROW1", "an Arrow file: convert it to CSV first"),
    (
        b"PK\x03\x04",
        "a zip archive or a spreadsheet: save it as CSV first",
    ),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet: save it as CSV first"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file: unpack it first"),
    (b"BZh", "a bzip2 file: unpack it first"),
    (b"<!DOCTYPE", "a web page: download the data itself"),
    (b"<html", "a web page: download the data itself"),
    (b"%PDF-", "a PDF file: a table in CSV is needed"),
];

/// Looks at the first bytes. `given` is the delimiter where the user gave one.
pub fn look(head: &[u8], given: Option<u8>) -> Result<Door, String> {
    if head.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || alternates(head) {
        return Err("the file is UTF-16: convert it to UTF-8, for example by \
                    'iconv -f UTF-16 -t UTF-8'"
            .to_owned());
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("the file is {what}"));
    }
    if let Some(at) = head.iter().position(|byte| *byte == 0) {
        return Err(format!("the file is binary, not CSV: byte {at} is NUL"));
    }
    let (skip, text) = match head.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (3, rest),
        None => (0, head),
    };
    if text.iter().all(u8::is_ascii_whitespace) && head.len() < HEAD {
        return Err("the file is empty: it has only blank lines".to_owned());
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return Err("the file is JSON: convert it to CSV first".to_owned());
    }
    Ok(Door {
        skip,
        delimiter: given.unwrap_or_else(|| sniff(text)),
    })
}

/// Whether every other byte is NUL, as in UTF-16 without a mark.
fn alternates(head: &[u8]) -> bool {
    let pairs = head.get(..head.len().min(64)).unwrap_or_default();
    let zeros = |odd: usize| {
        pairs
            .iter()
            .skip(odd)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let half = pairs.len() / 2;
    half >= 2 && ((even * 10 >= half * 9 && odd == 0) || (odd * 10 >= half * 9 && even == 0))
}

/// The delimiter that comes most often on the header line, outside of quotes.
fn sniff(text: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in text.iter().skip_while(|byte| matches!(byte, b'\r' | b'\n')) {
        match byte {
            b'"' => quoted = !quoted,
            b'\r' | b'\n' if !quoted => break,
            byte if !quoted => {
                for (delimiter, count) in DELIMITERS.iter().zip(&mut counts) {
                    *count += usize::from(delimiter == byte);
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    DELIMITERS
        .iter()
        .zip(counts)
        .find(|(_, count)| *count == most)
        .map_or(b',', |(delimiter, _)| *delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_found_on_the_header() {
        let delimiter = |text: &str| look(text.as_bytes(), None).unwrap().delimiter;
        assert_eq!(delimiter("a,b;c\n1;2;3;4;5\n"), b',');
        assert_eq!(delimiter("a;b;c\n1,5;2,5;3\n"), b';');
        assert_eq!(delimiter("\"a,b,c\"\td\n"), b'\t');
        assert_eq!(delimiter("a|b\n"), b'|');
        assert_eq!(delimiter("only\n1\n"), b',');
        assert_eq!(look(b"a,b\n", Some(b';')).unwrap().delimiter, b';');
    }

    #[test]
    fn the_mark_of_utf_8_is_skipped() {
        assert_eq!(look(b"\xef\xbb\xbfa,b\n", None).unwrap().skip, 3);
    }

    #[test]
    fn what_is_no_csv_is_told() {
        let told = |head: &[u8]| look(head, None).unwrap_err();
        assert_eq!(told(b""), "the file is empty");
        assert!(told(b"\xef\xbb\xbf\n").contains("empty"));
        assert!(told(b"\xff\xfea\0,\0").contains("iconv"));
        assert!(told(b"a\0,\0b\0\n\0").contains("UTF-16"));
        assert!(told(b"\0a\0,\0b\0\n").contains("UTF-16"));
        assert!(told(b"abc\0def").contains("byte 3 is NUL"));
        assert!(told(b"PAR1....").contains("Parquet"));
        assert!(told(b"[{\"a\": 1}]").contains("JSON"));
        assert!(told(b"\x1f\x8b\x08\0").contains("gzip"));
    }
}
