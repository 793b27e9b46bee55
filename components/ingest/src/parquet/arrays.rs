//! Arrow's arrays as columns, of the types that Parquet has and the tables between stages do not.

use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, Decimal256Array, Float16Array, UInt64Array,
    cast::AsArray,
    types::{Date32Type, Date64Type},
};
use arrow_schema::DataType;
use septet_kit::{
    arrow,
    table::{Column, Values},
};

const DAY: i64 = 86_400_000_000;

/// Whether a type is read.
pub(super) fn is_read(data_type: &DataType) -> bool {
    arrow::kind(data_type).is_some()
        || matches!(
            data_type,
            DataType::UInt64
                | DataType::Float16
                | DataType::Decimal128(_, _)
                | DataType::Decimal256(_, _)
                | DataType::Date32
                | DataType::Date64
                | DataType::Binary
                | DataType::Null
        )
}

/// A column as it is before its kind is decided. Whole numbers that 64 bits with a sign do not
/// hold are floats. Bytes that are no UTF-8 give the rows, as they are in `not_utf8`.
pub(super) fn column(
    name: &str,
    array: &ArrayRef,
    not_utf8: &mut Vec<u32>,
) -> Result<Column, String> {
    let any = array.as_any();
    let values = match array.data_type() {
        DataType::UInt64 => any.downcast_ref::<UInt64Array>().map(whole),
        DataType::Float16 => any.downcast_ref::<Float16Array>().map(|array| {
            Values::Floats(
                array
                    .iter()
                    .map(|value| value.map_or(0.0, f64::from))
                    .collect(),
            )
        }),
        DataType::Decimal128(_, scale) => any
            .downcast_ref::<Decimal128Array>()
            .map(|array| decimals(array.iter().map(|value| Some(value?.to_string())), *scale)),
        DataType::Decimal256(_, scale) => any
            .downcast_ref::<Decimal256Array>()
            .map(|array| decimals(array.iter().map(|value| Some(value?.to_string())), *scale)),
        DataType::Date32 => array.as_primitive_opt::<Date32Type>().map(|array| {
            Values::Timestamps(
                array
                    .iter()
                    .map(|day| i64::from(day.unwrap_or_default()) * DAY)
                    .collect(),
            )
        }),
        DataType::Date64 => array.as_primitive_opt::<Date64Type>().map(|array| {
            Values::Timestamps(
                array
                    .iter()
                    .map(|millisecond| millisecond.unwrap_or_default().saturating_mul(1_000))
                    .collect(),
            )
        }),
        DataType::Binary => any
            .downcast_ref::<BinaryArray>()
            .map(|array| texts(array, not_utf8)),
        DataType::Null => Some(Values::Texts(vec![String::new(); array.len()])),
        _ => return arrow::to_column(name, array),
    };
    arrow::with_nulls(name, array, values)
}

fn whole(array: &UInt64Array) -> Values {
    let integers: Option<Vec<i64>> = array
        .iter()
        .map(|value| i64::try_from(value.unwrap_or_default()).ok())
        .collect();
    integers.map_or_else(
        || {
            Values::Floats(
                array
                    .iter()
                    .map(|value| value.unwrap_or_default() as f64)
                    .collect(),
            )
        },
        Values::Integers,
    )
}

/// The nearest floats, as a text of the digits would be read.
fn decimals(digits: impl Iterator<Item = Option<String>>, scale: i8) -> Values {
    Values::Floats(
        digits
            .map(|digits| {
                let exponent = -i16::from(scale);
                digits
                    .and_then(|digits| format!("{digits}e{exponent}").parse().ok())
                    .unwrap_or(0.0)
            })
            .collect(),
    )
}

fn texts(array: &BinaryArray, not_utf8: &mut Vec<u32>) -> Values {
    Values::Texts(
        (0..)
            .zip(array.iter())
            .map(|(row, bytes)| {
                let bytes = bytes.unwrap_or_default();
                String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| {
                    not_utf8.push(row);
                    String::from_utf8_lossy(bytes).into_owned()
                })
            })
            .collect(),
    )
}
