//! From a table to scores, by tract.
//!
//! It owns what goes into a model and which of its outputs is the score. Arithmetic is that of 32-bit
//! floats where the model's is, as in other runtimes of ONNX.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use septet_infer::predictor::{Engine, Scores};
use septet_kit::{
    matrix::Matrix,
    model::Onnx,
    preprocessing::Preprocessing,
    show::shown,
    table::{Column, Table, Values},
};
use tract_onnx::{
    prelude::*,
    tract_hir::internal::{DimLike, Factoid},
};

use crate::{labels, lookup, lower, proto};

/// The model of a bundle, ready to predict.
pub fn open(onnx: &Onnx, preprocessing: &Preprocessing) -> Result<Box<dyn Engine>, String> {
    let read = Model::read(onnx.bytes())?;
    let columns = match onnx.columns() {
        0 => Columns::Raw(&preprocessing.inputs),
        columns => Columns::Features(columns),
    };
    let engine = read.engine(&columns, &preprocessing.classes)?;
    Ok(Box::new(engine))
}

/// What a model is given.
pub(crate) enum Columns<'p> {
    /// So many features in one matrix.
    Features(usize),
    /// Columns as they are.
    Raw(&'p [septet_kit::preprocessing::Input]),
}

/// A file that was read.
pub(crate) struct Model {
    graph: InferenceModel,
    /// The names of the classes in the order of the scores, where the model says.
    pub(crate) labels: Option<Vec<String>>,
    /// Inputs that are no constants.
    pub(crate) inputs: Vec<Input>,
}

/// An input as the file declares it.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) kind: DatumType,
    /// The second dimension, where it is said.
    pub(crate) width: Option<usize>,
    rank: Option<usize>,
}

impl Model {
    /// Reads a file, with all checks.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut framework = tract_onnx::onnx();
        lookup::register(&mut framework.op_register);
        let mut proto = proto::read(bytes, &framework)?;
        let labels = proto.graph.as_ref().and_then(labels::of);
        lower::lower(&mut proto)?;
        // Shapes that are written beside are hints, which may be wrong or of what was rewritten.
        let framework = framework
            .with_ignore_value_info(true)
            .with_ignore_output_types(true);
        let graph = framework.model_for_proto_model(&proto).map_err(told)?;
        let inputs = graph.input_outlets().map_err(told)?.to_vec();
        let inputs = inputs
            .iter()
            .map(|outlet| input(&graph, *outlet))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            graph,
            labels,
            inputs,
        })
    }

    /// The engine of a model that is given `columns` and tells `classes` apart; a value, if there are none.
    pub(crate) fn engine(self, columns: &Columns<'_>, classes: &[String]) -> Result<Tract, String> {
        let order = match (&self.labels, classes) {
            (_, []) => vec![0],
            (Some(labels), classes) => labels::order(labels, classes)?,
            (None, _) => return Err("the ONNX model does not name its classes".to_owned()),
        };
        let feeds = self.feeds(columns)?;
        let mut graph = self.graph;
        let rows = graph.symbols.sym("rows");
        for (at, feed) in feeds.iter().enumerate() {
            let mut shape: TVec<TDim> = tvec![rows.clone().into()];
            if feed.rank > 1 {
                shape.push(feed.width().into());
            }
            let fact = InferenceFact::dt_shape(feed.kind, shape);
            graph.set_input_fact(at, fact).map_err(told)?;
        }
        let mut graph = graph.into_typed().map_err(told)?;
        let outputs = graph.output_outlets().map_err(told)?.to_vec();
        let score = score(&graph, &outputs, classes.len())?;
        graph.select_output_outlets(&[score]).map_err(told)?;
        // What can't be made faster is run as it is.
        let plan = graph
            .clone()
            .into_optimized()
            .and_then(IntoRunnable::into_runnable);
        let plan = plan.or_else(|_| graph.into_runnable()).map_err(told)?;
        Ok(Tract { plan, feeds, order })
    }

    fn feeds(&self, columns: &Columns<'_>) -> Result<Vec<Feed>, String> {
        let feed = |input: &Input, from| {
            Ok(Feed {
                from,
                kind: kind(input)?,
                rank: input.rank.unwrap_or(2),
            })
        };
        match (columns, &*self.inputs) {
            (Columns::Features(columns), [input]) => {
                let fits = input.width.is_none_or(|width| width == *columns);
                if !fits || input.rank == Some(1) {
                    return Err(format!(
                        "the ONNX model's input '{}' takes {} columns, but there are {columns} features",
                        shown(&input.name, 40),
                        input.width.unwrap_or(1)
                    ));
                }
                Ok(vec![feed(input, From::Features(*columns))?])
            }
            (Columns::Features(columns), inputs) => Err(format!(
                "the ONNX model has {} inputs, but {columns} features come as one",
                inputs.len()
            )),
            // One matrix of all columns, in their order.
            (Columns::Raw(columns), [input]) if input.width != Some(1) && columns.len() > 1 => {
                if input.width.is_some_and(|width| width != columns.len()) {
                    return Err(format!(
                        "the ONNX model's input '{}' takes {} columns, but the data have {}: {}",
                        shown(&input.name, 40),
                        input.width.unwrap_or_default(),
                        columns.len(),
                        named(columns.iter().map(|column| column.name.as_str()))
                    ));
                }
                let names = columns.iter().map(|column| column.name.clone()).collect();
                Ok(vec![feed(input, From::Columns(names))?])
            }
            (Columns::Raw(columns), inputs) => inputs
                .iter()
                .map(|input| {
                    if !columns.iter().any(|column| column.name == input.name) {
                        return Err(format!(
                            "the ONNX model takes a column '{}', which the data do not have: they have {}",
                            shown(&input.name, 40),
                            named(columns.iter().map(|column| column.name.as_str()))
                        ));
                    }
                    if input.width.is_some_and(|width| width != 1) {
                        return Err(format!(
                            "the ONNX model's input '{}' has more than one column",
                            shown(&input.name, 40)
                        ));
                    }
                    feed(input, From::Columns(vec![input.name.clone()]))
                })
                .collect(),
        }
    }
}

