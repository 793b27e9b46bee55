//! Rows that are kept, and the nearest of them.
//!
//! It owns the distance and the votes. Every row is compared: the cost of a prediction is rows ×
//! columns, which is why train bounds both.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::matrix::Matrix;

/// Rows that are asked at most: what each row of a prediction keeps and orders.
pub const MAX_NEIGHBOURS: usize = 10_000;

/// Rows with their targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    rows: Matrix,
    targets: Vec<f64>,
    count: usize,
    by_distance: bool,
}

impl Neighbours {
    /// The rows of `rows` with one target each, of which the `count` nearest (Euclid) are asked.
    /// They weigh the same, or by 1 / distance if `by_distance`.
    ///
    /// An error if a number is not finite, there are fewer rows than `count`, or it is above
    /// [`MAX_NEIGHBOURS`].
    pub fn new(
        rows: Matrix,
        targets: Vec<f64>,
        count: usize,
        by_distance: bool,
    ) -> Result<Self, String> {
        let finite = rows.values.iter().chain(&targets).all(|v| v.is_finite());
        if !finite || rows.rows != targets.len() {
            return Err("the neighbours are not finite rows with a target each".to_owned());
        }
        if count == 0 || count > rows.rows {
            return Err(format!(
                "{count} neighbours can't be found in {} rows",
                rows.rows
            ));
        }
        if count > MAX_NEIGHBOURS {
            return Err(format!(
                "{count} neighbours are more than the {MAX_NEIGHBOURS} that are asked at most"
            ));
        }
        Ok(Self {
            rows,
            targets,
            count,
            by_distance,
        })
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        self.rows.columns
    }

    /// The rows.
    pub const fn rows(&self) -> &Matrix {
        &self.rows
    }

    /// One a row.
    pub fn targets(&self) -> &[f64] {
        &self.targets
    }

    /// How many rows are asked.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Whether a nearer row weighs more.
    pub const fn by_distance(&self) -> bool {
        self.by_distance
    }

    /// See [`super::Model::row_cost`].
    pub(super) fn cost(&self) -> usize {
        self.rows.rows.saturating_mul(self.columns().max(1))
    }

    /// Share of the weights that each class has.
    pub(super) fn votes(&self, features: &Matrix, classes: usize) -> Matrix {
        let mut votes = Matrix::zeros(features.rows, classes);
        for row in 0..features.rows {
            let nearest = self.nearest(features.row(row));
            let all: f64 = nearest.iter().map(|(weight, _)| weight).sum();
            let out = votes.row_mut(row);
            for (weight, target) in nearest {
                if let Some(share) = out.get_mut(target as usize) {
                    *share += weight / all;
                }
            }
        }
        votes
    }

    /// Weighted mean of the targets.
    pub(super) fn means(&self, features: &Matrix) -> Matrix {
        let mut means = Matrix::zeros(features.rows, 1);
        for row in 0..features.rows {
            let nearest = self.nearest(features.row(row));
            let all: f64 = nearest.iter().map(|(weight, _)| weight).sum();
            if let [mean] = means.row_mut(row) {
                *mean = nearest.iter().map(|(weight, t)| weight / all * t).sum();
            }
        }
        means
    }

    /// Weight and target of the nearest rows; of rows equally far, the first ones.
    fn nearest(&self, row: &[f64]) -> Vec<(f64, f64)> {
        // The farthest is on top, so that a nearer row takes its place. A row that is as far comes
        // later and does not, so that the first ones stay.
        let mut heap: BinaryHeap<Near> = BinaryHeap::with_capacity(self.count + 1);
        let mut farthest = f64::INFINITY;
        for index in 0..self.targets.len() {
            let distance = squared(self.rows.row(index), row);
            if heap.len() == self.count && distance >= farthest {
                continue;
            }
            heap.push(Near { distance, index });
            if heap.len() > self.count {
                heap.pop();
            }
            farthest = heap.peek().map_or(f64::INFINITY, |near| near.distance);
        }
        let ascending = heap.into_sorted_vec().into_iter();
        let mut found: Vec<(f64, f64)> = ascending
            .filter_map(|near| Some((near.distance, *self.targets.get(near.index)?)))
            .collect();
        // Rows at no distance would weigh infinitely more than others: only they count, as
        // scikit-learn has it. Where all are too far for a number, they weigh the same.
        let nearest = found.first().map_or(0.0, |(distance, _)| *distance);
        for (weight, _) in &mut found {
            let distance = *weight;
            *weight = if !self.by_distance || !nearest.is_finite() {
                1.0
            } else if nearest == 0.0 {
                f64::from(u8::from(distance == 0.0))
            } else {
                // As a share of the nearest one's, so that no weight is too great for a number.
                (nearest / distance).sqrt()
            };
        }
        found
    }
}

