//! One tree.
#![expect(
    clippy::indexing_slicing,
    reason = "the kernel that all trees' time goes to: bins and rows are made by this crate"
)]

use septet_kit::model::Node;

use super::{Bins, Limits, Random, Tally};

/// Rows × features that are looked at between two calls of `tick`: some milliseconds.
const STEP: usize = 1 << 20;

/// Grows trees on the same columns.
pub(crate) struct Grower<'a> {
    bins: &'a Bins,
    limits: Limits,
    /// All features; those of a split are drawn to the front.
    features: Vec<u32>,
    rows: Vec<u32>,
    right: Vec<u32>,
    keys: Vec<u64>,
    counts: Vec<u32>,
    work: usize,
}

/// What one tree is made of.
pub(crate) struct Request<'r> {
    /// One a row; rows of weight 0 are left out.
    pub(crate) weights: &'r [f64],
    /// Draws the features of each split.
    pub(crate) random: &'r mut Random,
    /// Where the tree is appended, in pre-order.
    pub(crate) nodes: &'r mut Vec<Node>,
    /// A leaf's value from what [`Tally::leaf`] gives.
    pub(crate) leaf: &'r mut dyn FnMut(&[f64]) -> f64,
    /// Called every few milliseconds.
    pub(crate) tick: &'r mut dyn FnMut(),
}

/// A split: bins up to `left` go left; the next ones that have a row begin at `right`.
struct Split {
    score: f64,
    feature: usize,
    left: usize,
    right: usize,
}

/// Rows that become a node.
struct Open {
    start: usize,
    end: usize,
    depth: usize,
    /// Whose right child it is.
    parent: Option<usize>,
}

impl<'a> Grower<'a> {
    /// For trees on these columns.
    pub(crate) fn new(bins: &'a Bins, limits: Limits) -> Self {
        Self {
            bins,
            limits,
            features: (0..bins.columns() as u32).collect(),
            rows: vec![],
            right: vec![],
            keys: vec![],
            counts: vec![],
            work: 0,
        }
    }

    /// Grows a tree. An error if the run of nodes has no number for one more.
    pub(crate) fn grow(
        &mut self,
        tally: &mut impl Tally,
        request: &mut Request<'_>,
    ) -> Result<(), String> {
        let weights = request.weights;
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        rows.extend((0..self.bins.rows() as u32).filter(|row| weights[*row as usize] > 0.0));
        let mut open = vec![Open {
            start: 0,
            end: rows.len(),
            depth: 0,
            parent: None,
        }];
        while let Some(node) = open.pop() {
            let place = request.nodes.len();
            let number = u32::try_from(place).map_err(
                |_| "the model has too many nodes: lower n_estimators or raise min_samples_leaf",
            )?;
            if let Some(parent) = node.parent {
                request.nodes[parent].right = number;
            }
            let part = &mut rows[node.start..node.end];
            let pure = tally.load(part, weights);
            self.spend(part.len(), request.tick);
            let whole = pure
                || part.len() < self.limits.split
                || part.len() / 2 < self.limits.leaf
                || node.depth >= self.limits.depth;
            let split = if whole {
                None
            } else {
                self.search(tally, part, request)
            };
            let found = split.and_then(|split| {
                let Split {
                    feature,
                    left,
                    right,
                    ..
                } = split;
                let threshold = self.bins.threshold(feature, left, right)?;
                Some((split, threshold))
            });
            let Some((split, threshold)) = found else {
                request.nodes.push(Node::leaf((request.leaf)(tally.leaf())));
                continue;
            };
            request.nodes.push(Node {
                threshold,
                feature: split.feature as u32,
                right: 0,
            });
            let middle = node.start + self.part(part, &split);
            let depth = node.depth + 1;
            open.push(Open {
                start: middle,
                end: node.end,
                depth,
                parent: Some(place),
            });
            open.push(Open {
                start: node.start,
                end: middle,
                depth,
                parent: None,
            });
        }
        self.rows = rows;
        Ok(())
    }

