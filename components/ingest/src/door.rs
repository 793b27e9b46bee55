//! The first bytes of a source: which format it has, and which delimiter.

use crate::parameters::{Format, Parameters};

/// How many first bytes are looked at.
pub const HEAD: usize = 64 << 10;

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// The format.
    pub format: Format,
    /// Bytes to skip: the mark of UTF-8.
    pub skip: u64,
    /// Between fields of CSV.
    pub delimiter: u8,
}

/// The delimiters that are looked for; the first wins where two are as frequent.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Formats that are not read, by their first bytes, and what to do.
const OTHERS: [(&[u8], &str); 10] = [
    (
        b"PARE",
        "an encrypted Parquet file: write it without encryption",
    ),
    (b"ARROW1", "an Arrow file: convert it to Parquet first"),
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

/// Looks at the first bytes. What the user gave goes before what is found.
pub fn look(head: &[u8], parameters: &Parameters) -> Result<Door, String> {
    if head.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if head.starts_with(b"PAR1") {
        return match parameters.format {
            None | Some(Format::Parquet) => Ok(Door {
                format: Format::Parquet,
                skip: 0,
                delimiter: b',',
            }),
            Some(format) => Err(format!(
                "format is {}, but the file is Parquet: leave format out",
                format.name()
            )),
        };
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || alternates(head) {
        return Err("the file is UTF-16: convert it to UTF-8, for example by \
                    'iconv -f UTF-16 -t UTF-8'"
            .to_owned());
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("the file is {what}"));
    }
    if parameters.format == Some(Format::Parquet) {
        return Err(
            "format is parquet, but the file does not begin as Parquet does (PAR1)".to_owned(),
        );
    }
    if let Some(at) = head.iter().position(|byte| *byte == 0) {
        return Err(format!(
            "the file is binary, not CSV, JSON Lines or Parquet: byte {at} is NUL"
        ));
    }
    let (skip, text) = match head.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => (3, rest),
        None => (0, head),
    };
    if text.iter().all(u8::is_ascii_whitespace) && head.len() < HEAD {
        return Err("the file is empty: it has only blank lines".to_owned());
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') && parameters.format != Some(Format::Csv) {
        return Err(
            "the file is a JSON array: convert it to JSON Lines first, one object a line, for \
             example by 'jq -c .[]'"
                .to_owned(),
        );
    }
    let found = if first == Some(&b'{') {
        Format::JsonLines
    } else {
        Format::Csv
    };
    Ok(Door {
        format: parameters.format.unwrap_or(found),
        skip,
        delimiter: parameters.delimiter_byte()?.unwrap_or_else(|| sniff(text)),
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

    fn found(head: &[u8]) -> Result<Door, String> {
        look(head, &Parameters::default())
    }

    #[test]
    fn the_delimiter_is_found_on_the_header() {
        let delimiter = |text: &str| found(text.as_bytes()).unwrap().delimiter;
        assert_eq!(delimiter("a,b;c\n1;2;3;4;5\n"), b',');
        assert_eq!(delimiter("a;b;c\n1,5;2,5;3\n"), b';');
        assert_eq!(delimiter("\"a,b,c\"\td\n"), b'\t');
        assert_eq!(delimiter("a|b\n"), b'|');
        assert_eq!(delimiter("only\n1\n"), b',');
        let given = Parameters {
            delimiter: Some(";".to_owned()),
            ..Parameters::default()
        };
        assert_eq!(look(b"a,b\n", &given).unwrap().delimiter, b';');
    }

    #[test]
    fn the_format_is_found_or_given() {
        assert_eq!(found(b"PAR1..").unwrap().format, Format::Parquet);
        assert_eq!(found(b"a,b\n").unwrap().format, Format::Csv);
        let door = found(b"\xef\xbb\xbf\n {\"a\":1}\n").unwrap();
        assert_eq!((door.format, door.skip), (Format::JsonLines, 3));
        let given = |format| Parameters {
            format: Some(format),
            ..Parameters::default()
        };
        let csv = given(Format::Csv);
        assert_eq!(look(b"{a},b\n", &csv).unwrap().format, Format::Csv);
        assert_eq!(look(b"[a],b\n", &csv).unwrap().format, Format::Csv);
        assert!(look(b"PAR1..", &csv).unwrap_err().contains("is Parquet"));
        let told = look(b"a,b\n", &given(Format::Parquet)).unwrap_err();
        assert!(told.contains("PAR1"), "{told}");
    }

    #[test]
    fn what_is_not_read_is_told() {
        let told = |head: &[u8]| found(head).unwrap_err();
        assert_eq!(told(b""), "the file is empty");
        assert!(told(b"\xef\xbb\xbf\n").contains("empty"));
        assert!(told(b"\xff\xfea\0,\0").contains("iconv"));
        assert!(told(b"a\0,\0b\0\n\0").contains("UTF-16"));
        assert!(told(b"\0a\0,\0b\0\n").contains("UTF-16"));
        assert!(told(b"abc\0def").contains("byte 3 is NUL"));
        assert!(told(b"PARE....").contains("encrypted"));
        assert!(told(b"[{\"a\": 1}]").contains("JSON Lines first"));
        assert!(told(b"\x1f\x8b\x08\0").contains("gzip"));
    }
}
