//! The columns of an Arrow file: their names and types, read from its footer alone.
//!
//! A component wrote the file, so it may say anything: its footer is checked by the format's own
//! verifier before a byte of it is believed, and no row is looked at.

use std::fmt;

use arrow_ipc::{Field, Type, root_as_footer};

use crate::{
    contract::Artifact,
    store::{BlobError, Blobs},
};

/// The media type of such files.
pub(super) const ARROW: &str = "application/vnd.apache.arrow.file";

/// The length of the footer, and the six letters at the end.
const TAIL: u64 = 10;

/// The longest footer that is read: thousands of columns with long names.
const MAX_FOOTER: u32 = 4 << 20;

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Columns(Vec<(String, String)>);

impl Columns {
    /// The columns of `artifact`; the error says why it is no such file.
    pub(super) async fn of(
        artifact: &Artifact,
        blobs: &dyn Blobs,
    ) -> Result<Result<Self, String>, BlobError> {
        let broken = |why: &str| Ok(Err(format!("'{}' is no Arrow file: {why}", artifact.name)));
        let reader = blobs.open(&artifact.digest).await?;
        let size = reader.size();
        let Some(end) = size.checked_sub(TAIL) else {
            return broken("it is too short");
        };
        let tail = reader.read(end, TAIL as u32).await?;
        let [a, b, c, d, magic @ ..] = tail.as_slice() else {
            return broken("it is too short");
        };
        if magic != b"ARROW1" {
            return broken("it does not end as one");
        }
        let length = u32::from_le_bytes([*a, *b, *c, *d]);
        let start = end.checked_sub(length.into());
        let Some(start) = start.filter(|_| length <= MAX_FOOTER) else {
            return broken("its footer has no place");
        };
        let footer = reader.read(start, length).await?;
        let Ok(footer) = root_as_footer(&footer) else {
            return broken("its footer is damaged");
        };
        let fields = footer.schema().and_then(|schema| schema.fields());
        let Some(fields) = fields else {
            return broken("it has no schema");
        };
        let column = |field: Field<'_>| {
            let name = field.name().unwrap_or_default().to_owned();
            (name, kind(&field))
        };
        Ok(Ok(Self(fields.iter().map(column).collect())))
    }

    /// The first column in which it is not `other`, for people.
    pub(super) fn differ(&self, other: &Self) -> Option<String> {
        let (new, old) = (&self.0, &other.0);
        let at = (0..new.len().max(old.len())).find(|at| new.get(*at) != old.get(*at))?;
        let shown = |column: Option<&(String, String)>| match column {
            Some((name, kind)) => format!("'{}' ({kind})", crate::capability::clean(name, 80)),
            None => "none".to_owned(),
        };
        let (new, old) = (shown(new.get(at)), shown(old.get(at)));
        Some(format!("column {} is {new}, and was {old}", at + 1))
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} columns", self.0.len())
    }
}

/// A type by the format's own name; a number with its width.
fn kind(field: &Field<'_>) -> String {
    let kind = field.type_type();
    let name = kind.variant_name().unwrap_or("unknown");
    let width = match kind {
        Type::Int => field.type_as_int().map(|int| int.bitWidth().to_string()),
        Type::FloatingPoint => field
            .type_as_floating_point()
            .map(|float| format!("{:?}", float.precision())),
        _ => None,
    };
    let dictionary = field.dictionary().map_or("", |_| ", by codes");
    format!("{name}{}{dictionary}", width.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contract::Digest, store::memory};

    async fn columns(bytes: &[u8]) -> Result<Columns, String> {
        let blobs = memory().blobs;
        blobs.put(bytes).await.unwrap();
        let artifact = Artifact {
            name: "table".to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            media_type: ARROW.to_owned(),
        };
        Columns::of(&artifact, blobs.as_ref()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_no_arrow_file_is_said() {
        let mut long = vec![0; 100];
        long.extend(80_u32.to_le_bytes());
        long.extend(b"ARROW1");
        let mut longer = long.clone();
        longer[100..104].copy_from_slice(&u32::MAX.to_le_bytes());
        for bytes in [
            b"".as_slice(),
            b"ARROW1",
            b"0123456789ARROW1",
            &long,
            &longer,
        ] {
            let error = columns(bytes).await.unwrap_err();
            assert!(error.contains("no Arrow file"), "{error}");
        }
    }

    #[tokio::test]
    async fn names_and_types_are_read_and_told_apart() {
        use arrow_schema::{DataType, Field, Schema};
        let file = |fields: Vec<Field>| {
            let mut bytes = Vec::new();
            let schema = Schema::new(fields);
            let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &schema).unwrap();
            writer.finish().unwrap();
            drop(writer);
            bytes
        };
        let field = |name: &str, kind| Field::new(name, kind, true);
        let one = file(vec![
            field("a", DataType::Int64),
            field("b", DataType::Utf8),
        ]);
        let one = columns(&one).await.unwrap();
        assert_eq!(one.differ(&one), None);
        let others = [
            (
                vec![field("a", DataType::Int64)],
                "column 2 is none, and was 'b' (Utf8)",
            ),
            (
                vec![field("a", DataType::Int32), field("b", DataType::Utf8)],
                "column 1 is 'a' (Int32), and was 'a' (Int64)",
            ),
            (
                vec![field("a", DataType::Int64), field("c", DataType::Utf8)],
                "column 2 is 'c' (Utf8), and was 'b' (Utf8)",
            ),
        ];
        for (fields, told) in others {
            let other = columns(&file(fields)).await.unwrap();
            assert_eq!(other.differ(&one).as_deref(), Some(told));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_footer_makes_it_panic(
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..400), length: u32,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for length in [length, length % 512] {
                let mut bytes = body.clone();
                bytes.extend(length.to_le_bytes());
                bytes.extend(b"ARROW1");
                let _ = runtime.block_on(columns(&bytes));
            }
        }
    }
}
