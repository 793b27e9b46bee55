//! Arrow's types and arrays as the kit's kinds and values.

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, LargeStringArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, cast::AsArray,
};
use arrow_schema::{DataType, TimeUnit};

use crate::table::{Kind, Values};

/// The kind that a type of Arrow is read as; none where it is not read.
pub fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Float32 | DataType::Float64 => Kind::Floats,
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => Kind::Integers,
        DataType::Boolean => Kind::Booleans,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Texts,
        DataType::Dictionary(_, value)
            if matches!(value.as_ref(), DataType::Utf8 | DataType::LargeUtf8) =>
        {
            Kind::Categories
        }
        DataType::Timestamp(_, _) => Kind::Timestamps,
        _ => return None,
    })
}

/// Values of an array; the slots of nulls are zero or empty.
pub(super) fn values(array: &ArrayRef) -> Option<Values> {
    let any = array.as_any();
    macro_rules! widened {
        ($array:ty, $case:ident) => {
            Values::$case(
                any.downcast_ref::<$array>()?
                    .iter()
                    .map(|value| value.unwrap_or_default().into())
                    .collect(),
            )
        };
    }
    macro_rules! texts {
        ($array:ty) => {
            Values::Texts(
                any.downcast_ref::<$array>()?
                    .iter()
                    .map(|text| text.unwrap_or_default().to_owned())
                    .collect(),
            )
        };
    }
    macro_rules! timestamps {
        ($array:ty, $convert:expr) => {
            Values::Timestamps(
                any.downcast_ref::<$array>()?
                    .iter()
                    .map(|value| $convert(value.unwrap_or_default()))
                    .collect(),
            )
        };
    }
    Some(match array.data_type() {
        DataType::Float64 => widened!(Float64Array, Floats),
        DataType::Float32 => widened!(Float32Array, Floats),
        DataType::Int64 => widened!(Int64Array, Integers),
        DataType::Int32 => widened!(Int32Array, Integers),
        DataType::Int16 => widened!(Int16Array, Integers),
        DataType::Int8 => widened!(Int8Array, Integers),
        DataType::UInt32 => widened!(UInt32Array, Integers),
        DataType::UInt16 => widened!(UInt16Array, Integers),
        DataType::UInt8 => widened!(UInt8Array, Integers),
        DataType::Boolean => widened!(BooleanArray, Booleans),
        DataType::Utf8 => texts!(StringArray),
        DataType::LargeUtf8 => texts!(LargeStringArray),
        DataType::Utf8View => texts!(StringViewArray),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => {
                timestamps!(TimestampSecondArray, |v: i64| v.saturating_mul(1_000_000))
            }
            TimeUnit::Millisecond => {
                timestamps!(TimestampMillisecondArray, |v: i64| v.saturating_mul(1_000))
            }
            TimeUnit::Microsecond => timestamps!(TimestampMicrosecondArray, |v: i64| v),
            TimeUnit::Nanosecond => {
                timestamps!(TimestampNanosecondArray, |v: i64| v.div_euclid(1_000))
            }
        },
        DataType::Dictionary(_, _) => categories(array)?,
        _ => return None,
    })
}

fn categories(array: &ArrayRef) -> Option<Values> {
    let dictionary = array.as_any_dictionary_opt()?;
    let Values::Texts(texts) = values(dictionary.values())? else {
        return None;
    };
    let codes = if dictionary.values().is_empty() {
        vec![0; array.len()]
    } else {
        dictionary
            .normalized_keys()
            .into_iter()
            .map(|key| key as u32)
            .collect()
    };
    // A dictionary of Arrow may repeat a text, and the kit's rows still agree. It may also hold
    // nulls, which are empty texts here: the rows that point at them are among the column's nulls.
    Some(Values::Categories {
        dictionary: texts,
        codes,
    })
}
