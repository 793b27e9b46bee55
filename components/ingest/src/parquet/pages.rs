//! The pages of a file, each checked before it is decoded: the parquet crate's decoders stop the
//! whole component where a page contradicts itself.
//!
//! Columns are flat here, so that a value has at most one bit of definition level.

use std::{
    io::{Read, Seek},
    ops::Range,
    sync::Arc,
};

use parquet::{
    arrow::arrow_reader::RowGroups,
    basic::{Encoding, Type},
    column::page::{Page, PageIterator, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::{
        metadata::{ParquetMetaData, RowGroupMetaData},
        serialized_reader::SerializedPageReader,
    },
};

use super::file::File;

/// All row groups of a file.
pub(super) struct Groups<R> {
    file: Arc<File<R>>,
    metadata: Arc<ParquetMetaData>,
}

impl<R> Groups<R> {
    /// Of a file whose footer was checked.
    pub(super) fn new(file: &File<R>, metadata: &Arc<ParquetMetaData>) -> Self {
        Self {
            file: Arc::new(file.clone()),
            metadata: Arc::clone(metadata),
        }
    }
}

impl<R: Read + Seek + Send + 'static> RowGroups for Groups<R> {
    fn num_rows(&self) -> usize {
        self.row_groups()
            .map(|group| usize::try_from(group.num_rows()).unwrap_or_default())
            .sum()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        Ok(Box::new(Chunks {
            file: Arc::clone(&self.file),
            metadata: Arc::clone(&self.metadata),
            column,
            groups: 0..self.metadata.num_row_groups(),
        }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.metadata.row_groups().iter())
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pieces of a column, a row group each.
struct Chunks<R> {
    file: Arc<File<R>>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    groups: Range<usize>,
}

impl<R: Read + Seek + Send + 'static> Chunks<R> {
    fn open(&self, group: usize) -> Result<Box<dyn PageReader>> {
        let group = self
            .metadata
            .row_groups()
            .get(group)
            .ok_or_else(|| broken("a row group is missing"))?;
        let chunk = group
            .columns()
            .get(self.column)
            .ok_or_else(|| broken("a column is missing in a row group"))?;
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let column = chunk.column_descr();
        let optional = match (column.max_def_level(), column.max_rep_level()) {
            (0, 0) => false,
            (1, 0) => true,
            _ => return Err(broken("a column is nested")),
        };
        Ok(Box::new(Pages {
            inner: SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, None)?,
            check: Check {
                optional,
                width: match column.physical_type() {
                    Type::BOOLEAN | Type::BYTE_ARRAY | Type::INT96 => 0,
                    Type::INT32 | Type::FLOAT => 4,
                    Type::INT64 | Type::DOUBLE => 8,
                    Type::FIXED_LEN_BYTE_ARRAY => {
                        usize::try_from(column.type_length()).unwrap_or_default()
                    }
                },
                is_fixed: column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY,
                dictionary: None,
            },
        }))
    }
}

impl<R: Read + Seek + Send + 'static> Iterator for Chunks<R> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let group = self.groups.next()?;
        Some(self.open(group))
    }
}

impl<R: Read + Seek + Send + 'static> PageIterator for Chunks<R> {}

struct Pages<R: Read + Seek + Send + 'static> {
    inner: SerializedPageReader<File<R>>,
    check: Check,
}

impl<R: Read + Seek + Send + 'static> Iterator for Pages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: Read + Seek + Send + 'static> PageReader for Pages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        loop {
            let Some(page) = self.inner.get_next_page()? else {
                return Ok(None);
            };
            if page.num_values() > 0 || !page.is_data_page() {
                self.check.page(&page)?;
                return Ok(Some(page));
            }
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

fn broken(what: &str) -> ParquetError {
    ParquetError::General(format!("it is damaged: {what}"))
}

/// What is known of a piece of a column.
struct Check {
    optional: bool,
    /// Bytes of a value, if all have as many.
    width: usize,
    is_fixed: bool,
    /// How many values the dictionary has, if there was one.
    dictionary: Option<u32>,
}

impl Check {
    fn page(&mut self, page: &Page) -> Result<()> {
        let (encoding, there, values) = match page {
            Page::DictionaryPage {
                buf, num_values, ..
            } => {
                let fits = !self.is_fixed
                    || (*num_values as usize).checked_mul(self.width) == Some(buf.len());
                if !fits || (*num_values == 0 && !buf.is_empty()) {
                    return Err(broken("a dictionary has other values than it says"));
                }
                self.dictionary = Some(*num_values);
                return Ok(());
            }
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                ..
            } => {
                let (there, values) = if self.optional {
                    if *def_level_encoding != Encoding::RLE {
                        return Err(broken("levels have an encoding that is not read"));
                    }
                    let (levels, values) = prefixed(buf)
                        .ok_or_else(|| broken("the levels of a page are longer than it"))?;
                    (count(levels, *num_values)?, values)
                } else {
                    (*num_values, &buf[..])
                };
                (*encoding, there, values)
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let (levels, values) = buf
                    .split_at_checked(*def_levels_byte_len as usize)
                    .filter(|_| *rep_levels_byte_len == 0)
                    .ok_or_else(|| broken("the levels of a page are longer than it"))?;
                let there = if self.optional {
                    count(levels, *num_values)?
                } else {
                    *num_values
                };
                if num_values.checked_sub(*num_nulls) != Some(there) {
                    return Err(broken("a page has other nulls than it says"));
                }
                (*encoding, there, values)
            }
        };
        self.values(encoding, there, values)
    }

