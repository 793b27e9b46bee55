//! What a Parquet file says of itself, checked before the parquet crate trusts it.

use std::{
    io::{Read, Seek},
    sync::Arc,
};

use arrow_schema::DataType;
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    basic::Compression,
    errors::ParquetError,
    file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader},
};
use septet_kit::show::shown;

use super::{arrays::is_read, file::File};
use crate::header::{MAX_NAMES, is_name};

/// The footer's length and the magic bytes at the end of a file.
const TAIL: u64 = 8;

/// Bytes of a footer at most.
const MAX_FOOTER: u64 = 32 << 20;

/// Rows of a table at most.
const MAX_ROWS: i64 = u32::MAX as i64;

/// The parquet crate's error as one line.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
pub(super) fn told(error: ParquetError) -> String {
    format!(
        "can't read the file as Parquet: {}",
        shown(&error.to_string(), 300)
    )
}

fn broken(what: &str) -> String {
    format!("can't read the file as Parquet: {what}")
}

/// Reads the footer of a file; what is given can be read.
pub(super) fn open<R: Read + Seek + Send + 'static>(
    file: &File<R>,
) -> Result<ArrowReaderMetadata, String> {
    let lost = |error: std::io::Error| broken(&error.to_string());
    let before = file.size().checked_sub(TAIL).unwrap_or_default();
    let tail = file.exact(before, TAIL as usize).map_err(lost)?;
    let Some(([a, b, c, d], b"PAR1")) = tail.split_first_chunk::<4>() else {
        return Err(broken(
            "it is cut off: it does not end as Parquet does (PAR1)",
        ));
    };
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    if length > MAX_FOOTER {
        return Err(broken(&format!(
            "its footer has {length} bytes, and at most {MAX_FOOTER} are taken: write it with \
             fewer row groups"
        )));
    }
    let start = before
        .checked_sub(length)
        .ok_or_else(|| broken("its footer is longer than the file"))?;
    let footer = file.exact(start, length as usize).map_err(lost)?;
    let metadata = ParquetMetaDataReader::decode_metadata(&footer).map_err(told)?;
    drop(footer);
    check_groups(&metadata, file.size())?;
    let metadata = Arc::new(metadata);
    check_hints(&metadata)?;
    // The types that Arrow notes beside Parquet's are left out: they are another thing to trust,
    // and tell little more.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let metadata = ArrowReaderMetadata::try_new(metadata, options).map_err(told)?;
    check_columns(&metadata)?;
    Ok(metadata)
}

fn check_groups(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    let leaves = metadata.file_metadata().schema_descr().num_columns();
    let mut rows = 0_i64;
    for group in metadata.row_groups() {
        if group.num_rows() < 0 || group.num_columns() != leaves {
            return Err(broken("a row group is damaged"));
        }
        rows = rows.saturating_add(group.num_rows());
        for column in group.columns() {
            check_chunk(column, size)?;
        }
    }
    if rows > MAX_ROWS {
        return Err(format!(
            "the file has {rows} rows: at most {MAX_ROWS} are taken, so write it in parts"
        ));
    }
    if rows == 0 {
        return Err("the file has no rows".to_owned());
    }
    Ok(())
}

fn check_chunk(column: &ColumnChunkMetaData, size: u64) -> Result<(), String> {
    let name = shown(column.column_descr().name(), 80);
    let start = column
        .dictionary_page_offset()
        .unwrap_or_else(|| column.data_page_offset());
    let end = u64::try_from(start)
        .ok()
        .and_then(|start| start.checked_add(u64::try_from(column.compressed_size()).ok()?));
    let fits = end.is_some_and(|end| end <= size)
        && column.num_values() >= 0
        && column.data_page_offset() >= 0
        && column.uncompressed_size() >= 0;
    if !fits {
        return Err(broken(&format!(
            "it is damaged: a piece of column '{name}' is not inside the file"
        )));
    }
    let codec = match column.compression() {
        Compression::UNCOMPRESSED
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::BROTLI(_)
        | Compression::LZ4
        | Compression::LZ4_RAW => return Ok(()),
        Compression::ZSTD(_) => "zstd",
        Compression::LZO => "lzo",
    };
    Err(format!(
        "column '{name}' is compressed with {codec}, which is not read: write the file with \
         snappy, gzip, brotli, lz4 or none, for example by pandas' to_parquet(path, \
         compression='snappy')"
    ))
}

/// Refuses durations, which without Arrow's notes would be read as whole numbers.
fn check_hints(metadata: &Arc<ParquetMetaData>) -> Result<(), String> {
    let hinted = ArrowReaderMetadata::try_new(Arc::clone(metadata), ArrowReaderOptions::new());
    let Ok(hinted) = hinted else { return Ok(()) };
    let duration = hinted
        .schema()
        .fields()
        .iter()
        .find(|field| matches!(field.data_type(), DataType::Duration(_)));
    duration.map_or(Ok(()), |field| {
        Err(unsupported(field.name(), field.data_type()))
    })
}

fn unsupported(name: &str, data_type: &DataType) -> String {
    format!(
        "column '{}' has the type {}, which is not read: cast it to numbers, texts, booleans or \
         timestamps, or leave it out",
        shown(name, 80),
        shown(&data_type.to_string(), 80)
    )
}

fn check_columns(metadata: &ArrowReaderMetadata) -> Result<(), String> {
    let fields = metadata.schema().fields();
    if fields.is_empty() || fields.len() > MAX_NAMES {
        return Err(format!(
            "the file has {} columns: 1 to {MAX_NAMES} are taken",
            fields.len()
        ));
    }
    for field in fields {
        if !is_read(field.data_type()) {
            return Err(unsupported(field.name(), field.data_type()));
        }
        if !is_name(field.name()) {
            return Err(format!(
                "the file has a column '{}': a name has 1 to 255 bytes and does not begin with \
                 '{}'",
                shown(field.name(), 80),
                septet_kit::table::RESERVED
            ));
        }
    }
    let mut names: Vec<_> = fields.iter().map(|field| field.name()).collect();
    names.sort_unstable();
    let twice = names.windows(2).find_map(|pair| match pair {
        [left, right] if left == right => Some(*left),
        _ => None,
    });
    twice.map_or(Ok(()), |name| {
        Err(format!(
            "the column '{}' comes twice in the file",
            shown(name, 80)
        ))
    })
}
