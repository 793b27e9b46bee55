//! The JSON that is written and the alert that is sent.

use septet_kit::{drift::ColumnDrift, metrics::Metrics, show::shown};
use serde::{Deserialize, Serialize};

/// Version of the JSON.
pub const FORMAT: u32 = 1;
/// Columns that an alert names.
const MAX_NAMES: usize = 20;

/// What monitoring found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// New rows.
    pub rows: u64,
    /// Whether an input column or the predictions drifted.
    pub drifted: bool,
    /// The model's input columns that have a reference, in its order.
    pub columns: Vec<ColumnDrift>,
    /// The predictions.
    pub prediction: Option<ColumnDrift>,
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
}

impl Report {
    /// Input columns that drifted.
    pub fn drifted_columns(&self) -> impl Iterator<Item = &ColumnDrift> {
        self.columns.iter().filter(|column| column.drifted)
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
        let over = |column: &ColumnDrift| column.statistic / column.threshold;
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
        })
    }

    /// One sentence for the reader of the run's report.
    pub fn note(&self) -> String {
        let mut drifted: Vec<String> = self
            .drifted_columns()
            .chain(self.prediction.iter().filter(|column| column.drifted))
            .map(|column| {
                format!(
                    "{} ({:.3} over {:.3})",
                    shown(&column.name, 60),
                    column.statistic,
                    column.threshold
                )
            })
            .collect();
        let count = drifted.len();
        if count == 0 {
            return format!("no drift in {} rows", self.rows);
        }
        drifted.truncate(MAX_NAMES);
        let more = if count > drifted.len() { ", …" } else { "" };
        format!("drift in {} rows: {}{more}", self.rows, drifted.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, statistic: f64) -> ColumnDrift {
        ColumnDrift {
            name: name.to_owned(),
            test: "psi".to_owned(),
            statistic,
            threshold: 0.2,
            drifted: statistic > 0.2,
        }
    }

    #[test]
    fn an_alert_names_the_worst_first() {
        let mut report = Report {
            format: FORMAT,
            rows: 9,
            drifted: true,
            columns: vec![column("a", 0.3), column("b", 0.1), column("c", 2.0)],
            prediction: Some(column("prediction", 0.0)),
            performance: None,
        };
        let alert = report.alert("ab").unwrap();
        assert_eq!(alert.columns, ["c", "a"]);
        assert!(!alert.prediction);
        assert_eq!(
            report.note(),
            "drift in 9 rows: a (0.300 over 0.200), c (2.000 over 0.200)"
        );
        report.drifted = false;
        assert!(report.alert("ab").is_none());
    }
}