    fn values(&self, encoding: Encoding, there: u32, values: &[u8]) -> Result<()> {
        let other = || broken("a page has other values than it says");
        match encoding {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let dictionary = self
                    .dictionary
                    .ok_or_else(|| broken("a page needs a dictionary that is not there"))?;
                let (width, codes) = values.split_first().ok_or_else(other)?;
                if *width > 32 || (self.is_fixed && !are_below(codes, *width, there, dictionary)) {
                    return Err(broken("a page points past its dictionary"));
                }
            }
            Encoding::RLE => {
                prefixed(values).ok_or_else(other)?;
            }
            Encoding::BYTE_STREAM_SPLIT
                if (there as usize).checked_mul(self.width) != Some(values.len()) =>
            {
                return Err(other());
            }
            Encoding::DELTA_BINARY_PACKED
            | Encoding::DELTA_LENGTH_BYTE_ARRAY
            | Encoding::DELTA_BYTE_ARRAY => {
                // The decoders reserve memory for as many values as are told: after the size of a
                // block and the number of its parts.
                let told = varint(values)
                    .and_then(|(_, rest)| varint(rest))
                    .and_then(|(_, rest)| varint(rest));
                if told.is_none_or(|(told, _)| told > u64::from(there)) {
                    return Err(other());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether the first `there` codes of `width` bits, in the runs that [`count`] reads too, are
/// below `limit`.
fn are_below(mut codes: &[u8], width: u8, there: u32, limit: u32) -> bool {
    let mut left = u64::from(there);
    while left > 0 {
        let Some((header, rest)) = varint(codes) else {
            // The decoder gives as many as there are.
            return true;
        };
        let run = header >> 1;
        let length = if header & 1 == 0 {
            let bytes = usize::from(width).div_ceil(8);
            let code = rest.get(..bytes).unwrap_or(rest);
            let code = code
                .iter()
                .rev()
                .fold(0_u64, |code, byte| (code << 8) | u64::from(*byte));
            if run > 0 && code >= u64::from(limit) {
                return false;
            }
            left -= run.min(left);
            bytes
        } else {
            let now = run.saturating_mul(8).min(left);
            let mut bits = rest.iter();
            let (mut held, mut holds) = (0_u64, 0);
            for _ in 0..now {
                while holds < width {
                    let Some(byte) = bits.next() else { return true };
                    held |= u64::from(*byte) << holds;
                    holds += 8;
                }
                if held & ((1 << width) - 1) >= u64::from(limit) {
                    return false;
                }
                held >>= width;
                holds -= width;
            }
            left -= now;
            usize::try_from(run.saturating_mul(u64::from(width))).unwrap_or(usize::MAX)
        };
        codes = rest.get(length.min(rest.len())..).unwrap_or_default();
    }
    true
}

/// The levels of a page, which their length comes before, and its values.
fn prefixed(page: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = page.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// How many of the first `values` levels of one bit are set: runs, as Parquet's RLE and
/// bit-packing hybrid has them
/// (<https://parquet.apache.org/docs/file-format/data-pages/encodings/>).
fn count(mut levels: &[u8], values: u32) -> Result<u32> {
    let (mut seen, mut set) = (0_u64, 0_u64);
    let values = u64::from(values);
    while seen < values {
        let (header, rest) = varint(levels).ok_or_else(|| broken("a page has too few levels"))?;
        let run = header >> 1;
        if header & 1 == 0 {
            let (level, rest) = rest
                .split_first()
                .filter(|(level, _)| **level <= 1)
                .ok_or_else(|| broken("a page has a level that can not be"))?;
            let now = run.min(values - seen);
            seen += now;
            set += now * u64::from(*level);
            levels = rest;
        } else {
            let now = run.saturating_mul(8).min(values - seen);
            let whole = (now / 8) as usize;
            let bits = rest
                .get(..now.div_ceil(8) as usize)
                .ok_or_else(|| broken("a page has too few levels"))?;
            let ones = |bytes: &[u8]| -> u64 {
                bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
            };
            set += ones(bits.get(..whole).unwrap_or_default());
            if let Some(last) = bits.get(whole) {
                set += u64::from((last & ((1 << (now % 8)) - 1)).count_ones());
            }
            seen += now;
            let length = usize::try_from(run).unwrap_or(usize::MAX).min(rest.len());
            levels = rest.get(length..).unwrap_or_default();
        }
    }
    Ok(set as u32)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (shift, (at, byte)) in (0..63).step_by(7).zip(bytes.iter().enumerate()) {
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_past_a_dictionary_are_seen() {
        // A run of three sevens of three bits; then 0 to 7, bit-packed.
        let codes = [6, 7, 3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert!(are_below(&codes, 3, 11, 8));
        assert!(!are_below(&codes, 3, 11, 7));
        assert!(are_below(&codes[2..], 3, 7, 7));
        assert!(!are_below(&codes[2..], 3, 8, 7));
        assert!(are_below(&[], 3, 8, 1));
    }

    #[test]
    fn levels_are_counted_or_refused() {
        // A run of five ones; then two groups of bits, of which the last has three.
        let levels = [10, 1, 5, 0b1010_1010, 0b1111_0101];
        assert_eq!(count(&levels, 5).unwrap(), 5);
        assert_eq!(count(&levels, 16).unwrap(), 5 + 4 + 2);
        assert_eq!(count(&levels[..4], 13).unwrap(), 9);
        assert!(count(&levels[..4], 14).is_err());
        assert!(count(&levels, 22).is_err());
        assert!(count(&[10, 2], 5).is_err());
        assert!(count(&[0x80; 12], 5).is_err());
        assert!(count(&[0, 1, 0, 1], 5).is_err());
        assert_eq!(count(&[], 0).unwrap(), 0);
        assert!(prefixed(&[9, 0, 0, 0, 1]).is_none());
        assert_eq!(prefixed(&[1, 0, 0, 0, 7, 8]), Some((&[7][..], &[8][..])));
    }
}
