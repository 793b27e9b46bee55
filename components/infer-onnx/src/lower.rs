//! Operators of `ai.onnx.ml` that tract lacks, written by operators that it has. What each means is
//! in the specification: <https://onnx.ai/onnx/operators/index.html>.
//!
//! It owns the rewriting of a graph. Predictions stay what they are, up to the rounding of 32-bit floats.

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
    attribute_proto::AttributeType, tensor_proto::DataType,
};

use crate::trees;

/// How the names of values begin that are made here.
pub(crate) const OWN: &str = "septet.";

/// What is written otherwise, and what is looked up in a table.
pub(crate) const LOWERED: [&str; 8] = [
    "Binarizer",
    "FeatureVectorizer",
    "Imputer",
    "LabelEncoder",
    "OneHotEncoder",
    "Scaler",
    "TreeEnsembleRegressor",
    "ZipMap",
];

/// Rewrites the model's graph. An error names the operator and what of it is not known.
pub(crate) fn lower(model: &mut ModelProto) -> Result<(), String> {
    let core = model
        .opset_import
        .iter()
        .find(|import| import.domain.is_empty() || import.domain == "ai.onnx");
    let opset = core.map_or(1, |import| import.version);
    let Some(graph) = &mut model.graph else {
        return Ok(());
    };
    let nodes = std::mem::take(&mut graph.node);
    let mut rewriting = Rewriting {
        graph,
        opset,
        count: 0,
    };
    for node in nodes {
        match node.op_type.as_str() {
            "Binarizer" => rewriting.binarizer(&node),
            "FeatureVectorizer" => rewriting.feature_vectorizer(&node),
            "Imputer" => rewriting.imputer(&node),
            "LabelEncoder" => rewriting.label_encoder(node),
            "LinearClassifier" | "TreeEnsembleClassifier" => rewriting.classifier(node),
            "LinearRegressor" => rewriting.linear_regressor(node),
            "Normalizer" => rewriting.normalizer(node),
            "OneHotEncoder" => rewriting.one_hot_encoder(&node),
            "Scaler" => rewriting.scaler(&node),
            "TreeEnsembleRegressor" => rewriting.tree_ensemble_regressor(node),
            "ZipMap" => rewriting.zip_map(&node),
            _ => {
                rewriting.graph.node.push(node);
                Ok(())
            }
        }?;
    }
    Ok(())
}

struct Rewriting<'g> {
    graph: &'g mut GraphProto,
    opset: i64,
    /// Values that were made.
    count: usize,
}