/// A row that may be asked; ordered by its distance, then by its place.
#[derive(Clone, Copy, Debug)]
struct Near {
    distance: f64,
    index: usize,
}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_distance = self.distance.total_cmp(&other.distance);
        by_distance.then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Near {}

/// Square of the Euclidean distance: four sums side by side, always in the same order, which a
/// processor does at once.
fn squared(left: &[f64], right: &[f64]) -> f64 {
    let square = |l: &f64, r: &f64| {
        let difference = l - r;
        difference * difference
    };
    let (lefts, left_rest) = left.as_chunks::<4>();
    let (rights, right_rest) = right.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (left, right) in lefts.iter().zip(rights) {
        for ((sum, l), r) in sums.iter_mut().zip(left).zip(right) {
            *sum += square(l, r);
        }
    }
    let rest: f64 = left_rest
        .iter()
        .zip(right_rest)
        .map(|(l, r)| square(l, r))
        .sum();
    let [a, b, c, d] = sums;
    (a + b) + (c + d) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbours(count: usize, by_distance: bool) -> Neighbours {
        let rows = Matrix::new(4, 1, vec![0.0, 1.0, 3.0, 10.0]).unwrap();
        Neighbours::new(rows, vec![0.0, 1.0, 1.0, 2.0], count, by_distance).unwrap()
    }

    fn at(x: f64) -> Matrix {
        Matrix::new(1, 1, vec![x]).unwrap()
    }

    #[test]
    fn the_nearest_vote() {
        assert_eq!(
            neighbours(1, false).votes(&at(0.4), 3).values,
            [1.0, 0.0, 0.0]
        );
        assert_eq!(
            neighbours(1, false).votes(&at(0.5), 3).values,
            [1.0, 0.0, 0.0]
        );
        let votes = neighbours(4, false).votes(&at(0.4), 3);
        assert_eq!(votes.values, [0.25, 0.5, 0.25]);
        assert_eq!(neighbours(2, false).means(&at(9.0)).values, [1.5]);
    }

    #[test]
    fn nearer_ones_weigh_more_if_asked() {
        let votes = neighbours(2, true).votes(&at(0.25), 3);
        assert_eq!(votes.values, [0.75, 0.25, 0.0]);
        assert_eq!(
            neighbours(4, true).votes(&at(1.0), 3).values,
            [0.0, 1.0, 0.0]
        );
        let far = neighbours(4, true).votes(&at(1e300), 3);
        assert_eq!(far.values, [0.25, 0.5, 0.25]);
    }

    #[test]
    fn of_rows_equally_far_the_first_are_asked() {
        // Distances go down, then come back, so that ties are on both sides of the cut.
        let places: Vec<f64> = (0..60).map(|row| f64::from((row * 7 + 3) % 9)).collect();
        let targets: Vec<f64> = (0..60).map(f64::from).collect();
        let rows = Matrix::new(60, 1, places.clone()).unwrap();
        let mut expected: Vec<(f64, f64)> = places.into_iter().zip(targets.clone()).collect();
        expected.sort_by(|left, right| left.0.total_cmp(&right.0));
        for count in [1, 5, 13, 59, 60] {
            let new = Neighbours::new(rows.clone(), targets.clone(), count, false).unwrap();
            let asked: Vec<f64> = new.nearest(&[0.0]).into_iter().map(|(_, t)| t).collect();
            let first: Vec<f64> = expected.iter().take(count).map(|(_, t)| *t).collect();
            assert_eq!(asked, first);
        }
    }

    #[test]
    fn too_many_neighbours_are_refused() {
        let rows = MAX_NEIGHBOURS + 1;
        let new = |count| Neighbours::new(Matrix::zeros(rows, 1), vec![0.0; rows], count, false);
        assert!(new(MAX_NEIGHBOURS).is_ok());
        assert!(new(rows).unwrap_err().contains("at most"));
    }

    #[test]
    fn too_few_rows_are_refused() {
        let new = |count| Neighbours::new(Matrix::zeros(2, 1), vec![0.0; 2], count, false).is_ok();
        assert!(new(2) && !new(0) && !new(3));
        let rows = Matrix::new(1, 1, vec![f64::NAN]).unwrap();
        assert!(Neighbours::new(rows, vec![0.0], 1, false).is_err());
    }
}
