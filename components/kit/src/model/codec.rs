//! The bytes of a model: flat and little-endian, so that decoding is one checked pass.
//!
//! ```text
//!  0  u32 kind      1 linear classifier, 2 linear regressor, 3 forest classifier, 4 forest regressor
//!  4  u32 columns   features of a row
//!  8  u32 count     rows of weights, or trees
//! 12  u32 classes   of a forest classifier, else 0
//! 16  linear        count × columns f64 weights, row after row; count f64 intercepts
//!     forest        count u32 roots; zeros up to a multiple of 16; nodes of 16 bytes to the end:
//!                   f64 threshold (a leaf's value), u32 feature (u32::MAX in a leaf), u32 right
//! ```
//! A model that starts at a multiple of 16 has its nodes at a multiple of 16.

use super::{Forest, Linear, Model, Node};
use crate::matrix::Matrix;

const HEADER: usize = 16;
const NODE: usize = 16;

impl Model {
    /// The model's bytes; equal models have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::LinearClassifier(linear) => encode_linear(1, linear),
            Self::LinearRegressor(linear) => encode_linear(2, linear),
            Self::ForestClassifier { classes, forest } => encode_forest(3, *classes, forest),
            Self::ForestRegressor(forest) => encode_forest(4, 0, forest),
        }
    }

    /// The model of these bytes.
    ///
    /// It takes no more memory than a few times the bytes, whatever they are, and a decoded model
    /// predicts in bounded time.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut rest = bytes;
        let [kind, columns, count, classes] = [(); 4].map(|()| take_u32(&mut rest));
        let (Some(kind), Some(columns), Some(count), Some(classes)) =
            (kind, columns, count, classes)
        else {
            return Err("the model's header is cut off".to_owned());
        };
        let [columns, count, classes] = [columns, count, classes].map(|n| n as usize);
        if classes != 0 && kind != 3 {
            return Err("only a forest classifier names its classes".to_owned());
        }
        match kind {
            1 => decode_linear(rest, columns, count).map(Self::LinearClassifier),
            2 => decode_linear(rest, columns, count).map(Self::LinearRegressor),
            3 => decode_forest(rest, columns, count)
                .map(|forest| Self::ForestClassifier { classes, forest }),
            4 => decode_forest(rest, columns, count).map(Self::ForestRegressor),
            _ => Err(format!("there is no model of kind {kind}")),
        }?
        .checked()
    }
}

fn header(kind: u32, columns: usize, count: usize, classes: usize, capacity: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + capacity);
    for word in [kind, columns as u32, count as u32, classes as u32] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}