impl Rewriting<'_> {
    fn fresh(&mut self) -> String {
        self.count += 1;
        format!("{OWN}{}", self.count)
    }

    /// A node with one output, whose name is `output` or a new one.
    fn wire(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        output: Option<&str>,
    ) -> String {
        let output = output.map_or_else(|| self.fresh(), str::to_owned);
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.clone()],
            name: format!("{OWN}{}", self.graph.node.len()),
            op_type: operator.to_owned(),
            attribute: attributes,
            ..NodeProto::default()
        });
        output
    }

    fn floats(&mut self, values: &[f32]) -> String {
        let name = self.fresh();
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::Float as i32,
            float_data: values.to_vec(),
            ..TensorProto::default()
        });
        name
    }

    fn integers(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        self.graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        name
    }

    fn cast_floats(&mut self, input: &str, output: Option<&str>) -> String {
        let to = integer("to", DataType::Float as i64);
        self.wire("Cast", &[input], vec![to], output)
    }

    /// `(x - offset) × scale`, a value each for all columns or one a column.
    fn scaler(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = one(node)?;
        let mut value = self.cast_floats(input, None);
        if let Some(offset) = find(node, "offset") {
            let offset = self.floats(&offset.floats);
            value = self.wire("Sub", &[&value, &offset], vec![], None);
        }
        let scale = find(node, "scale").map_or(vec![1.0], |scale| scale.floats.clone());
        let scale = self.floats(&scale);
        self.wire("Mul", &[&value, &scale], vec![], Some(output));
        Ok(())
    }

    /// 1 above the threshold, else 0.
    fn binarizer(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = one(node)?;
        let threshold = find(node, "threshold").map_or(0.0, |threshold| threshold.f);
        let (value, threshold) = (self.cast_floats(input, None), self.floats(&[threshold]));
        let above = self.wire("Greater", &[&value, &threshold], vec![], None);
        self.cast_floats(&above, Some(output));
        Ok(())
    }

    /// All inputs beside each other.
    fn feature_vectorizer(&mut self, node: &NodeProto) -> Result<(), String> {
        let [output] = &*node.output else {
            return Err(wrong(node, "has not one output"));
        };
        let inputs: Vec<_> = node
            .input
            .iter()
            .map(|i| self.cast_floats(i, None))
            .collect();
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.wire("Concat", &inputs, vec![integer("axis", 1)], Some(output));
        Ok(())
    }

    /// Another value where the value is the one that stands for a missing one.
    fn imputer(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = one(node)?;
        if let Some(imputed) = find(node, "imputed_value_int64s") {
            let replaced = find(node, "replaced_value_int64").map_or(0, |replaced| replaced.i);
            let (imputed, replaced) = (self.integers(&imputed.ints), self.integers(&[replaced]));
            let missing = self.wire("Equal", &[input, &replaced], vec![], None);
            self.wire("Where", &[&missing, &imputed, input], vec![], Some(output));
            return Ok(());
        }
        let Some(imputed) = find(node, "imputed_value_floats") else {
            return Err(wrong(node, "has no values to impute"));
        };
        let imputed = self.floats(&imputed.floats);
        let replaced = find(node, "replaced_value_float").map_or(0.0, |replaced| replaced.f);
        let missing = if replaced.is_nan() {
            self.wire("IsNaN", &[input], vec![], None)
        } else {
            let replaced = self.floats(&[replaced]);
            self.wire("Equal", &[input, &replaced], vec![], None)
        };
        self.wire("Where", &[&missing, &imputed, input], vec![], Some(output));
        Ok(())
    }

    /// As it is, with numbers for labels, and checked.
    fn classifier(&mut self, node: NodeProto) -> Result<(), String> {
        let (mut node, classes) = numbered(node);
        if node.op_type == "TreeEnsembleClassifier" {
            trees::check(&mut node, classes, true)?;
            // tract adds to each class what is there before the first tree, and a file may have it once.
            for attribute in &mut node.attribute {
                if attribute.name == "base_values" {
                    attribute.floats.resize(classes, 0.0);
                }
            }
        } else {
            let Some(scores) = find(&node, "intercepts").map(|each| each.floats.len()) else {
                return Err(wrong(
                    &node,
                    "has no intercepts, and so an unknown number of scores",
                ));
            };
            let softmax = find(&node, "post_transform").is_some_and(|told| told.s == b"SOFTMAX");
            if classes == 2 && scores < 2 && softmax {
                return Err(wrong(&node, "takes the SOFTMAX of one score"));
            }
        }
        self.graph.node.push(node);
        Ok(())
    }

    fn linear_regressor(&mut self, node: NodeProto) -> Result<(), String> {
        if find(&node, "post_transform").is_some_and(|told| told.s != b"NONE") {
            return Err(wrong(
                &node,
                "has a post_transform, which onnxruntime and the specification read differently",
            ));
        }
        self.graph.node.push(node);
        Ok(())
    }

    /// As it is. A row's greatest value has its sign in the specification and in onnxruntime, and none in
    /// scikit-learn and in tract.
    fn normalizer(&mut self, node: NodeProto) -> Result<(), String> {
        if find(&node, "norm").is_none_or(|norm| norm.s == b"MAX") {
            return Err(wrong(&node, "has the norm MAX: take L1 or L2"));
        }
        self.graph.node.push(node);
        Ok(())
    }

    /// The lists that [`crate::lookup`] reads, also where the file has tensors.
    fn label_encoder(&mut self, mut node: NodeProto) -> Result<(), String> {
        for part in ["keys", "values", "default"] {
            let tensor = format!("{part}_tensor");
            let Some(at) = node.attribute.iter().position(|a| a.name == tensor) else {
                continue;
            };
            let tensor = node.attribute.remove(at).t.unwrap_or_default();
            let texts = tensor.data_type == DataType::String as i32;
            let mut numbers = tensor.int64_data;
            let (chunks, _) = tensor.raw_data.as_chunks::<8>();
            numbers.extend(chunks.iter().map(|chunk| i64::from_le_bytes(*chunk)));
            if !texts && tensor.data_type != DataType::Int64 as i32 {
                return Err(wrong(&node, "has neither texts nor whole numbers"));
            }
            node.attribute.push(match (part, texts) {
                ("default", true) => AttributeProto {
                    name: "default_string".to_owned(),
                    r#type: AttributeType::String as i32,
                    s: tensor.string_data.into_iter().next().unwrap_or_default(),
                    ..AttributeProto::default()
                },
                ("default", false) => {
                    integer("default_int64", numbers.first().copied().unwrap_or(-1))
                }
                (_, true) => AttributeProto {
                    name: format!("{part}_strings"),
                    r#type: AttributeType::Strings as i32,
                    strings: tensor.string_data,
                    ..AttributeProto::default()
                },
                (_, false) => integers(&format!("{part}_int64s"), numbers),
            });
        }
        let Some(values) = node
            .attribute
            .iter()
            .position(|a| a.name == "values_floats")
        else {
            self.graph.node.push(node);
            return Ok(());
        };
        // A number of the table, and floats by it: the last is for what is not in the table.
        let mut values = node.attribute.remove(values).floats;
        let known = values.len() as i64;
        values.push(find(&node, "default_float").map_or(0.0, |default| default.f));
        let (_, output) = one(&node)?;
        let output = output.to_owned();
        node.attribute
            .push(integers("values_int64s", (0..known).collect()));
        node.attribute.push(integer("default_int64", known));
        let (index, values) = (self.fresh(), self.floats(&values));
        node.output = vec![index.clone()];
        self.graph.node.push(node);
        self.wire(
            "Gather",
            &[&values, &index],
            vec![integer("axis", 0)],
            Some(&output),
        );
        Ok(())
    }

    /// One column a category. Where an unknown value is an error (`zeros` is 0) it is no number: a row of
    /// it can't be predicted.
    fn one_hot_encoder(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = one(node)?;
        let (keys, count) = match (find(node, "cats_strings"), find(node, "cats_int64s")) {
            (Some(texts), _) if !texts.strings.is_empty() => {
                let keys = AttributeProto {
                    name: "keys_strings".to_owned(),
                    ..texts.clone()
                };
                (keys, texts.strings.len() as i64)
            }
            (_, Some(numbers)) if !numbers.ints.is_empty() => {
                let keys = integers("keys_int64s", numbers.ints.clone());
                (keys, numbers.ints.len() as i64)
            }
            _ => return Err(wrong(node, "has no categories")),
        };
        let attributes = vec![
            keys,
            integers("values_int64s", (0..count).collect()),
            integer("default_int64", -1),
        ];
        let index = self.wire("LabelEncoder", &[input], attributes, None);
        let index = if self.opset < 13 {
            self.wire(
                "Unsqueeze",
                &[&index],
                vec![integers("axes", vec![-1])],
                None,
            )
        } else {
            let axes = self.integers(&[-1]);
            self.wire("Unsqueeze", &[&index, &axes], vec![], None)
        };
        let all: Vec<i64> = (0..count).collect();
        let all = self.integers(&all);
        let same = self.wire("Equal", &[&index, &all], vec![], None);
        if find(node, "zeros").is_none_or(|zeros| zeros.i != 0) {
            self.cast_floats(&same, Some(output));
            return Ok(());
        }
        let same = self.cast_floats(&same, None);
        let (unknown, none) = (self.integers(&[-1]), self.floats(&[f32::NAN]));
        let unknown = self.wire("Equal", &[&index, &unknown], vec![], None);
        self.wire("Where", &[&unknown, &none, &same], vec![], Some(output));
        Ok(())
    }

    /// As a classifier, whose scores are the targets. It has three classes at least: of fewer, tract
    /// completes probabilities.
    fn tree_ensemble_regressor(&mut self, mut node: NodeProto) -> Result<(), String> {
        let (_, output) = one(&node)?;
        let output = output.to_owned();
        let targets = find(&node, "n_targets").map_or(1, |targets| targets.i);
        if !(1..=1024).contains(&targets) {
            return Err(wrong(&node, "has no targets, or too many"));
        }
        trees::check(&mut node, targets as usize, false)?;
        let classes = targets.max(3);
        let trees = find(&node, "nodes_treeids").and_then(|ids| ids.ints.iter().max().copied());
        let aggregate = find(&node, "aggregate_function").map(|aggregate| aggregate.s.clone());
        let share = match aggregate.as_deref() {
            None | Some(b"SUM") => 1.0,
            Some(b"AVERAGE") => 1.0 / trees.unwrap_or_default().saturating_add(1) as f32,
            Some(other) => {
                let other = String::from_utf8_lossy(other);
                return Err(wrong(&node, &format!("has the aggregate {other:.20}")));
            }
        };
        node.attribute
            .retain(|a| a.name != "aggregate_function" && a.name != "n_targets");
        for attribute in &mut node.attribute {
            if let Some(rest) = attribute.name.strip_prefix("target_") {
                attribute.name = format!("class_{rest}");
            }
            match attribute.name.as_str() {
                "class_weights" => {
                    for weight in &mut attribute.floats {
                        *weight *= share;
                    }
                }
                "base_values" => attribute.floats.resize(classes as usize, 0.0),
                _ => {}
            }
        }
        node.attribute
            .push(integers("classlabels_int64s", (0..classes).collect()));
        "TreeEnsembleClassifier".clone_into(&mut node.op_type);
        let (label, scores) = (self.fresh(), self.fresh());
        node.output = vec![label, scores.clone()];
        self.graph.node.push(node);
        let all: Vec<i64> = (0..targets).collect();
        let all = self.integers(&all);
        self.wire(
            "Gather",
            &[&scores, &all],
            vec![integer("axis", 1)],
            Some(&output),
        );
        Ok(())
    }

    /// The probabilities themselves instead of a map of them.
    fn zip_map(&mut self, node: &NodeProto) -> Result<(), String> {
        let (input, output) = one(node)?;
        for graph_output in &mut self.graph.output {
            if graph_output.name == output {
                *graph_output = ValueInfoProto {
                    name: input.to_owned(),
                    ..ValueInfoProto::default()
                };
            }
        }
        Ok(())
    }
}

/// A classifier whose labels are numbers, and how many: tract runs none whose labels are texts, and only its
/// scores are asked for.
fn numbered(mut node: NodeProto) -> (NodeProto, usize) {
    let name = match node.op_type.as_str() {
        "LinearClassifier" => "classlabels_ints",
        _ => "classlabels_int64s",
    };
    let mut texts = node.attribute.iter_mut();
    if let Some(labels) = texts.find(|a| a.name == "classlabels_strings") {
        *labels = integers(name, (0..labels.strings.len() as i64).collect());
    }
    let classes = find(&node, name).map_or(0, |labels| labels.ints.len());
    (node, classes)
}

/// The input and the output of a node that has one each.
fn one(node: &NodeProto) -> Result<(&str, &str), String> {
    match (&*node.input, &*node.output) {
        ([input], [output]) => Ok((input, output)),
        _ => Err(wrong(node, "has not one input and one output")),
    }
}

pub(crate) fn wrong(node: &NodeProto, what: &str) -> String {
    format!("the ONNX model's ai.onnx.ml.{} {what}", node.op_type)
}

pub(crate) fn find<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name == name)
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

pub(crate) fn integers(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: values,
        ..AttributeProto::default()
    }
}
