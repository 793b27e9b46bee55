//! Trees in one flat run of nodes.
//!
//! It owns the node, the walk and the rules that make a walk end.

use crate::matrix::Matrix;

/// What a walk through a tree costs at least: some twenty nodes, most of which are not in the
/// cache.
const WALK: usize = 100;
/// What a node of a longer walk costs.
const NODE: usize = 5;

/// `Node::feature` of a leaf.
pub const LEAF: u32 = u32::MAX;

/// One node: 16 bytes in memory as in the encoded model.
///
/// Nodes stand in pre-order: the left child of node `i` is node `i + 1`, so that the walk mostly
/// reads what is already in the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Node {
    /// Rows with `feature <= threshold` go left, others (NaN too) right. In a leaf: the value; what
    /// it is for a classifier, [`super::Model::ForestClassifier`] says.
    pub threshold: f64,
    /// Column that is compared, or [`LEAF`].
    pub feature: u32,
    /// Index, in the whole run, of the right child; 0 in a leaf.
    pub right: u32,
}

impl Node {
    /// A leaf with this value.
    pub const fn leaf(value: f64) -> Self {
        Self {
            threshold: value,
            feature: LEAF,
            right: 0,
        }
    }
}

/// Trees over rows of one width.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    columns: usize,
    roots: Vec<u32>,
    nodes: Vec<Node>,
    cost: usize,
}

