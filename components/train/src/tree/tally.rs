//! How good a split is: sums over a node's rows and over those that go left.
//!
//! A score is what is left of the impurity, with the sign changed and what all splits of a node
//! share left out: the sum, over both sides, of the squares of the sums over the side's weight.
//! Its greatest is the least squared error, and for classes the least of Gini's impurity.
#![expect(
    clippy::indexing_slicing,
    reason = "the kernel that all trees' time goes to: bins and rows are made by this crate"
)]

/// Sums that the search for a split asks. `at` is a row's place in the node.
pub(crate) trait Tally {
    /// Takes the rows of a node; whether all have one target.
    fn load(&mut self, rows: &[u32], weights: &[f64]) -> bool;
    /// Numbers of a bin, which clearing costs.
    fn width(&self) -> usize;
    /// No row is on the left side.
    fn start(&mut self);
    /// A row goes left.
    fn take(&mut self, at: usize);
    /// The first `bins` bins are empty.
    fn clear(&mut self, bins: usize);
    /// A row goes into a bin.
    fn put(&mut self, bin: usize, at: usize);
    /// A bin's rows go left.
    fn take_bin(&mut self, bin: usize);
    /// Of the two sides as they are.
    fn score(&self) -> f64;
    /// Of a leaf with the node's rows: the mean, or the weight of each class.
    fn leaf(&self) -> &[f64];
}

/// Of numbers.
pub(crate) struct ValueTally<'a> {
    target: &'a [f64],
    mean: f64,
    total: f64,
    left: [f64; 2],
    /// Weight, and weight × distance from the mean: small numbers, so that squares lose nothing.
    rows: Vec<[f64; 2]>,
    bins: Vec<[f64; 2]>,
}

impl<'a> ValueTally<'a> {
    /// For rows with these values.
    pub(crate) const fn new(target: &'a [f64]) -> Self {
        Self {
            target,
            mean: 0.0,
            total: 0.0,
            left: [0.0; 2],
            rows: vec![],
            bins: vec![],
        }
    }
}

impl Tally for ValueTally<'_> {
    fn load(&mut self, rows: &[u32], weights: &[f64]) -> bool {
        let (mut total, mut sum) = (0.0, 0.0);
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for row in rows {
            let (weight, value) = (weights[*row as usize], self.target[*row as usize]);
            total += weight;
            sum += weight * value;
            least = least.min(value);
            greatest = greatest.max(value);
        }
        let pure = least >= greatest;
        // A mean of equal values may differ from them by rounding.
        self.mean = if pure { least } else { sum / total };
        self.total = total;
        self.rows.clear();
        for row in rows {
            let (weight, value) = (weights[*row as usize], self.target[*row as usize]);
            self.rows.push([weight, weight * (value - self.mean)]);
        }
        pure
    }

    fn width(&self) -> usize {
        1
    }

    fn start(&mut self) {
        self.left = [0.0; 2];
    }

    fn take(&mut self, at: usize) {
        let [weight, sum] = self.rows[at];
        self.left[0] += weight;
        self.left[1] += sum;
    }

    fn clear(&mut self, bins: usize) {
        self.bins.clear();
        self.bins.resize(bins, [0.0; 2]);
    }

    fn put(&mut self, bin: usize, at: usize) {
        let [weight, sum] = self.rows[at];
        let bin = &mut self.bins[bin];
        bin[0] += weight;
        bin[1] += sum;
    }

    fn take_bin(&mut self, bin: usize) {
        let [weight, sum] = self.bins[bin];
        self.left[0] += weight;
        self.left[1] += sum;
    }

    fn score(&self) -> f64 {
        // The sum over all rows is 0: the sides' sums are equal but for the sign.
        let [weight, sum] = self.left;
        let right = self.total - weight;
        if weight > 0.0 && right > 0.0 {
            sum * sum / weight + sum * sum / right
        } else {
            0.0
        }
    }

    fn leaf(&self) -> &[f64] {
        std::slice::from_ref(&self.mean)
    }
}

/// Of classes.
pub(crate) struct ClassTally<'a> {
    target: &'a [u32],
    all: Vec<f64>,
    total: f64,
    squares: f64,
    left: Vec<f64>,
    left_total: f64,
    left_squares: f64,
    right_squares: f64,
    rows: Vec<(u32, f64)>,
    bins: Vec<f64>,
}

impl<'a> ClassTally<'a> {
    /// For rows of these of `classes` classes.
    pub(crate) fn new(target: &'a [u32], classes: usize) -> Self {
        Self {
            target,
            all: vec![0.0; classes],
            total: 0.0,
            squares: 0.0,
            left: vec![0.0; classes],
            left_total: 0.0,
            left_squares: 0.0,
            right_squares: 0.0,
            rows: vec![],
            bins: vec![],
        }
    }

    fn move_left(&mut self, class: usize, weight: f64) {
        let left = self.left[class];
        let right = self.all[class] - left;
        self.left_squares += weight * (2.0 * left + weight);
        self.right_squares -= weight * (2.0 * right - weight);
        self.left[class] = left + weight;
        self.left_total += weight;
    }
}

impl Tally for ClassTally<'_> {
    fn load(&mut self, rows: &[u32], weights: &[f64]) -> bool {
        self.all.fill(0.0);
        self.rows.clear();
        let first = rows.first().map_or(0, |row| self.target[*row as usize]);
        let mut pure = true;
        for row in rows {
            let (class, weight) = (self.target[*row as usize], weights[*row as usize]);
            self.all[class as usize] += weight;
            self.rows.push((class, weight));
            pure &= class == first;
        }
        self.total = self.all.iter().sum();
        self.squares = self.all.iter().map(|weight| weight * weight).sum();
        pure
    }

    fn width(&self) -> usize {
        self.all.len()
    }

    fn start(&mut self) {
        self.left.fill(0.0);
        self.left_total = 0.0;
        self.left_squares = 0.0;
        self.right_squares = self.squares;
    }

    fn take(&mut self, at: usize) {
        let (class, weight) = self.rows[at];
        self.move_left(class as usize, weight);
    }

    fn clear(&mut self, bins: usize) {
        self.bins.clear();
        self.bins.resize(bins * self.all.len(), 0.0);
    }

    fn put(&mut self, bin: usize, at: usize) {
        let (class, weight) = self.rows[at];
        self.bins[bin * self.all.len() + class as usize] += weight;
    }

    fn take_bin(&mut self, bin: usize) {
        let classes = self.all.len();
        for class in 0..classes {
            let weight = self.bins[bin * classes + class];
            if weight > 0.0 {
                self.move_left(class, weight);
            }
        }
    }

    fn score(&self) -> f64 {
        let right = self.total - self.left_total;
        if self.left_total > 0.0 && right > 0.0 {
            self.left_squares / self.left_total + self.right_squares / right
        } else {
            0.0
        }
    }

    fn leaf(&self) -> &[f64] {
        &self.all
    }
}
