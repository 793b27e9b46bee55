//! The JSON that is written and the alert that is sent.

use septet_kit::{
    drift::{ColumnDrift, Quality},
    metrics::Metrics,
    show::shown,
};
use serde::{Deserialize, Serialize};

/// Version of the JSON.
pub const FORMAT: u32 = 2;
/// Columns that an alert or a note names.
const MAX_NAMES: usize = 20;
/// Notes about data quality.
const MAX_NOTES: usize = 10;
/// Characters of a name that a note shows.
const SHOWN: usize = 60;

/// What monitoring found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// New rows.
    pub rows: u64,
    /// Those of them that could not be predicted.
    pub failed: u64,
    /// Rows that ingest set apart; they are not among the new rows.
    pub quarantined: u64,
    /// Of fewer rows nothing is called drifted or worse.
    pub min_rows: u64,
    /// Whether there are fewer.
    pub too_small: bool,
    /// Whether an input column or the predictions drifted.
    pub drifted: bool,
    /// The model's input columns that have a reference, in its order.
    pub columns: Vec<ColumnDrift>,
    /// Features that are not just an input column, scaled; they do not decide.
    pub features: Vec<ColumnDrift>,
    /// The predictions.
    pub prediction: Option<ColumnDrift>,
    /// Of two classes, the positive one's probability; it does not decide.
    pub probability: Option<ColumnDrift>,
    /// Data quality of the input columns.
    pub quality: Vec<Quality>,
    /// How good the predictions were; none without labels.
    pub performance: Option<Performance>,
}

/// How good predictions were, once the truth is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Performance {
    /// Rows with a label.
    pub rows: u64,
    /// Rows without one.
    pub unlabelled: u64,
    /// As evaluate names them.
    pub metrics: Metrics,
}

/// A message on the queue `alerts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// [`FORMAT`].
    pub format: u32,
    /// `drift`.
    pub kind: &'static str,
    /// Address of the model's bundle.
    pub bundle: String,
    /// New rows.
    pub rows: u64,
    /// How many input columns drifted.
    pub drifted_columns: usize,
    /// The first of them, by how far they are over their threshold.
    pub columns: Vec<String>,
    /// Whether the predictions drifted.
    pub prediction: bool,
    /// The first of the input columns whose data quality is clearly worse than in training.
    pub quality: Vec<String>,
}

impl Report {
    /// Input columns that drifted.
    pub fn drifted_columns(&self) -> impl Iterator<Item = &ColumnDrift> {
        self.columns.iter().filter(|column| column.drifted)
    }

    /// Features that drifted.
    pub fn drifted_features(&self) -> impl Iterator<Item = &ColumnDrift> {
        self.features.iter().filter(|column| column.drifted)
    }

    /// Input columns whose data quality is clearly worse than in training.
    pub fn worse_columns(&self) -> impl Iterator<Item = &Quality> {
        self.quality.iter().filter(|found| !found.worse.is_empty())
    }

    /// Whether the predictions drifted.
    pub fn prediction_drifted(&self) -> bool {
        self.prediction
            .as_ref()
            .is_some_and(|column| column.drifted)
    }

    /// The alert; none where nothing drifted.
    pub fn alert(&self, bundle: &str) -> Option<Alert> {
        let mut drifted: Vec<&ColumnDrift> = self.drifted_columns().collect();
        let over = |column: &ColumnDrift| column.psi / column.threshold;
        drifted.sort_by(|left, right| over(right).total_cmp(&over(left)));
        self.drifted.then(|| Alert {
            format: FORMAT,
            kind: "drift",
            bundle: bundle.to_owned(),
            rows: self.rows,
            drifted_columns: drifted.len(),
            columns: drifted
                .iter()
                .take(MAX_NAMES)
                .map(|column| shown(&column.name, 200))
                .collect(),
            prediction: self.prediction_drifted(),
            quality: self
                .worse_columns()
                .take(MAX_NAMES)
                .map(|column| shown(&column.name, 200))
                .collect(),
        })
    }

    /// Sentences for the reader of the run's report.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.verdict()];
        let features = names(self.drifted_features());
        if let Some(features) = features {
            notes.push(format!(
                "of {} features that the preprocessing makes, drifted: {features}",
                self.features.len()
            ));
        }
        if self.failed > 0 {
            notes.push(format!(
                "{} of {} rows could not be predicted: the predictions say why",
                self.failed, self.rows
            ));
        }
        let worse: Vec<String> = self
            .worse_columns()
            .filter_map(|found| found.told(self.rows, |name| shown(name, SHOWN)))
            .collect();
        let more = worse.len().saturating_sub(MAX_NOTES);
        notes.extend(worse.into_iter().take(MAX_NOTES));
        if more > 0 {
            notes.push(format!("{more} more columns are of worse quality"));
        }
        notes
    }

    fn verdict(&self) -> String {
        if self.too_small {
            return format!(
                "{} rows are fewer than min_rows {}: nothing is called drifted",
                self.rows, self.min_rows
            );
        }
        let prediction = self.prediction.iter().filter(|column| column.drifted);
        match names(self.drifted_columns().chain(prediction)) {
            Some(drifted) => format!("drift in {} rows: {drifted}", self.rows),
            None => format!("no drift in {} rows", self.rows),
        }
    }
}

/// The first of the columns with their figures; none of none.
fn names<'a>(columns: impl Iterator<Item = &'a ColumnDrift>) -> Option<String> {
    let mut names: Vec<String> = columns
        .take(MAX_NAMES + 1)
        .map(|column| {
            format!(
                "{} ({:.3} over {:.3})",
                shown(&column.name, SHOWN),
                column.psi,
                column.threshold
            )
        })
        .collect();
    let more = if names.len() > MAX_NAMES { ", …" } else { "" };
    names.truncate(MAX_NAMES);
    (!names.is_empty()).then(|| names.join(", ") + more)
}

#[cfg(test)]
mod tests {
    use septet_kit::drift::Test;

    use super::*;

    fn column(name: &str, psi: f64) -> ColumnDrift {
        ColumnDrift {
            name: name.to_owned(),
            psi,
            threshold: 0.2,
            drifted: psi > 0.2,
            test: Test::Ks,
            statistic: None,
            p_value: None,
            p_adjusted: None,
            effect: None,
        }
    }

    #[test]
    fn an_alert_names_the_worst_first() {
        let mut report = Report {
            format: FORMAT,
            rows: 9,
            failed: 1,
            quarantined: 0,
            min_rows: 5,
            too_small: false,
            drifted: true,
            columns: vec![column("a", 0.3), column("b", 0.1), column("c", 2.0)],
            features: vec![column("f", 0.3), column("g", 0.0)],
            prediction: Some(column("prediction", 0.0)),
            probability: None,
            quality: vec![],
            performance: None,
        };
        let alert = report.alert("ab").unwrap();
        assert_eq!(alert.columns, ["c", "a"]);
        assert!(!alert.prediction && alert.quality.is_empty());
        assert_eq!(
            report.notes(),
            [
                "drift in 9 rows: a (0.300 over 0.200), c (2.000 over 0.200)",
                "of 2 features that the preprocessing makes, drifted: f (0.300 over 0.200)",
                "1 of 9 rows could not be predicted: the predictions say why",
            ]
        );
        report.drifted = false;
        assert!(report.alert("ab").is_none());
        report.too_small = true;
        assert_eq!(
            report.notes()[0],
            "9 rows are fewer than min_rows 5: nothing is called drifted"
        );
    }
}
