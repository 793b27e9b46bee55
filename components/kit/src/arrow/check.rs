//! What a file says of its own lengths and types, checked before the Arrow crate trusts it.

use std::io::{Read, Seek, SeekFrom};

use arrow_ipc::{Block, convert::try_fb_to_schema};
use arrow_schema::{ArrowError, Schema};

use super::{MAX_COLUMNS, values::kind};
use crate::table::{Field, Table};

/// The magic bytes and the footer's length at the end of a file.
const TAIL: u64 = 10;

/// Bytes before a block's message at least: the continuation marker and the message's length.
const PREFIX: i32 = 8;

/// The Arrow crate's error as a sentence.
pub(super) fn told(error: ArrowError) -> String {
    match error {
        ArrowError::IoError(_, error) => format!("can't read the table: {error}"),
        error => format!("not a usable Arrow IPC file: {error}"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err calls")]
fn lost(error: std::io::Error) -> String {
    format!("can't read the table: {error}")
}

fn broken() -> String {
    "not a usable Arrow IPC file: it is cut off or damaged".to_owned()
}

/// The columns and the blocks of rows. Checks that all the file says of its own lengths lies in
/// the file, before the Arrow crate reserves memory for it, and that all types are supported,
/// before it decodes any.
pub(super) fn check_footer<R: Read + Seek>(
    reader: &mut R,
) -> Result<(Vec<Field>, Vec<Block>), String> {
    let size = reader.seek(SeekFrom::End(0)).map_err(lost)?;
    let mut magic = [0; 6];
    let mut length = [0; 4];
    if size >= TAIL {
        reader.seek(SeekFrom::Start(size - TAIL)).map_err(lost)?;
        reader.read_exact(&mut length).map_err(lost)?;
        reader.read_exact(&mut magic).map_err(lost)?;
    }
    if &magic != b"ARROW1" {
        return Err("not an Arrow IPC file, or it is cut off".to_owned());
    }
    let length = u32::from_le_bytes(length);
    let start = size
        .checked_sub(TAIL + u64::from(length))
        .ok_or_else(broken)?;
    let mut footer = vec![0; length as usize];
    reader.seek(SeekFrom::Start(start)).map_err(lost)?;
    reader.read_exact(&mut footer).map_err(lost)?;
    let footer = arrow_ipc::root_as_footer(&footer).map_err(|_| broken())?;
    let rows: Vec<Block> = footer
        .recordBatches()
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let dictionaries: Vec<Block> = footer
        .dictionaries()
        .into_iter()
        .flatten()
        .copied()
        .collect();
    for block in rows.iter().chain(&dictionaries) {
        let fits = u64::try_from(block.offset())
            .ok()
            .and_then(|at| at.checked_add(u64::try_from(block.metaDataLength()).ok()?))
            .and_then(|at| at.checked_add(u64::try_from(block.bodyLength()).ok()?))
            .is_some_and(|end| end <= start);
        if !fits || block.metaDataLength() < PREFIX {
            return Err(broken());
        }
    }
    let schema = footer.schema().ok_or_else(broken)?;
    let fields = check_schema(&try_fb_to_schema(schema).map_err(told)?)?;
    for block in &dictionaries {
        check_block(reader, block)?;
    }
    reader.rewind().map_err(lost)?;
    Ok((fields, rows))
}

fn check_schema(schema: &Schema) -> Result<Vec<Field>, String> {
    if schema.fields().len() > MAX_COLUMNS {
        return Err(format!(
            "the table has {} columns: at most {MAX_COLUMNS} are taken",
            schema.fields().len()
        ));
    }
    let fields = schema
        .fields()
        .iter()
        .map(|field| {
            Ok(Field {
                name: field.name().clone(),
                kind: kind(field.data_type()).ok_or_else(|| {
                    format!(
                        "column '{}' has Arrow's type {}, which is not supported: cast it to \
                         numbers, texts, booleans or timestamps",
                        field.name(),
                        field.data_type()
                    )
                })?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    Table::empty(&fields).validate()?;
    Ok(fields)
}

/// Checks that the buffers of a block lie in its body, and that the body can hold its rows: the
/// Arrow crate slices by what the block says, and panics where that is past the end. The block
/// itself must lie in the file.
pub(super) fn check_block<R: Read + Seek>(reader: &mut R, block: &Block) -> Result<(), String> {
    let at = u64::try_from(block.offset()).map_err(|_| broken())?;
    let body = u64::try_from(block.bodyLength()).map_err(|_| broken())?;
    let length = usize::try_from(block.metaDataLength()).map_err(|_| broken())?;
    let mut metadata = vec![0; length];
    reader.seek(SeekFrom::Start(at)).map_err(lost)?;
    reader.read_exact(&mut metadata).map_err(lost)?;
    // Files from before Arrow 0.15 have no continuation marker before the message's length.
    let prefix = if metadata.starts_with(&[0xff; 4]) {
        8
    } else {
        4
    };
    let message = metadata.get(prefix..).ok_or_else(broken)?;
    let message = arrow_ipc::root_as_message(message).map_err(|_| broken())?;
    let batch = message
        .header_as_record_batch()
        .or_else(|| message.header_as_dictionary_batch()?.data())
        .ok_or_else(broken)?;
    // No supported type has less than a bit for a row.
    let rows = u64::try_from(batch.length()).map_err(|_| broken())?;
    let fits = batch.buffers().into_iter().flatten().all(|buffer| {
        u64::try_from(buffer.offset())
            .ok()
            .and_then(|start| start.checked_add(u64::try_from(buffer.length()).ok()?))
            .is_some_and(|end| end <= body)
    });
    if fits && rows.div_ceil(8) <= body {
        Ok(())
    } else {
        Err(broken())
    }
}