/// Some names for a message.
pub(crate) fn named<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let few = names.take(10).map(|name| shown(name, 40));
    few.collect::<Vec<_>>().join(", ")
}

fn input(graph: &InferenceModel, outlet: OutletId) -> Result<Input, String> {
    let name = graph.node(outlet.node).name.clone();
    let fact = graph.outlet_fact(outlet).map_err(told)?;
    let kind = fact.datum_type.concretize().unwrap_or(DatumType::F32);
    let rank = fact
        .shape
        .rank()
        .concretize()
        .and_then(|rank| usize::try_from(rank).ok());
    if rank.is_some_and(|rank| !(1..=2).contains(&rank)) {
        return Err(format!(
            "the ONNX model's input '{}' is no table: it has {} dimensions",
            shown(&name, 40),
            rank.unwrap_or_default()
        ));
    }
    let width = fact.shape.dim(1).and_then(|dim| dim.concretize());
    let width = width.and_then(|dim| dim.to_usize().ok());
    Ok(Input {
        name,
        kind,
        width,
        rank,
    })
}

/// The kind of an input, if a table's column can be that.
fn kind(input: &Input) -> Result<DatumType, String> {
    match input.kind {
        kind @ (DatumType::F32
        | DatumType::F64
        | DatumType::I64
        | DatumType::I32
        | DatumType::Bool
        | DatumType::String) => Ok(kind),
        other => Err(format!(
            "the ONNX model's input '{}' is of the kind {other:?}, which no column is",
            shown(&input.name, 40)
        )),
    }
}

/// The output that holds the scores: floats, one column a class or one at all.
fn score(graph: &TypedModel, outputs: &[OutletId], classes: usize) -> Result<OutletId, String> {
    let is_score = |outlet: &&OutletId| {
        graph.outlet_fact(**outlet).is_ok_and(|fact| {
            let floats = [DatumType::F32, DatumType::F64].contains(&fact.datum_type);
            let width = fact.shape.get(1).map_or(Ok(1), DimLike::to_usize);
            floats && fact.rank() <= 2 && width.is_ok_and(|width| width == classes.max(1))
        })
    };
    outputs.iter().find(is_score).copied().ok_or_else(|| match classes {
        0 => "the ONNX model has no output that is one number a row".to_owned(),
        _ => format!(
            "the ONNX model has no output with {classes} probabilities a row, one a class: convert it with \
             the option zipmap=False, and take one that has probabilities"
        ),
    })
}

/// How far probabilities may be from 0 to 1, and their sum from 1: 32-bit floats.
const ROUNDING: f64 = 1e-3;

/// What one input is given.
#[derive(Clone, Debug)]
struct Feed {
    from: From,
    kind: DatumType,
    rank: usize,
}

#[derive(Clone, Debug)]
enum From {
    Features(usize),
    Columns(Vec<String>),
}

impl Feed {
    const fn width(&self) -> usize {
        match &self.from {
            From::Features(columns) => *columns,
            From::Columns(names) => names.len(),
        }
    }
}

/// A model that is ready to be asked.
#[derive(Debug)]
pub(crate) struct Tract {
    plan: Arc<TypedRunnableModel>,
    feeds: Vec<Feed>,
    /// Where the score of each class is.
    order: Vec<usize>,
}

