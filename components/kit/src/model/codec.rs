//! The bytes of a model: flat and little-endian, so that decoding is one checked pass.
//!
//! ```text
//!  0  u32 kind      1 linear classifier, 2 linear regressor, 3 forest classifier,
//!                   4 forest regressor, 5 boosted regressor, 6 neighbours classifier,
//!                   7 neighbours regressor, 8 Gaussian Bayes, 9 ONNX
//!  4  u32 columns   features of a row; of 9, 0 where it takes the raw columns
//!  8  u32 count     rows of weights, trees, neighbours, or classes of 8; 0 of 9
//! 12  u32 classes   of 3, 6 and 9, else 0; of 9, 0 where it predicts a value
//! 16  1, 2          count × columns f64 weights, row after row; count f64 intercepts
//!     3             u64 rows of shares, u64 0; then as 4, the rows of shares (classes × f64 each)
//!                   before the roots
//!     4             count u32 roots; zeros up to a multiple of 16; nodes of 16 bytes to the end:
//!                   f64 threshold (a leaf's value), u32 feature (u32::MAX in a leaf), u32 right
//!     5             f64 constant, u64 0; then as 4
//!     6, 7          u32 neighbours asked, u32 1 if they weigh by distance, u64 0;
//!                   count × columns f64, row after row; count f64 targets
//!     8             count × columns f64 means, as many variances, count f64 logarithms of priors
//!     9             the ONNX model, to the end
//! ```
//! A model that starts at a multiple of 16 has its nodes at a multiple of 16.

use super::{Forest, GaussianBayes, Linear, Model, Neighbours, Node, Onnx};
use crate::matrix::Matrix;

const HEADER: usize = 16;
const NODE: usize = 16;
const CUT: &str = "the model is cut off";

impl Model {
    /// The model's bytes; equal models have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::LinearClassifier(linear) => encode_linear(1, linear),
            Self::LinearRegressor(linear) => encode_linear(2, linear),
            Self::ForestClassifier { forest, shares } => {
                let mut bytes = header(3, forest.columns(), forest.roots().len(), shares.columns);
                bytes.extend((shares.rows as u64).to_le_bytes());
                bytes.extend([0; 8]);
                extend(&mut bytes, &shares.values);
                extend_forest(bytes, forest)
            }
            Self::ForestRegressor(forest) => {
                extend_forest(header(4, forest.columns(), forest.roots().len(), 0), forest)
            }
            Self::BoostedRegressor { base, forest } => {
                let mut bytes = header(5, forest.columns(), forest.roots().len(), 0);
                bytes.extend(base.to_le_bytes());
                bytes.extend([0; 8]);
                extend_forest(bytes, forest)
            }
            Self::NeighboursClassifier {
                classes,
                neighbours,
            } => encode_neighbours(6, *classes, neighbours),
            Self::NeighboursRegressor(neighbours) => encode_neighbours(7, 0, neighbours),
            Self::GaussianBayes(bayes) => {
                let (means, variances, log_priors) = bayes.parts();
                let mut bytes = header(8, bayes.columns(), bayes.classes(), 0);
                extend(&mut bytes, &means.values);
                extend(&mut bytes, &variances.values);
                extend(&mut bytes, log_priors);
                bytes
            }
            Self::Onnx(onnx) => {
                let mut bytes = header(9, onnx.columns(), 0, onnx.classes());
                bytes.extend_from_slice(onnx.bytes());
                bytes
            }
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
        if classes != 0 && ![3, 6, 9].contains(&kind) {
            return Err("this kind of model does not name its classes".to_owned());
        }
        match kind {
            1 => decode_linear(rest, columns, count).map(Self::LinearClassifier),
            2 => decode_linear(rest, columns, count).map(Self::LinearRegressor),
            3 => decode_forest_classifier(rest, columns, count, classes),
            4 => decode_forest(rest, HEADER, columns, count).map(Self::ForestRegressor),
            5 => {
                let base = f64::from_bits(take_u64(&mut rest)?);
                take_zero(&mut rest)?;
                decode_forest(rest, 2 * HEADER, columns, count)
                    .map(|forest| Self::BoostedRegressor { base, forest })
            }
            6 => decode_neighbours(rest, columns, count).map(|neighbours| {
                Self::NeighboursClassifier {
                    classes,
                    neighbours,
                }
            }),
            7 => decode_neighbours(rest, columns, count).map(Self::NeighboursRegressor),
            8 => decode_bayes(rest, columns, count),
            9 if count != 0 => Err("an ONNX model has no count".to_owned()),
            9 => Onnx::new(columns, classes, rest.to_vec()).map(Self::Onnx),
            _ => Err(format!("there is no model of kind {kind}")),
        }?
        .checked()
    }
}

