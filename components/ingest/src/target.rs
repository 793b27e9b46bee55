//! The columns of the table that is written, decided after the first pass: which kind, and from
//! which column of the source.

use septet_kit::{
    schema::{Schema, SchemaColumn, SchemaKind},
    show::shown,
    table::{Field, Kind, ROW},
};

use crate::{
    categories::{Categories, MAX_DECLARED, Room},
    tally::Tally,
    value::Cell,
};

/// Names in a note at most.
const SHOWN: usize = 8;

/// A column of the table.
pub struct Target {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: SchemaKind,
    /// The number of the source's column; none where the source lacks it.
    pub from: Option<usize>,
    /// Whether the user said what its values are: then texts are read as these too.
    pub declared: bool,
    /// The distinct texts of a category.
    pub categories: Option<Categories>,
}

impl Target {
    /// The kind in the table.
    pub const fn table_kind(&self) -> Kind {
        match self.kind {
            SchemaKind::Integer => Kind::Integers,
            SchemaKind::Float => Kind::Floats,
            SchemaKind::Boolean => Kind::Booleans,
            SchemaKind::Category => Kind::Categories,
            SchemaKind::Text | SchemaKind::Null => Kind::Texts,
            SchemaKind::Timestamp => Kind::Timestamps,
        }
    }
}

/// The fields of the table: the row's line, then the targets.
pub fn fields(targets: &[Target]) -> Vec<Field> {
    let line = Field {
        name: ROW.to_owned(),
        kind: Kind::Integers,
    };
    let columns = targets.iter().map(|target| Field {
        name: target.name.clone(),
        kind: target.table_kind(),
    });
    std::iter::once(line).chain(columns).collect()
}

/// What the first pass finds of the source's columns.
pub struct Finder<'a> {
    schema: Option<&'a Schema>,
    columns: Vec<Found>,
    room: Room,
}

enum Found {
    /// Its kind is to be found.
    Open(Tally),
    /// It is declared to be a category, whose texts are to be found.
    Texts(Categories),
    /// Nothing is to be found.
    Settled,
}

impl<'a> Finder<'a> {
    /// Finds all where no schema is declared.
    pub fn new(schema: Option<&'a Schema>) -> Self {
        Self {
            schema,
            columns: Vec::new(),
            room: Room::default(),
        }
    }

    /// Takes notice of columns that came since.
    pub fn know(&mut self, names: &[String]) {
        for name in names.iter().skip(self.columns.len()) {
            self.columns.push(match self.schema {
                None => Found::Open(Tally::default()),
                Some(schema) => match schema.column(name).map(|column| column.kind) {
                    Some(SchemaKind::Category) => Found::Texts(Categories::new(MAX_DECLARED)),
                    _ => Found::Settled,
                },
            });
        }
    }

    /// Looks at a row, whose value in a column `cell` gives.
    pub fn add<'c>(&mut self, cell: impl Fn(usize) -> Cell<'c>) {
        for number in 0..self.columns.len() {
            self.add_cell(number, &cell);
        }
    }

    /// Looks at a value of one column; it is asked for only if it matters.
    pub fn add_cell<'c>(&mut self, column: usize, cell: impl Fn(usize) -> Cell<'c>) {
        match self.columns.get_mut(column) {
            Some(Found::Open(tally)) => tally.add(cell(column), &mut self.room),
            Some(Found::Texts(categories)) => {
                if let Some(text) = cell(column).value() {
                    categories.add(text, &mut self.room);
                }
            }
            Some(Found::Settled) | None => {}
        }
    }

    /// Whether anything is to be found of a column.
    pub fn wants(&self, column: usize) -> bool {
        !matches!(self.columns.get(column), Some(Found::Settled) | None)
    }

    /// The columns of the table, and notes for a reader. `native` is the kind that a typed format
    /// gives a column.
    pub fn targets(
        self,
        names: &[String],
        tolerance: f64,
        native: impl Fn(usize) -> Option<SchemaKind>,
    ) -> Result<(Vec<Target>, Vec<String>), String> {
        match self.schema {
            None => Ok((self.found(names, tolerance, native), Vec::new())),
            Some(schema) => self.declared(schema, names),
        }
    }

    fn found(
        self,
        names: &[String],
        tolerance: f64,
        native: impl Fn(usize) -> Option<SchemaKind>,
    ) -> Vec<Target> {
        names
            .iter()
            .zip(self.columns)
            .enumerate()
            .map(|(number, (name, found))| {
                let (kind, categories) = match (native(number), found) {
                    (Some(kind), _) => (kind, None),
                    (None, Found::Open(tally)) => tally.kind(tolerance),
                    (None, _) => (SchemaKind::Text, None),
                };
                Target {
                    name: name.clone(),
                    kind,
                    from: Some(number),
                    declared: false,
                    categories,
                }
            })
            .collect()
    }

    fn declared(
        mut self,
        schema: &Schema,
        names: &[String],
    ) -> Result<(Vec<Target>, Vec<String>), String> {
        let mut notes = Vec::new();
        let (mut missing, mut lacking) = (Vec::new(), Vec::new());
        let mut targets = Vec::with_capacity(schema.columns.len());
        for SchemaColumn {
            name,
            kind,
            optional,
            ..
        } in &schema.columns
        {
            let from = names.iter().position(|known| known == name);
            if from.is_none() && !optional {
                // Whether the rows can do without it is not ingest's to say: preprocess sets the
                // part apart, and the other parts go on.
                lacking.push(name);
                continue;
            }
            if from.is_none() {
                missing.push(name);
            }
            let mut kind = *kind;
            let mut categories = None;
            if kind == SchemaKind::Category {
                let found = from.and_then(|number| self.columns.get_mut(number));
                let found = match found {
                    Some(found) => std::mem::replace(found, Found::Settled),
                    None => Found::Settled,
                };
                match found {
                    Found::Texts(texts) if texts.are_too_many() => {
                        kind = SchemaKind::Text;
                        notes.push(format!(
                            "the column '{}' is declared a category, but has too many or too long \
                             values: it is kept as text",
                            shown(name, 80)
                        ));
                    }
                    Found::Texts(texts) => categories = Some(texts.sorted()),
                    _ => categories = Some(Categories::default()),
                }
            }
            targets.push(Target {
                name: name.clone(),
                kind,
                from,
                declared: true,
                categories,
            });
        }
        if targets.iter().all(|target| target.from.is_none()) {
            return Err(format!(
                "the source has no column of the declared schema, such as {}: is it the right \
                 file, and are its columns named in it?",
                list(&lacking)
            ));
        }
        let others: Vec<_> = names
            .iter()
            .filter(|name| schema.column(name).is_none())
            .collect();
        if !others.is_empty() {
            notes.push(format!(
                "left out, as the declared schema does not name them: {}",
                list(&others)
            ));
        }
        if !missing.is_empty() {
            notes.push(format!(
                "not in the source, so without a value in any row: {}",
                list(&missing)
            ));
        }
        if !lacking.is_empty() {
            notes.push(format!(
                "the declared schema's columns are not in the source: {}; add them, or declare \
                 them optional",
                list(&lacking)
            ));
        }
        Ok((targets, notes))
    }
}

fn list(names: &[&String]) -> String {
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("'{}'", shown(name, 80)))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text = format!("{text} and {} more", names.len() - SHOWN);
    }
    text
}