impl Engine for Tract {
    fn scores(&self, rows: &Table, features: &Matrix) -> Result<Scores, String> {
        let mut refused = BTreeMap::new();
        if rows.rows == 0 {
            return Ok(Scores {
                values: Matrix::zeros(0, self.order.len()),
                refused,
            });
        }
        let inputs = self.feeds.iter().map(|feed| {
            let tensor = match &feed.from {
                From::Features(_) => floats(feed.kind, features.rows, &features.values)?,
                From::Columns(names) => columns(feed, names, rows, &mut refused)?,
            };
            let shape = [rows.rows, feed.width()];
            let shape = if feed.rank == 1 {
                &shape[..1]
            } else {
                &shape[..]
            };
            let mut tensor = tensor;
            tensor.set_shape(shape).map_err(told)?;
            Ok(tensor.into_tvalue())
        });
        let inputs = inputs.collect::<Result<TVec<TValue>, String>>()?;
        let outputs = self.plan.run(inputs).map_err(told)?;
        let scores = outputs.first().ok_or("the ONNX model gave nothing")?;
        let scores = scores.cast_to::<f64>().map_err(told)?;
        let scores = scores.to_plain_array_view::<f64>().map_err(told)?;
        let given: Vec<f64> = scores.iter().copied().collect();
        let width = self.order.len();
        if given.len() != rows.rows * width {
            return Err("the ONNX model does not give one prediction a row".to_owned());
        }
        let mut values = Vec::with_capacity(given.len());
        for (at, row) in given.chunks_exact(width).enumerate() {
            let sum: f64 = row.iter().sum();
            let within = |score: &f64| (-ROUNDING..=1.0 + ROUNDING).contains(score);
            // What is no number is told of by who asks.
            if width > 1
                && sum.is_finite()
                && ((sum - 1.0).abs() > ROUNDING || !row.iter().all(within))
            {
                refused.entry(at).or_insert_with(|| {
                    format!(
                        "the ONNX model's scores are no probabilities: they sum to {sum}. Take a classifier \
                         that has predict_proba, and convert it without raw_scores"
                    )
                });
            }
            values.extend(self.order.iter().filter_map(|at| row.get(*at)));
        }
        let values = Matrix::new(rows.rows, width, values)
            .ok_or("the ONNX model does not give one prediction a row")?;
        Ok(Scores { values, refused })
    }
}

/// Numbers as the model's floats.
fn floats(kind: DatumType, rows: usize, values: &[f64]) -> Result<Tensor, String> {
    let shape = [rows, values.len() / rows.max(1)];
    let tensor = match kind {
        DatumType::F64 => Tensor::from_shape(&shape, values),
        DatumType::F32 => {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Tensor::from_shape(&shape, &values)
        }
        other => {
            return Err(format!(
                "the ONNX model takes {other:?}, but the features are floats"
            ));
        }
    };
    tensor.map_err(told)
}

/// Columns as one tensor, row after row. A missing number is not a number, and a missing text is empty; a
/// missing whole number or boolean refuses its row, because those have nothing to stand for it.
fn columns(
    feed: &Feed,
    names: &[String],
    rows: &Table,
    refused: &mut BTreeMap<usize, String>,
) -> Result<Tensor, String> {
    let columns = names.iter().map(|name| {
        rows.column(name)
            .ok_or_else(|| format!("column '{name}' is missing"))
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let shape = [rows.rows, columns.len()];
    let cells = rows.rows * columns.len();
    let wrong = |column: &Column| {
        format!(
            "column '{}' has {}, but the ONNX model takes {:?}",
            shown(&column.name, 40),
            column.values.kind().name(),
            feed.kind
        )
    };
    if feed.kind == DatumType::String {
        let mut texts = Vec::with_capacity(cells);
        for row in 0..rows.rows {
            for column in &columns {
                let text = if column.is_null(row) {
                    String::new()
                } else {
                    column.label(row).unwrap_or_default()
                };
                texts.push(text);
            }
        }
        let texts = tract_ndarray::Array::from_shape_vec(shape, texts);
        return texts
            .map(IntoTensor::into_tensor)
            .map_err(|error| error.to_string());
    }
    let mut numbers = vec![f64::NAN; cells];
    let mut integers = vec![0_i64; cells];
    let whole = !matches!(feed.kind, DatumType::F32 | DatumType::F64);
    for (at, column) in columns.iter().enumerate() {
        let values: Vec<Option<f64>> = match &column.values {
            Values::Booleans(values) => {
                let nulls = column.null_mask();
                let values = values.iter().zip(nulls);
                values
                    .map(|(value, null)| (!null).then_some(f64::from(*value)))
                    .collect()
            }
            _ => column.numbers().ok_or_else(|| wrong(column))?,
        };
        for (row, value) in values.into_iter().enumerate() {
            let place = row * columns.len() + at;
            match value {
                Some(value) if whole && value.fract() != 0.0 => {
                    refused.entry(row).or_insert_with(|| {
                        format!(
                            "column '{}' has {value}, which is no whole number",
                            shown(&column.name, 40)
                        )
                    });
                }
                Some(value) => {
                    if let Some(number) = numbers.get_mut(place) {
                        *number = value;
                    }
                    if let Some(integer) = integers.get_mut(place) {
                        *integer = value as i64;
                    }
                }
                None if whole => {
                    refused.entry(row).or_insert_with(|| {
                        format!("column '{}' has no value", shown(&column.name, 40))
                    });
                }
                None => {}
            }
        }
    }
    if whole {
        let tensor = Tensor::from_shape(&shape, &integers).map_err(told)?;
        return tensor
            .cast_to_dt(feed.kind)
            .map(Cow::into_owned)
            .map_err(told);
    }
    floats(feed.kind, rows.rows, &numbers)
}

/// What tract says, in one line.
fn told(error: impl std::fmt::Display) -> String {
    let line = format!("{error:#}");
    let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("the ONNX model can't be run: {}", shown(&line, 300))
}