fn header(kind: u32, columns: usize, count: usize, classes: usize) -> Vec<u8> {
    let words = [kind, columns as u32, count as u32, classes as u32];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn extend(bytes: &mut Vec<u8>, values: &[f64]) {
    bytes.reserve(values.len() * 8);
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
}

fn encode_linear(kind: u32, linear: &Linear) -> Vec<u8> {
    let mut bytes = header(kind, linear.columns(), linear.weights.rows, 0);
    extend(&mut bytes, &linear.weights.values);
    extend(&mut bytes, &linear.intercepts);
    bytes
}

fn encode_neighbours(kind: u32, classes: usize, neighbours: &Neighbours) -> Vec<u8> {
    let (rows, targets) = (neighbours.rows(), neighbours.targets());
    let mut bytes = header(kind, rows.columns, rows.rows, classes);
    bytes.extend((neighbours.count() as u32).to_le_bytes());
    bytes.extend(u32::from(neighbours.by_distance()).to_le_bytes());
    bytes.extend([0; 8]);
    extend(&mut bytes, &rows.values);
    extend(&mut bytes, targets);
    bytes
}

/// So many numbers, and no more bytes: the count is compared with the bytes that are there before
/// any memory is asked for.
fn numbers(bytes: &[u8], count: Option<usize>) -> Result<Vec<f64>, String> {
    if count.and_then(|count| count.checked_mul(8)) != Some(bytes.len()) {
        return Err("the model's length does not fit its header".to_owned());
    }
    let (chunks, _) = bytes.as_chunks::<8>();
    Ok(chunks.iter().map(|c| f64::from_le_bytes(*c)).collect())
}

fn decode_linear(bytes: &[u8], columns: usize, count: usize) -> Result<Linear, String> {
    let weights = columns.checked_mul(count);
    let all = weights.and_then(|weights| weights.checked_add(count));
    let mut values = numbers(bytes, all)?;
    let intercepts = values.split_off(weights.unwrap_or_default());
    Matrix::new(count, columns, values)
        .and_then(|weights| Linear::new(weights, intercepts))
        .ok_or_else(|| "the model's weights are not finite or not there".to_owned())
}

fn decode_neighbours(mut bytes: &[u8], columns: usize, count: usize) -> Result<Neighbours, String> {
    let word = take_u64(&mut bytes)?;
    take_zero(&mut bytes)?;
    let (asked, by_distance) = (word as u32, word >> 32);
    if by_distance > 1 {
        return Err("the neighbours weigh neither equally nor by distance".to_owned());
    }
    let cells = columns.checked_mul(count);
    let mut values = numbers(bytes, cells.and_then(|cells| cells.checked_add(count)))?;
    let targets = values.split_off(cells.unwrap_or_default());
    let rows = Matrix::new(count, columns, values).ok_or(CUT)?;
    Neighbours::new(rows, targets, asked as usize, by_distance == 1)
}

fn decode_bayes(bytes: &[u8], columns: usize, count: usize) -> Result<Model, String> {
    let cells = columns.checked_mul(count);
    let both = cells.and_then(|cells| cells.checked_mul(2));
    let mut values = numbers(bytes, both.and_then(|both| both.checked_add(count)))?;
    let log_priors = values.split_off(both.unwrap_or_default());
    let variances = values.split_off(cells.unwrap_or_default());
    let means = Matrix::new(count, columns, values).ok_or(CUT)?;
    let variances = Matrix::new(count, columns, variances).ok_or(CUT)?;
    GaussianBayes::new(means, variances, log_priors)
        .map(Model::GaussianBayes)
        .ok_or_else(|| "the model's distributions are not finite or have no spread".to_owned())
}

fn decode_forest_classifier(
    mut bytes: &[u8],
    columns: usize,
    count: usize,
    classes: usize,
) -> Result<Model, String> {
    let rows = usize::try_from(take_u64(&mut bytes)?).map_err(|_| CUT)?;
    take_zero(&mut bytes)?;
    let cells = rows.checked_mul(classes);
    let length = cells.and_then(|cells| cells.checked_mul(8)).ok_or(CUT)?;
    let (shares, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
    let shares = Matrix::new(rows, classes, numbers(shares, cells)?).ok_or(CUT)?;
    let forest = decode_forest(rest, 2 * HEADER + length, columns, count)?;
    Ok(Model::ForestClassifier { forest, shares })
}

/// Appends roots, padding and nodes.
fn extend_forest(mut bytes: Vec<u8>, forest: &Forest) -> Vec<u8> {
    let (roots, nodes) = (forest.roots(), forest.nodes());
    let end = bytes.len() + roots.len() * 4;
    let padding = end.next_multiple_of(NODE) - end;
    bytes.reserve_exact(roots.len() * 4 + padding + nodes.len() * NODE);
    for root in roots {
        bytes.extend(root.to_le_bytes());
    }
    bytes.resize(bytes.len() + padding, 0);
    for node in nodes {
        bytes.extend(node.threshold.to_le_bytes());
        bytes.extend(node.feature.to_le_bytes());
        bytes.extend(node.right.to_le_bytes());
    }
    bytes
}

/// The forest of roots, padding and nodes; `before` bytes of the model stand before them.
fn decode_forest(
    bytes: &[u8],
    before: usize,
    columns: usize,
    count: usize,
) -> Result<Forest, String> {
    let length = count.checked_mul(4).ok_or(CUT)?;
    let (roots, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
    let end = before.checked_add(length).ok_or(CUT)?;
    let padding = end.checked_next_multiple_of(NODE).ok_or(CUT)? - end;
    let (padding, nodes) = rest.split_at_checked(padding).ok_or(CUT)?;
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

fn take_u64(bytes: &mut &[u8]) -> Result<u64, String> {
    let (first, rest) = bytes.split_first_chunk::<8>().ok_or(CUT)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*first))
}

/// Eight bytes that are kept for later.
fn take_zero(bytes: &mut &[u8]) -> Result<(), String> {
    match take_u64(bytes)? {
        0 => Ok(()),
        _ => Err("the model's padding is not empty".to_owned()),
    }
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
            nodes.push(Node::leaf((number.abs() * 4.0).floor().min(3.0)));
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
        (trees, 0..3).prop_map(|(trees, kind)| {
            let (mut roots, mut nodes) = (vec![], vec![]);
            for tree in trees {
                roots.push(nodes.len() as u32);
                grow(&mut tree.into_iter(), &mut nodes, 0);
            }
            let forest = Forest::new(2, roots, nodes).unwrap();
            match kind {
                0 => Model::ForestRegressor(forest),
                1 => Model::BoostedRegressor { base: 0.5, forest },
                _ => {
                    let shares = Matrix::new(1, 3, vec![0.0, 0.25, 0.75]).unwrap();
                    Model::ForestClassifier { forest, shares }
                }
            }
        })
    }

    fn neighbours() -> impl Strategy<Value = Model> {
        (1usize..6, 0usize..4, any::<bool>(), any::<bool>()).prop_flat_map(
            |(rows, columns, by_distance, classifier)| {
                let targets = vec(0u8..2, rows);
                (vec(-1e3..1e3f64, rows * columns), targets, 1..=rows).prop_map(
                    move |(values, targets, count)| {
                        let rows = Matrix::new(rows, columns, values).unwrap();
                        let targets = targets.into_iter().map(f64::from).collect();
                        let neighbours = Neighbours::new(rows, targets, count, by_distance);
                        let neighbours = neighbours.unwrap();
                        if classifier {
                            Model::NeighboursClassifier {
                                classes: 2,
                                neighbours,
                            }
                        } else {
                            Model::NeighboursRegressor(neighbours)
                        }
                    },
                )
            },
        )
    }

    fn bayes() -> impl Strategy<Value = Model> {
        (2usize..5, 0usize..4).prop_flat_map(|(classes, columns)| {
            let cells = classes * columns;
            let means = vec(-1e3..1e3f64, cells);
            (means, vec(1e-9..1e3f64, cells), vec(-9.0..0.0f64, classes)).prop_map(
                move |(means, variances, priors)| {
                    let means = Matrix::new(classes, columns, means).unwrap();
                    let variances = Matrix::new(classes, columns, variances).unwrap();
                    Model::GaussianBayes(GaussianBayes::new(means, variances, priors).unwrap())
                },
            )
        })
    }

    fn two_classes() -> impl Strategy<Value = Model> {
        vec((any::<bool>(), 0.0..1.0f64), 0..40).prop_map(|tree| {
            let mut nodes = vec![];
            grow(&mut tree.into_iter(), &mut nodes, 0);
            for node in nodes.iter_mut().filter(|node| node.feature == LEAF) {
                node.threshold /= 3.0;
            }
            Model::ForestClassifier {
                forest: Forest::new(2, vec![0], nodes).unwrap(),
                shares: Matrix::zeros(0, 2),
            }
        })
    }

    fn onnx() -> impl Strategy<Value = Model> {
        let classes = prop_oneof![Just(0_usize), 2_usize..9];
        (0_usize..9, classes, vec(any::<u8>(), 1..40)).prop_map(|(columns, classes, bytes)| {
            Model::Onnx(Onnx::new(columns, classes, bytes).unwrap())
        })
    }

    fn model() -> impl Strategy<Value = Model> {
        prop_oneof![linear(), forest(), two_classes(), neighbours(), bayes()]
    }

    /// What ends where its bytes end is not known to be cut off.
    fn any_model() -> impl Strategy<Value = Model> {
        prop_oneof![model(), onnx()]
    }

    proptest! {
        #[test]
        fn models_go_there_and_back(model in any_model()) {
            let bytes = model.encode();
            prop_assert_eq!(Model::decode(&bytes).unwrap(), model);
        }

        #[test]
        fn what_is_cut_off_is_refused(model in model(), cut in any::<prop::sample::Index>()) {
            let bytes = model.encode();
            let short = Model::decode(&bytes[..cut.index(bytes.len())]);
            prop_assert!(short.is_err());
        }

        #[test]
        fn any_bytes_decode_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
            let _ = Model::decode(&bytes);
        }

        #[test]
        fn changed_bytes_still_predict(
            model in any_model(),
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
        fn probabilities_sum_to_one(model in any_model(), x in -1e3..1e3f64) {
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
