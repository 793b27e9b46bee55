//! An ONNX file as protobuf. Whoever wrote it is not trusted: all that is used later is held against
//! bounds here, and an operator that is not known is named.
//!
//! It owns what is refused before tract sees a model. It must not run one.

use std::collections::BTreeSet;

use septet_kit::show::shown;
use tract_onnx::{
    Onnx,
    pb::{GraphProto, ModelProto, NodeProto, TensorProto},
    prelude::Framework,
};

use crate::lower;

/// Bytes of a file: of two copies of it, the component's memory holds a third.
const MAX_BYTES: usize = 256 << 20;
/// Nodes of all graphs.
const MAX_NODES: usize = 20_000;
/// How deep graphs may be within nodes of graphs.
const MAX_DEPTH: usize = 4;
/// Values of a tensor.
const MAX_VALUES: usize = 1 << 26;
/// Operators that are named where they are not known.
const NAMED: usize = 8;

/// The domains whose operators are known, by how they are named in a file.
const CORE: [&str; 2] = ["", "ai.onnx"];
const ML: &str = "ai.onnx.ml";

/// Of [`ML`], those that the engine has itself.
const OWN_ML: [&str; 6] = [
    "ArrayFeatureExtractor",
    "CategoryMapper",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "TreeEnsembleClassifier",
];

/// Operators that draw by chance: a prediction of theirs would not come again.
const CHANCE: [&str; 6] = [
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
];

/// The model of a file, if all of it is known and within bounds.
pub(crate) fn read(bytes: &[u8], framework: &Onnx) -> Result<ModelProto, String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!(
            "the ONNX file has {} bytes; at most {MAX_BYTES} are read",
            bytes.len()
        ));
    }
    let model = framework
        .proto_model_for_read(&mut &*bytes)
        .map_err(|_| "this is not an ONNX file, or it is cut off".to_owned())?;
    let Some(graph) = &model.graph else {
        return Err("this is not an ONNX file: it has no graph".to_owned());
    };
    if !model.functions.is_empty() {
        return Err(
            "the ONNX model defines functions of its own, which this component does not read: \
             inline them (onnx.inliner)"
                .to_owned(),
        );
    }
    let mut seen = Seen {
        framework,
        nodes: 0,
        unknown: BTreeSet::new(),
    };
    seen.graph(graph, MAX_DEPTH)?;
    if !seen.unknown.is_empty() {
        let more = seen.unknown.len().saturating_sub(NAMED);
        let named: Vec<_> = seen.unknown.into_iter().take(NAMED).collect();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        return Err(format!(
            "the ONNX model uses what this component does not have: {}{more}",
            named.join(", ")
        ));
    }
    Ok(model)
}

/// What was seen of a model.
struct Seen<'f> {
    framework: &'f Onnx,
    nodes: usize,
    unknown: BTreeSet<String>,
}

impl Seen<'_> {
    fn graph(&mut self, graph: &GraphProto, depth: usize) -> Result<(), String> {
        if !graph.sparse_initializer.is_empty() {
            return Err("the ONNX model has sparse tensors, which are not read".to_owned());
        }
        self.nodes = self.nodes.saturating_add(graph.node.len());
        if self.nodes > MAX_NODES {
            return Err(format!("the ONNX model has more than {MAX_NODES} nodes"));
        }
        for tensor in &graph.initializer {
            check_tensor(tensor)?;
        }
        let produced = graph.node.iter().flat_map(|node| &node.output);
        let named = produced.chain(graph.input.iter().map(|input| &input.name));
        let named = named.chain(graph.initializer.iter().map(|tensor| &tensor.name));
        let mut names = BTreeSet::new();
        for name in named.filter(|name| !name.is_empty()) {
            // An input may have a default value of the same name.
            let default = graph.input.iter().any(|input| input.name == *name);
            if !names.insert(name.as_str()) && !default {
                let name = shown(name, 40);
                return Err(format!("the ONNX model has two values named '{name}'"));
            }
            if name.starts_with(lower::OWN) {
                let name = shown(name, 40);
                return Err(format!(
                    "the ONNX model has a value named '{name}', which is kept for this component"
                ));
            }
        }
        if let Some(output) = graph.output.iter().find(|o| !names.contains(&*o.name)) {
            let name = shown(&output.name, 40);
            return Err(format!("nothing makes the ONNX model's output '{name}'"));
        }
        for node in &graph.node {
            self.node(node, depth)?;
        }
        Ok(())
    }

    fn node(&mut self, node: &NodeProto, depth: usize) -> Result<(), String> {
        if !self.knows(node) {
            let domain = match node.domain.as_str() {
                "" => "ai.onnx",
                other => other,
            };
            self.unknown
                .insert(shown(&format!("{domain}.{}", node.op_type), 80));
        }
        for attribute in &node.attribute {
            for tensor in attribute.t.iter().chain(&attribute.tensors) {
                check_tensor(tensor)?;
            }
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                let Some(depth) = depth.checked_sub(1) else {
                    return Err(format!(
                        "the ONNX model has graphs more than {MAX_DEPTH} deep in each other"
                    ));
                };
                self.graph(graph, depth)?;
            }
        }
        Ok(())
    }

    fn knows(&self, node: &NodeProto) -> bool {
        let name = node.op_type.as_str();
        if node.domain == ML {
            return OWN_ML.contains(&name) || lower::LOWERED.contains(&name);
        }
        // Some of the engine's operators are of other domains, whose names are alike.
        let of_ml = OWN_ML.contains(&name);
        CORE.contains(&node.domain.as_str())
            && !of_ml
            && !CHANCE.contains(&name)
            && self.framework.op_register.0.contains_key(name)
    }
}

/// The values must be in the file, as many as the shape says, and of a kind that is read.
fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    let name = || shown(&tensor.name, 40);
    if tensor.data_location == Some(1) || !tensor.external_data.is_empty() {
        return Err(format!(
            "the values of the ONNX model's '{}' are in another file: save the model in one \
             (onnx.save without external data)",
            name()
        ));
    }
    let mut values = 1_usize;
    for dimension in &tensor.dims {
        let dimension = usize::try_from(*dimension).ok();
        values = dimension
            .and_then(|dimension| values.checked_mul(dimension))
            .filter(|values| *values <= MAX_VALUES)
            .ok_or_else(|| format!("the ONNX model's '{}' is too large", name()))?;
    }
    // As `TensorProto.DataType` numbers them: how many bytes a value has where they are raw.
    let (width, given) = match tensor.data_type {
        1 => (4, tensor.float_data.len()),
        6 => (4, tensor.int32_data.len()),
        7 => (8, tensor.int64_data.len()),
        9 => (1, tensor.int32_data.len()),
        8 => (0, tensor.string_data.len()),
        11 => (8, tensor.double_data.len()),
        other => {
            return Err(format!(
                "the ONNX model's '{}' is of the kind {other}, which is not read: floats, doubles, \
                 int32, int64, booleans and texts are",
                name()
            ));
        }
    };
    let raw = tensor.raw_data.len();
    let fits = match (raw, width) {
        (0, _) => given == values,
        (_, 0) => false,
        _ => raw == values.saturating_mul(width),
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "the ONNX model's '{}' has not as many values as its shape",
            name()
        ))
    }
}
