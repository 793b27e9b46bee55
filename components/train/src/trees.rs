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
    pub(crate) fn flatten(
        self,
        nodes: &mut Vec<Node>,
        leaf: impl Fn(f64) -> f64,
    ) -> Result<Vec<bool>, String> {
        let broken = || "smartcore's tree is not as expected".to_owned();
        let tree = self.trees.into_iter().next().ok_or_else(broken)?;
        let samples = self.samples.into_iter().next().ok_or_else(broken)?;
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
            match (raw.true_child, raw.false_child, raw.split_value) {
                (Some(left), Some(right), Some(threshold)) => {
                    nodes.push(Node {
                        threshold,
                        feature: u32::try_from(raw.split_feature).map_err(|_| broken())?,
                        right: 0,
                    });
                    stack.push((right, Some(place)));
                    stack.push((left, None));
                }
                _ => nodes.push(Node::leaf(leaf(raw.output))),
            }
        }
        Ok(samples.into_iter().map(|learned| !learned).collect())
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("smartcore's tree can't be read: {error}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grown(nodes: serde_json::Value) -> Grown {
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
        let fresh = grown(nodes).flatten(&mut flat, |x| x + 0.5).unwrap();
        assert_eq!(fresh, [false, true]);
        let shape: Vec<_> = flat.iter().map(|n| (n.threshold, n.right)).collect();
        assert_eq!(
            shape,
            [(0.0, 0), (0.5, 5), (0.5, 4), (8.5, 0), (9.5, 0), (7.5, 0)]
        );
        let round = json!([split(0, 0, 0)]);
        assert!(grown(round).flatten(&mut vec![], |x| x).is_err());
    }
}