    /// The best split of the features that are drawn. As in scikit-learn, the draw goes on while
    /// all features drawn so far have one value in the node.
    fn search(
        &mut self,
        tally: &mut impl Tally,
        rows: &[u32],
        request: &mut Request<'_>,
    ) -> Option<Split> {
        let all = self.features.len();
        let mut best: Option<Split> = None;
        let mut several = false;
        for drawn in 0..all {
            if drawn >= self.limits.features && several {
                break;
            }
            // Where all are drawn, their order still decides between equally good splits, which
            // small nodes have many of: one feature must not always win.
            let other = drawn + request.random.below(all - drawn);
            self.features.swap(drawn, other);
            let feature = self.features[drawn] as usize;
            self.spend(rows.len(), request.tick);
            let bins = self.bins.count(feature);
            if bins < 2 {
                continue;
            }
            let codes = self.bins.codes(feature);
            several |= if rows.len() * 4 >= bins * tally.width() {
                self.by_histogram(tally, rows, codes, feature, &mut best)
            } else {
                self.by_order(tally, rows, codes, feature, &mut best)
            };
        }
        best
    }

    /// Tries the splits of a feature on the sums of its bins; whether it has several values.
    fn by_histogram(
        &mut self,
        tally: &mut impl Tally,
        rows: &[u32],
        codes: &[u16],
        feature: usize,
        best: &mut Option<Split>,
    ) -> bool {
        let bins = self.bins.count(feature);
        self.counts.clear();
        self.counts.resize(bins, 0);
        tally.clear(bins);
        for (at, row) in rows.iter().enumerate() {
            let bin = usize::from(codes[*row as usize]);
            self.counts[bin] += 1;
            tally.put(bin, at);
        }
        tally.start();
        let (mut last, mut count) = (None, 0);
        for bin in 0..bins {
            let here = self.counts[bin] as usize;
            if here == 0 {
                continue;
            }
            if let Some(left) = last {
                let sides = (count, rows.len() - count);
                self.offer(tally, feature, sides, (left, bin), best);
            }
            tally.take_bin(bin);
            count += here;
            last = Some(bin);
            if count == here && here == rows.len() {
                return false;
            }
        }
        true
    }

    /// Tries the splits of a feature on the rows in its order; whether it has several values.
    fn by_order(
        &mut self,
        tally: &mut impl Tally,
        rows: &[u32],
        codes: &[u16],
        feature: usize,
        best: &mut Option<Split>,
    ) -> bool {
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        let key = |(at, row): (usize, &u32)| u64::from(codes[*row as usize]) << 32 | at as u64;
        keys.extend(rows.iter().enumerate().map(key));
        keys.sort_unstable();
        let bin = |key: u64| (key >> 32) as usize;
        let several = keys.first().map(|key| bin(*key)) != keys.last().map(|key| bin(*key));
        if several {
            tally.start();
            let mut last = bin(keys[0]);
            for (count, key) in keys.iter().enumerate() {
                let here = bin(*key);
                if here != last {
                    let sides = (count, keys.len() - count);
                    self.offer(tally, feature, sides, (last, here), best);
                    last = here;
                }
                tally.take((*key & u64::from(u32::MAX)) as usize);
            }
        }
        self.keys = keys;
        several
    }

    /// Keeps a split if it is the best so far and both sides have the rows of a leaf.
    fn offer(
        &self,
        tally: &impl Tally,
        feature: usize,
        (few, many): (usize, usize),
        (left, right): (usize, usize),
        best: &mut Option<Split>,
    ) {
        if few.min(many) < self.limits.leaf {
            return;
        }
        let score = tally.score();
        if best.as_ref().is_none_or(|best| score > best.score) {
            *best = Some(Split {
                score,
                feature,
                left,
                right,
            });
        }
    }

    /// Puts the rows that go left first, both sides in their order; gives how many they are.
    fn part(&mut self, rows: &mut [u32], split: &Split) -> usize {
        let codes = self.bins.codes(split.feature);
        self.right.clear();
        let mut left = 0;
        for at in 0..rows.len() {
            let row = rows[at];
            if usize::from(codes[row as usize]) <= split.left {
                rows[left] = row;
                left += 1;
            } else {
                self.right.push(row);
            }
        }
        rows[left..].copy_from_slice(&self.right);
        left
    }

    fn spend(&mut self, rows: usize, tick: &mut dyn FnMut()) {
        self.work += rows;
        if self.work >= STEP {
            self.work = 0;
            tick();
        }
    }
}