impl Forest {
    /// The forest, if every walk through it ends: each tree is the run of nodes from its root to
    /// the next root, children lie strictly forward and inside their tree, features are columns,
    /// numbers are finite.
    pub fn new(columns: usize, roots: Vec<u32>, nodes: Vec<Node>) -> Result<Self, String> {
        if roots.first() != Some(&0) {
            return Err("a forest needs a first tree at node 0".to_owned());
        }
        let total = u32::try_from(nodes.len()).map_err(|_| "too many nodes".to_owned())?;
        let ends = roots.iter().copied().skip(1).chain([total]);
        let mut cost = 0usize;
        for (tree, (start, end)) in roots.iter().copied().zip(ends).enumerate() {
            let run = nodes
                .get(start as usize..end as usize)
                .filter(|run| !run.is_empty())
                .ok_or_else(|| format!("tree {tree} has no nodes"))?;
            for (index, node) in (start..end).zip(run) {
                let sound = node.threshold.is_finite()
                    && if node.feature == LEAF {
                        node.right == 0
                    } else {
                        // A right child after the left one also keeps the left one in the tree.
                        (node.feature as usize) < columns
                            && node.right > index.saturating_add(1)
                            && node.right < end
                    };
                if !sound {
                    return Err(format!("tree {tree}: node {index} is not sound"));
                }
            }
            cost = cost.saturating_add(WALK.max(depth(start, run).saturating_mul(NODE)));
        }
        Ok(Self {
            columns,
            roots,
            nodes,
            cost,
        })
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Index of the first node of each tree.
    pub fn roots(&self) -> &[u32] {
        &self.roots
    }

    /// All nodes, tree after tree.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// See [`super::Model::row_cost`]: by the longest walk through each tree, as a tree that is not
    /// of train's making may be one long path.
    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    /// The value of the leaf that `row` reaches in the tree at `root`.
    pub fn leaf(&self, root: u32, row: &[f64]) -> f64 {
        walk(&self.nodes, root, row)
    }

    /// Mean of the shares in the leaves; see [`super::Model::ForestClassifier`].
    pub(super) fn shares(&self, features: &Matrix, shares: &Matrix) -> Matrix {
        let classes = shares.columns;
        let mut means = Matrix::zeros(features.rows, classes);
        let part = 1.0 / self.roots.len() as f64;
        for row in 0..features.rows {
            let values = features.row(row);
            let out = means.row_mut(row);
            if let [first, second] = out {
                let sum: f64 = self.roots.iter().map(|root| self.leaf(*root, values)).sum();
                // A sum of many shares of 1 may be more than 1 by rounding.
                *second = (sum * part).min(1.0);
                *first = 1.0 - *second;
                continue;
            }
            for root in &self.roots {
                let leaf = self.leaf(*root, values) as usize;
                if let Some(sum) = out.get_mut(leaf) {
                    *sum += 1.0;
                } else {
                    for (sum, share) in out.iter_mut().zip(shares.row(leaf - classes)) {
                        *sum += share;
                    }
                }
            }
            for sum in out {
                *sum *= part;
            }
        }
        means
    }

    /// `base` and `part` of the sum of the trees.
    pub(super) fn sums(&self, features: &Matrix, base: f64, part: f64) -> Matrix {
        let mut sums = Matrix::zeros(features.rows, 1);
        for row in 0..features.rows {
            let values = features.row(row);
            let sum: f64 = self.roots.iter().map(|root| self.leaf(*root, values)).sum();
            if let [out] = sums.row_mut(row) {
                *out = base + sum * part;
            }
        }
        sums
    }
}

/// Nodes of the longest walk through the sound tree whose nodes, from `start` on, are `run`: one
/// pass, as children come after their parents. A node may have several parents.
fn depth(start: u32, run: &[Node]) -> usize {
    let mut depths = vec![1u32; run.len()];
    for (index, node) in run.iter().enumerate() {
        if node.feature == LEAF {
            continue;
        }
        let below = depths.get(index).map_or(1, |depth| depth.saturating_add(1));
        for child in [index + 1, node.right.saturating_sub(start) as usize] {
            if let Some(depth) = depths.get_mut(child) {
                *depth = below.max(*depth);
            }
        }
    }
    depths.into_iter().max().unwrap_or(1) as usize
}

/// The value of the leaf that `row` reaches from node `root` of a run of nodes whose children lie
/// strictly forward, as [`Forest::new`] checks it. A run that breaks this may never end.
pub fn walk(nodes: &[Node], root: u32, row: &[f64]) -> f64 {
    let mut index = root as usize;
    // In a checked run all indices are inside; the options only keep the walk free of panics.
    while let Some(node) = nodes.get(index) {
        let Some(value) = row.get(node.feature as usize) else {
            return node.threshold;
        };
        index = if *value <= node.threshold {
            index + 1
        } else {
            node.right as usize
        };
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feature: u32, threshold: f64, right: u32) -> Node {
        Node {
            threshold,
            feature,
            right,
        }
    }

    #[test]
    fn leaves_share() {
        let nodes = vec![
            split(0, 0.5, 2),
            Node::leaf(0.0),
            split(1, 0.5, 4),
            Node::leaf(1.0),
            Node::leaf(3.0),
            Node::leaf(2.0),
        ];
        let forest = Forest::new(2, vec![0, 5], nodes).unwrap();
        let rows = Matrix::new(3, 2, vec![0.5, 9.0, 1.0, 0.0, 1.0, 1.0]).unwrap();
        let shares = Matrix::new(1, 3, vec![0.5, 0.25, 0.25]).unwrap();
        let means = forest.shares(&rows, &shares);
        assert_eq!(means.row(0), [0.5, 0.0, 0.5]);
        assert_eq!(means.row(1), [0.0, 0.5, 0.5]);
        assert_eq!(means.row(2), [0.25, 0.125, 0.625]);
        assert_eq!(forest.sums(&rows, 0.0, 0.5).values, [1.0, 1.5, 2.5]);
        assert_eq!(forest.sums(&rows, 1.0, 1.0).values, [3.0, 4.0, 6.0]);
    }

    #[test]
    fn of_two_classes_a_leaf_holds_the_second_ones_share() {
        let nodes = vec![split(0, 0.5, 2), Node::leaf(0.25), Node::leaf(1.0)];
        let forest = Forest::new(1, vec![0], nodes).unwrap();
        let rows = Matrix::new(2, 1, vec![0.0, 1.0]).unwrap();
        let means = forest.shares(&rows, &Matrix::zeros(0, 2));
        assert_eq!(means.values, [0.75, 0.25, 0.0, 1.0]);
    }

    #[test]
    fn a_long_path_is_a_costly_one() {
        // A chain to the left: every split's right child is the last leaf but its own.
        let splits = 1_000;
        let chain = |start: u32| {
            let left = (0..splits).map(move |i| split(0, 0.0, start + 2 * splits - i));
            let leaves = (0..=splits).map(|_| Node::leaf(1.0));
            left.chain(leaves)
        };
        let end = 2 * splits + 1;
        let nodes = chain(0).chain(chain(end)).chain([Node::leaf(0.0)]);
        let forest = Forest::new(1, vec![0, end, 2 * end], nodes.collect()).unwrap();
        assert_eq!(forest.cost(), 2 * 1_001 * NODE + WALK);
        // A node with two parents counts from the farther one.
        let shared = vec![
            split(0, 0.0, 2),
            split(0, 0.0, 3),
            split(0, 0.0, 4),
            Node::leaf(0.0),
            Node::leaf(0.0),
        ];
        assert_eq!(depth(0, &shared), 4);
    }

    #[test]
    fn a_row_that_is_too_short_ends_the_walk() {
        let nodes = vec![split(1, 0.5, 2), Node::leaf(0.0), Node::leaf(1.0)];
        let forest = Forest::new(2, vec![0], nodes).unwrap();
        assert_eq!(forest.leaf(0, &[1.0]).to_bits(), 0.5f64.to_bits());
    }

    #[test]
    fn walks_that_would_not_end_are_refused() {
        let leaf = Node::leaf(0.0);
        assert!(Forest::new(1, vec![0], vec![split(0, 0.0, 0), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0], vec![split(0, 0.0, 1), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0], vec![split(0, 0.0, 3), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0], vec![split(1, 0.0, 2), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0], vec![split(0, f64::NAN, 2), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0, 2], vec![split(0, 0.0, 2), leaf, leaf]).is_err());
        assert!(Forest::new(1, vec![0, 0], vec![leaf]).is_err());
        assert!(Forest::new(1, vec![], vec![]).is_err());
    }
}
