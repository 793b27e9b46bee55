//! What a Parquet file says of itself, checked before the parquet crate trusts it.

use std::{
    io::{Read, Seek},
    sync::Arc,
};

use arrow_schema::{DataType, Fields};
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

/// What a file says of itself, checked.
pub(super) struct Footer {
    pub(super) metadata: Arc<ParquetMetaData>,
    /// The columns as Arrow has them.
    pub(super) fields: Fields,
    /// Rows of all row groups.
    pub(super) rows: u64,
}

/// Reads the footer of a file.
pub(super) fn open<R: Read + Seek>(file: &File<R>) -> Result<Footer, String> {
    let lost = |error: std::io::Error| broken(&error.to_string());
    let before = file.size().saturating_sub(TAIL);
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
    let rows = check_groups(&metadata, file.size())?;
    let metadata = Arc::new(metadata);
    let fields = fields(&metadata)?;
    check_columns(&fields)?;
    Ok(Footer {
        metadata,
        fields,
        rows,
    })
}

/// The columns by Parquet's own types. What Arrow notes beside them is another thing to trust, and
/// only looked at for times that Parquet has no type for.
fn fields(metadata: &Arc<ParquetMetaData>) -> Result<Fields, String> {
    let read = |options| ArrowReaderMetadata::try_new(Arc::clone(metadata), options);
    let plain = read(ArrowReaderOptions::new().with_skip_arrow_metadata(true)).map_err(told)?;
    let plain = plain.schema().fields();
    let Ok(noted) = read(ArrowReaderOptions::new()) else {
        return Ok(plain.clone());
    };
    Ok(plain
        .iter()
        .zip(noted.schema().fields())
        .map(|(plain, noted)| match noted.data_type() {
            DataType::Duration(_)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(_, _)
            | DataType::Date64
                if plain.data_type().is_integer() =>
            {
                Arc::clone(noted)
            }
            _ => Arc::clone(plain),
        })
        .collect())
}

/// Checks the row groups and gives their rows.
fn check_groups(metadata: &ParquetMetaData, size: u64) -> Result<u64, String> {
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
    Ok(rows as u64)
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
        | Compression::LZ4
        | Compression::LZ4_RAW => return Ok(()),
        Compression::ZSTD(_) => "zstd",
        Compression::BROTLI(_) => "brotli",
        Compression::LZO => "lzo",
    };
    Err(format!(
        "column '{name}' is compressed with {codec}, which is not read: write the file with \
         snappy, gzip, lz4 or none, for example by pandas' to_parquet(path, \
         compression='snappy')"
    ))
}

fn unsupported(name: &str, data_type: &DataType) -> String {
    format!(
        "column '{}' has the type {}, which is not read: cast it to numbers, texts, booleans or \
         timestamps, or leave it out",
        shown(name, 80),
        shown(&data_type.to_string(), 80)
    )
}

fn check_columns(fields: &Fields) -> Result<(), String> {
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
                "the file has a column '{}': a name has 1 to 255 bytes, has no control character \
                 and does not begin with '{}'",
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
