//! From a name to a model's predictions.

use septet_core::{
    contract::PinnedVersion,
    pipeline::{ModelRef, registry::check_model},
    text::clean,
};
use septet_spin_kit::{keyvalue, reply::Refusal, wait::wait};

use crate::{
    component::bindings::septet::{
        capability::models,
        pipeline::types::Artifact,
        spin::session::{self, Fault, Origin, Scope},
        transform::tables::{Column, Table, Values as Columns},
    },
    protocol::{Answer, Request},
    tensor::{Tensor, Values},
};

/// The longest reason that is told, in bytes.
const LONGEST: u64 = 1000;

/// A model's version.
pub(crate) struct Model {
    pub(crate) name: String,
    version: PinnedVersion,
}

impl Model {
    /// The version with this number, or what the alias `champion` points at.
    pub(crate) fn find(name: &str, version: Option<&str>) -> Result<Self, Refusal> {
        check_model(name).map_err(|error| Refusal::bad(error.to_string()))?;
        let asked = version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"));
        let asked: ModelRef = asked
            .parse()
            .map_err(|error: anyhow::Error| Refusal::bad(error.to_string()))?;
        let registry = keyvalue::pipeline()?.registry();
        let state = wait(registry.state(name))?;
        let version = state.find(&asked.selector);
        let version = version.map_err(|error| Refusal::missing(format!("{error:#}")))?;
        Ok(Self {
            name: name.to_owned(),
            version: version.pinned.clone(),
        })
    }

    /// What its predictions may touch: its bundle and its transforms. It is an input of the call, as
    /// it is for the stage that evaluates it.
    fn scope(&self) -> Scope {
        let bundle = self.version.artifact();
        let transforms = self.version.transforms();
        Scope {
            component: "serving".to_owned(),
            inputs: vec![Artifact {
                name: bundle.name,
                digest: bundle.digest.to_string(),
                size: bundle.size,
                media_type: bundle.media_type,
            }],
            aliases: Vec::new(),
            infer_digest: self.version.infer.to_string(),
            transforms: transforms.iter().map(ToString::to_string).collect(),
            labels: Vec::new(),
            writes: false,
            origin: Origin {
                run: String::new(),
                unit: 0,
                attempt: 1,
            },
        }
    }
}

/// Answers a request by a model.
pub(crate) fn predict(model: &Model, body: &[u8]) -> Result<Answer, Refusal> {
    let bad = |error: anyhow::Error| Refusal::bad(clean(&format!("{error:#}"), LONGEST));
    let (request, rows) = Request::read(body).map_err(bad)?;
    let table = table(&request, rows).map_err(bad)?;
    let host = |reason: String| Refusal::new(503, clean(&reason, LONGEST));
    session::begin(&model.scope()).map_err(host)?;
    let predicted = models::predict(&model.version.bundle.to_string(), &table);
    let fault = session::end().and_then(|did| did.fault);
    if let Some(Fault::Unavailable(reason) | Fault::Damaged(reason)) = fault {
        return Err(host(reason));
    }
    let predicted = predicted.map_err(|error| match error {
        models::Error::Rejected(reason) => Refusal::bad(clean(&reason, LONGEST)),
        models::Error::Unknown | models::Error::AccessDenied => host(format!(
            "version {} of '{}' is predicted with another infer component than this application's \
             ({}): compose serving with --component infer=FILE",
            model.version.number,
            model.name,
            model.version.infer.short()
        )),
        models::Error::Other(reason) => host(reason),
    })?;
    let outputs = predicted.columns.into_iter().map(tensor).collect();
    Ok(Answer {
        model_name: model.name.clone(),
        model_version: model.version.number.to_string(),
        outputs: request.wanted(outputs).map_err(bad)?,
        id: request.id,
    })
}

fn table(request: &Request, rows: usize) -> anyhow::Result<Table> {
    let columns = request.inputs.iter().map(|input| {
        let (values, nulls) = match input.values(rows)? {
            Values::Floats(values) => apart(values, Columns::Floats),
            Values::Integers(values) => apart(values, Columns::Integers),
            Values::Booleans(values) => apart(values, Columns::Booleans),
            Values::Texts(values) => apart(values, Columns::Texts),
        };
        anyhow::Ok(Column {
            name: input.name.clone(),
            values,
            nulls,
        })
    });
    Ok(Table {
        rows: rows as u32,
        columns: columns.collect::<Result<_, _>>()?,
    })
}

/// Values and the numbers of the rows that have none.
fn apart<T: Default>(
    values: Vec<Option<T>>,
    of: impl Fn(Vec<T>) -> Columns,
) -> (Columns, Vec<u32>) {
    let numbered = (0_u32..).zip(&values);
    let nulls = numbered.filter(|(_, value)| value.is_none());
    let nulls = nulls.map(|(row, _)| row).collect();
    let values = values.into_iter().map(Option::unwrap_or_default);
    (of(values.collect()), nulls)
}

fn tensor(column: Column) -> Tensor {
    fn whole<T>(values: Vec<T>, nulls: &[u32]) -> Vec<Option<T>> {
        let numbered = (0_u32..).zip(values);
        let some = |(row, value)| nulls.binary_search(&row).is_err().then_some(value);
        numbered.map(some).collect()
    }
    let nulls = &column.nulls;
    let values = match column.values {
        Columns::Floats(values) => Values::Floats(whole(values, nulls)),
        Columns::Integers(values) | Columns::Timestamps(values) => {
            Values::Integers(whole(values, nulls))
        }
        Columns::Booleans(values) => Values::Booleans(whole(values, nulls)),
        Columns::Texts(values) => Values::Texts(whole(values, nulls)),
        Columns::Categories(categories) => {
            let texts = categories.codes.iter().map(|code| {
                let text = categories.dictionary.get(*code as usize);
                text.cloned().unwrap_or_default()
            });
            Values::Texts(whole(texts.collect(), nulls))
        }
    };
    Tensor::of(column.name, values)
}
