//! The order of a model's classes: its scores are in that order, and Septet's are sorted as texts.

use septet_kit::show::shown;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};

/// The classes' names in the order of the scores, if the model says: the last of its nodes that
/// has labels.
pub(crate) fn of(graph: &GraphProto) -> Option<Vec<String>> {
    graph.node.iter().rev().find_map(|node| {
        let attributes = || node.attribute.iter();
        match node.op_type.as_str() {
            "ZipMap" | "LinearClassifier" | "TreeEnsembleClassifier" => attributes()
                .find(|attribute| attribute.name.starts_with("classlabels_"))
                .map(|attribute| {
                    let texts = attribute.strings.iter().map(|text| lossy(text));
                    let numbers = attribute.ints.iter().map(i64::to_string);
                    texts.chain(numbers).collect()
                }),
            "ArrayFeatureExtractor" => chosen(graph, node),
            _ => None,
        }
    })
}

/// The labels of `labels[argmax(scores)]`.
fn chosen(graph: &GraphProto, node: &NodeProto) -> Option<Vec<String>> {
    let [labels, index] = &*node.input else {
        return None;
    };
    let labels = graph.initializer.iter().find(|t| t.name == *labels)?;
    let mut index = index;
    // Between the two there may be what only changes the shape or the type.
    for _ in 0..4 {
        let maker = graph.node.iter().find(|n| n.output.contains(index))?;
        match maker.op_type.as_str() {
            "ArgMax" | "TopK" => return values(labels),
            "Reshape" | "Cast" | "Squeeze" | "Flatten" => index = maker.input.first()?,
            _ => return None,
        }
    }
    None
}

fn values(tensor: &TensorProto) -> Option<Vec<String>> {
    match tensor.data_type {
        8 => Some(tensor.string_data.iter().map(|text| lossy(text)).collect()),
        6 if tensor.raw_data.is_empty() => {
            Some(tensor.int32_data.iter().map(i32::to_string).collect())
        }
        6 => {
            let (chunks, _) = tensor.raw_data.as_chunks::<4>();
            Some(
                chunks
                    .iter()
                    .map(|c| i32::from_le_bytes(*c).to_string())
                    .collect(),
            )
        }
        7 if tensor.raw_data.is_empty() => {
            Some(tensor.int64_data.iter().map(i64::to_string).collect())
        }
        7 => {
            let (chunks, _) = tensor.raw_data.as_chunks::<8>();
            Some(
                chunks
                    .iter()
                    .map(|c| i64::from_le_bytes(*c).to_string())
                    .collect(),
            )
        }
        _ => None,
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Where each of `classes` is among `labels`.
pub(crate) fn order(labels: &[String], classes: &[String]) -> Result<Vec<usize>, String> {
    let found: Option<Vec<usize>> = classes
        .iter()
        .map(|class| labels.iter().position(|label| label == class))
        .collect();
    found
        .filter(|_| labels.len() == classes.len())
        .ok_or_else(|| {
            let list = |names: &[String]| {
                let few = names.iter().take(10).map(|name| shown(name, 40));
                few.collect::<Vec<_>>().join(", ")
            };
            format!(
                "the ONNX model's classes are {}, but the data's are {}",
                list(labels),
                list(classes)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_name() {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let labels = texts(&["3", "8", "13"]);
        assert_eq!(order(&labels, &texts(&["13", "3", "8"])), Ok(vec![2, 0, 1]));
        let told = order(&labels, &texts(&["13", "3", "9"])).unwrap_err();
        assert_eq!(
            told,
            "the ONNX model's classes are 3, 8, 13, but the data's are 13, 3, 9"
        );
        assert!(order(&labels, &texts(&["3", "8"])).is_err());
    }
}