fn encode_linear(kind: u32, linear: &Linear) -> Vec<u8> {
    let values = &linear.weights.values;
    let (rows, columns) = (linear.weights.rows, linear.columns());
    let mut bytes = header(kind, columns, rows, 0, (values.len() + rows) * 8);
    for value in values.iter().chain(&linear.intercepts) {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

fn decode_linear(bytes: &[u8], columns: usize, count: usize) -> Result<Linear, String> {
    let weights = columns.checked_mul(count);
    let expected = weights
        .and_then(|weights| weights.checked_add(count))
        .and_then(|values| values.checked_mul(8));
    if expected != Some(bytes.len()) {
        return Err("the model's length does not fit its header".to_owned());
    }
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut values: Vec<f64> = chunks.iter().map(|c| f64::from_le_bytes(*c)).collect();
    let intercepts = values.split_off(weights.unwrap_or_default());
    Matrix::new(count, columns, values)
        .and_then(|weights| Linear::new(weights, intercepts))
        .ok_or_else(|| "the model's weights are not finite or not there".to_owned())
}

fn encode_forest(kind: u32, classes: usize, forest: &Forest) -> Vec<u8> {
    let (roots, nodes) = (forest.roots(), forest.nodes());
    let capacity = roots.len() * 4 + NODE + nodes.len() * NODE;
    let mut bytes = header(kind, forest.columns(), roots.len(), classes, capacity);
    for root in roots {
        bytes.extend(root.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(NODE), 0);
    for node in nodes {
        bytes.extend(node.threshold.to_le_bytes());
        bytes.extend(node.feature.to_le_bytes());
        bytes.extend(node.right.to_le_bytes());
    }
    bytes
}

fn decode_forest(bytes: &[u8], columns: usize, count: usize) -> Result<Forest, String> {
    let cut = || "the model's trees are cut off".to_owned();
    let roots_length = count.checked_mul(4).ok_or_else(cut)?;
    let (roots, rest) = bytes.split_at_checked(roots_length).ok_or_else(cut)?;
    let padding = roots_length.next_multiple_of(NODE) - roots_length;
    let (padding, nodes) = rest.split_at_checked(padding).ok_or_else(cut)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err("the model's padding is not empty".to_owned());
    }
    let (roots, _) = roots.as_chunks::<4>();
    let roots = roots.iter().map(|c| u32::from_le_bytes(*c)).collect();
    let (chunks, []) = nodes.as_chunks::<NODE>() else {
        return Err("the model ends within a node".to_owned());
    };
    let nodes = chunks.iter().map(|chunk| node(*chunk)).collect();
    Forest::new(columns, roots, nodes)
}

/// The node of 16 bytes.
const fn node(bytes: [u8; NODE]) -> Node {
    let word = u128::from_le_bytes(bytes);
    Node {
        threshold: f64::from_bits(word as u64),
        feature: (word >> 64) as u32,
        right: (word >> 96) as u32,
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::model::LEAF;

    fn linear() -> impl Strategy<Value = Model> {
        (1usize..5, 0usize..6).prop_flat_map(|(rows, columns)| {
            let count = rows * (columns + 1);
            (vec(-1e300..1e300f64, count), any::<bool>()).prop_map(
                move |(mut values, classifier)| {
                    let intercepts = values.split_off(rows * columns);
                    let weights = Matrix::new(rows, columns, values).unwrap();
                    let linear = Linear::new(weights, intercepts).unwrap();
                    match (rows, classifier) {
                        (2, _) | (1, false) => {
                            let weights = Matrix::new(1, columns, linear.weights.row(0).to_vec());
                            let intercepts =
                                linear.intercepts.first().copied().into_iter().collect();
                            Model::LinearRegressor(
                                Linear::new(weights.unwrap(), intercepts).unwrap(),
                            )
                        }
                        _ => Model::LinearClassifier(linear),
                    }
                },
            )
        })
    }

    /// Trees of random shape: `splits` says, node by node in pre-order, whether to go on.
    fn grow(splits: &mut impl Iterator<Item = (bool, f64)>, nodes: &mut Vec<Node>, depth: u32) {
        let (split, number) = splits.next().unwrap_or((false, 0.0));
        let index = nodes.len();
        if !split || depth > 8 {
            nodes.push(Node::leaf((number.abs() * 3.0).floor().min(2.0)));
            return;
        }
        nodes.push(Node {
            threshold: number,
            feature: 1,
            right: 0,
        });
        grow(splits, nodes, depth + 1);
        nodes[index].right = nodes.len() as u32;
        grow(splits, nodes, depth + 1);
    }

    fn forest() -> impl Strategy<Value = Model> {
        let trees = vec(vec((any::<bool>(), -1.0..1.0f64), 0..40), 1..6);
        (trees, any::<bool>()).prop_map(|(trees, classifier)| {
            let (mut roots, mut nodes) = (vec![], vec![]);
            for tree in trees {
                roots.push(nodes.len() as u32);
                grow(&mut tree.into_iter(), &mut nodes, 0);
            }
            let forest = Forest::new(2, roots, nodes).unwrap();
            if classifier {
                Model::ForestClassifier { classes: 3, forest }
            } else {
                Model::ForestRegressor(forest)
            }
        })
    }

    fn model() -> impl Strategy<Value = Model> {
        prop_oneof![linear(), forest()]
    }

    proptest! {
        #[test]
        fn models_go_there_and_back(model in model()) {
            let bytes = model.encode();
            prop_assert_eq!(Model::decode(&bytes).unwrap(), model);
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
            let _ = Model::decode(&bytes);
        }

        #[test]
        fn changed_bytes_still_predict(
            model in model(),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
            whole in any::<bool>(),
        ) {
            let mut bytes = model.encode();
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(model) = Model::decode(&bytes) {
                let width = model.columns();
                prop_assume!(width < 1000);
                let rows = Matrix::zeros(2, width);
                prop_assert_eq!(model.predict(&rows).rows, 2);
                prop_assert_eq!(model.encode(), bytes);
            }
        }

        #[test]
        fn probabilities_sum_to_one(model in model(), x in -1e3..1e3f64) {
            let rows = Matrix::new(1, model.columns(), vec![x; model.columns()]).unwrap();
            if let Some(classes) = model.classes() {
                let probabilities = model.predict(&rows);
                prop_assert_eq!(probabilities.columns, classes);
                let sum: f64 = probabilities.values.iter().sum();
                prop_assert!(sum.is_nan() || (sum - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_node_is_sixteen_bytes() {
        assert_eq!(size_of::<Node>(), NODE);
        let leaf = Node::leaf(1.0);
        let forest = Forest::new(0, vec![0], vec![leaf]).unwrap();
        let bytes = Model::ForestRegressor(forest).encode();
        assert_eq!(bytes.len(), 48);
        assert_eq!(bytes[40..44], LEAF.to_le_bytes());
    }
}
