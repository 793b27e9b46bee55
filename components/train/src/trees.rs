//! smartcore's trees to the kit's flat nodes.
//!
//! smartcore keeps a tree's nodes to itself; what it serializes is the only way to them. Each tree
//! goes through JSON alone, so that only one is in memory twice.

use septet_kit::model::Node;
use serde::{Deserialize, Serialize};

/// What is read of a forest that smartcore serializes; the rest is skipped.
#[derive(Deserialize)]
pub(crate) struct Grown {
    trees: Vec<Tree>,
    /// For each tree and row, whether the tree learned from the row.
    samples: Vec<Vec<bool>>,
}

/// smartcore's regressor wraps its forest.
#[derive(Deserialize)]
struct Wrapped {
    forest_regressor: Grown,
}

#[derive(Deserialize)]
struct Tree {
    nodes: Vec<Raw>,
}

/// Rows with `feature <= value` go to the true child.
#[derive(Deserialize)]
struct Raw {
    output: f64,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

impl Grown {
    /// What smartcore's classifier holds.
    pub(crate) fn of_classifier(forest: &impl Serialize) -> Result<Self, String> {
        let json = serde_json::to_vec(forest).map_err(|error| unreadable(&error))?;
        serde_json::from_slice(&json).map_err(|error| unreadable(&error))
    }

    /// What smartcore's regressor holds.
    pub(crate) fn of_regressor(forest: &impl Serialize) -> Result<Self, String> {
        let json = serde_json::to_vec(forest).map_err(|error| unreadable(&error))?;
        let wrapped: Wrapped = serde_json::from_slice(&json).map_err(|error| unreadable(&error))?;
        Ok(wrapped.forest_regressor)
    }

    /// Appends the first tree to `nodes`, in pre-order, with `leaf` of each leaf's output; gives
    /// the rows that it did not learn from.
    ///
    /// smartcore's regression trees go on to split rows of one value. A part of the tree whose
    /// leaves are all equal becomes one leaf, which predicts the same.
    pub(crate) fn flatten(
        self,
        nodes: &mut Vec<Node>,
        leaf: impl Fn(f64) -> f64,
    ) -> Result<Vec<bool>, String> {
        let broken = || "smartcore's tree is not as expected".to_owned();
        let tree = self.trees.into_iter().next().ok_or_else(broken)?;
        let samples = self.samples.into_iter().next().ok_or_else(broken)?;
        let values = values(&tree.nodes, leaf).ok_or_else(broken)?;
        let first = nodes.len();
        // Nodes still to place, and the parent whose right child each one is.
        let mut stack: Vec<(usize, Option<usize>)> = vec![(0, None)];
        while let Some((index, parent)) = stack.pop() {
            // A tree that is none would go round; it has no more nodes than this.
            if nodes.len() - first >= tree.nodes.len() {
                return Err(broken());
            }
            let place = nodes.len();
            if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent)) {
                parent.right = u32::try_from(place).map_err(|_| broken())?;
            }
            let raw = tree.nodes.get(index).ok_or_else(broken)?;
            match (values.get(index), raw.split()) {
                (Some(None), Some((left, right, threshold))) => {
                    nodes.push(Node {
                        threshold,
                        feature: u32::try_from(raw.split_feature).map_err(|_| broken())?,
                        right: 0,
                    });
                    stack.push((right, Some(place)));
                    stack.push((left, None));
                }
                (Some(Some(value)), _) => nodes.push(Node::leaf(*value)),
                _ => return Err(broken()),
            }
        }
        Ok(samples.into_iter().map(|learned| !learned).collect())
    }
}

impl Raw {
    /// Children and threshold; none of a leaf.
    fn split(&self) -> Option<(usize, usize, f64)> {
        Some((self.true_child?, self.false_child?, self.split_value?))
    }
}

/// For each node, the one value of all leaves under it; none where they differ. None if a child
/// does not come after its parent, as it does in all that smartcore grows.
fn values(nodes: &[Raw], leaf: impl Fn(f64) -> f64) -> Option<Vec<Option<f64>>> {
    let mut values: Vec<Option<f64>> = vec![None; nodes.len()];
    for (index, raw) in nodes.iter().enumerate().rev() {
        let value = match raw.split() {
            None => Some(leaf(raw.output)),
            Some((left, right, _)) => {
                if left <= index || right <= index {
                    return None;
                }
                let (left, right) = (*values.get(left)?, *values.get(right)?);
                left.filter(|left| right.is_some_and(|right| left.to_bits() == right.to_bits()))
            }
        };
        *values.get_mut(index)? = value;
    }
    Some(values)
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("smartcore's tree can't be read: {error}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grown(nodes: &serde_json::Value) -> Grown {
        let forest = json!({"trees": [{"nodes": nodes}], "samples": [[true, false]]});
        Grown::of_classifier(&forest).unwrap()
    }

    #[test]
    fn the_left_child_comes_next() {
        let split = |feature: u32, left: u32, right: u32| {
            json!({"output": 0, "split_feature": feature, "split_value": 0.5, "split_score": null,
                   "true_child": left, "false_child": right})
        };
        let leaf = |output: u32| {
            json!({"output": output, "split_feature": 0, "split_value": null, "true_child": null,
                   "false_child": null})
        };
        // Breadth first, as smartcore numbers them.
        let nodes = json!([split(1, 1, 2), split(2, 3, 4), leaf(7), leaf(8), leaf(9)]);
        let mut flat = vec![Node::leaf(0.0)];
        let fresh = grown(&nodes).flatten(&mut flat, |x| x + 0.5).unwrap();
        assert_eq!(fresh, [false, true]);
        let shape: Vec<_> = flat.iter().map(|n| (n.threshold, n.right)).collect();
        assert_eq!(
            shape,
            [(0.0, 0), (0.5, 5), (0.5, 4), (8.5, 0), (9.5, 0), (7.5, 0)]
        );
        let round = json!([split(0, 0, 0)]);
        assert!(grown(&round).flatten(&mut vec![], |x| x).is_err());
        let cut = json!([split(0, 1, 2), leaf(7)]);
        assert!(grown(&cut).flatten(&mut vec![], |x| x).is_err());
    }

    #[test]
    fn equal_leaves_become_one() {
        let split = |left: u32| {
            json!({"output": 0, "split_feature": 0, "split_value": 0.5, "true_child": left,
                   "false_child": left + 1})
        };
        let leaf = |output: u32| json!({"output": output, "split_feature": 0});
        let nodes = json!([split(1), split(3), leaf(7), leaf(8), leaf(8)]);
        let mut flat = vec![];
        grown(&nodes).flatten(&mut flat, |x| x).unwrap();
        assert_eq!(flat[1..], [Node::leaf(8.0), Node::leaf(7.0)]);
        let mut flat = vec![];
        let nodes = json!([split(1), leaf(8), leaf(8)]);
        grown(&nodes).flatten(&mut flat, |_| 1.0).unwrap();
        assert_eq!(flat, [Node::leaf(1.0)]);
    }
}
