//! Values to a column: read as its kind, or why they are not.

use septet_kit::{
    schema::SchemaKind,
    table::{Column, Values, timestamp},
};

use crate::{
    quarantine::Rule,
    target::Target,
    value::{Cell, Class, boolean, float, integer, is_null},
};

/// Adds a value as row `row` to the column of `target`, and gives the bytes of its text. Nothing is
/// added where it does not fit.
pub fn fill(column: &mut Column, target: &Target, cell: Cell<'_>, row: u32) -> Result<usize, Rule> {
    let text = cell.text()?;
    let texts = matches!(
        target.kind,
        SchemaKind::Text | SchemaKind::Category | SchemaKind::Null
    );
    // Where a user said what the values are, a text of a typed format is looked at too.
    let class = if cell.class == Class::Text && target.declared && !texts {
        Class::Bare
    } else {
        cell.class
    };
    let trimmed = if texts && class != Class::Bare {
        text
    } else {
        text.trim()
    };
    if class == Class::Null || (class == Class::Bare && is_null(trimmed)) {
        push_null(column, row);
        return Ok(0);
    }
    if target.kind == SchemaKind::Null {
        return Err(Rule::NotNull);
    }
    match &mut column.values {
        Values::Integers(values) => values.push(match class {
            Class::Bare | Class::Number => match integer(trimmed) {
                Some(value) => value,
                // What the float's check says of it tells more.
                None => return Err(float(trimmed).err().unwrap_or(Rule::NotANumber)),
            },
            _ => return Err(Rule::NotANumber),
        }),
        Values::Floats(values) => values.push(match class {
            Class::Bare | Class::Number => float(trimmed)?,
            _ => return Err(Rule::NotANumber),
        }),
        Values::Booleans(values) => values.push(match class {
            Class::Bare | Class::Boolean => boolean(trimmed).ok_or(Rule::NotABoolean)?,
            _ => return Err(Rule::NotABoolean),
        }),
        Values::Timestamps(values) => values.push(match class {
            Class::Bare | Class::Text => timestamp(trimmed).ok_or(Rule::NotATimestamp)?,
            _ => return Err(Rule::NotATimestamp),
        }),
        Values::Texts(values) => {
            values.push(text.to_owned());
            return Ok(text.len());
        }
        Values::Categories { codes, .. } => {
            let code = target
                .categories
                .as_ref()
                .and_then(|found| found.code(text));
            codes.push(code.ok_or(Rule::NotACategory)?);
        }
    }
    Ok(0)
}

/// Adds a row without a value.
pub fn push_null(column: &mut Column, row: u32) {
    column.nulls.push(row);
    match &mut column.values {
        Values::Floats(values) => values.push(0.0),
        Values::Integers(values) | Values::Timestamps(values) => values.push(0),
        Values::Booleans(values) => values.push(false),
        Values::Texts(values) => values.push(String::new()),
        Values::Categories { codes, .. } => codes.push(0),
    }
}

/// Takes rows past the first `rows` back.
pub fn cut(column: &mut Column, rows: usize) {
    match &mut column.values {
        Values::Floats(values) => values.truncate(rows),
        Values::Integers(values) | Values::Timestamps(values) => values.truncate(rows),
        Values::Booleans(values) => values.truncate(rows),
        Values::Texts(values) => values.truncate(rows),
        Values::Categories { codes, .. } => codes.truncate(rows),
    }
    while column.nulls.last().is_some_and(|row| *row as usize >= rows) {
        column.nulls.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: SchemaKind, declared: bool) -> Target {
        Target {
            name: "x".to_owned(),
            kind,
            from: Some(0),
            declared,
            categories: None,
        }
    }

    /// The label of the value; an empty one for a null.
    fn read(target: &Target, class: Class, text: &str) -> Result<String, Rule> {
        let mut column = Column {
            name: "x".to_owned(),
            values: target.table_kind().empty(),
            nulls: vec![],
        };
        let bytes = text.as_bytes();
        let filled = fill(&mut column, target, Cell { class, bytes }, 0);
        assert_eq!(column.values.len(), usize::from(filled.is_ok()));
        filled.map(|_| column.label(0).unwrap_or_default())
    }

    #[test]
    fn values_are_read_as_the_kind_or_told() {
        use SchemaKind::{Boolean, Float, Integer, Null, Text, Timestamp};
        for (kind, text, expected) in [
            (Integer, " 12 ", Ok("12")),
            (Integer, "?", Ok("")),
            (Integer, "1.5", Err(Rule::NotANumber)),
            (Integer, "inf", Err(Rule::NotFinite)),
            (Float, "12", Ok("12.0")),
            (Float, "a", Err(Rule::NotANumber)),
            (Boolean, "TRUE", Ok("true")),
            (Boolean, "yes", Err(Rule::NotABoolean)),
            (Timestamp, "2024-01-31", Ok("2024-01-31T00:00:00.000000Z")),
            (Timestamp, "soon", Err(Rule::NotATimestamp)),
            (Text, " x", Ok(" x")),
            (Text, "a\0", Err(Rule::NulByte)),
            (Null, "NA", Ok("")),
            (Null, "1", Err(Rule::NotNull)),
        ] {
            let found = read(&target(kind, false), Class::Bare, text);
            assert_eq!(
                found.as_deref(),
                expected.as_ref().map(|text| &**text),
                "{text}"
            );
        }
    }

    #[test]
    fn a_text_is_a_number_only_where_that_is_declared() {
        let integer = |declared| read(&target(SchemaKind::Integer, declared), Class::Text, "007");
        assert_eq!(integer(false), Err(Rule::NotANumber));
        assert_eq!(integer(true).unwrap(), "7");
        let text = target(SchemaKind::Text, true);
        assert_eq!(read(&text, Class::Text, "NA").unwrap(), "NA");
        assert_eq!(read(&text, Class::Number, "1.50").unwrap(), "1.50");
    }
}
