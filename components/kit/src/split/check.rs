//! The bounds of a state that comes from outside.

use super::state::{FORMAT, RESOLUTION, Rule, SALTS, Split};
use crate::{arrow::MAX_COLUMNS, show::shown};

/// Classes with a threshold at most.
const MAX_CLASSES: usize = 1_000;

/// Windows at most: one a version.
const MAX_WINDOWS: usize = 10_000;

impl Split {
    /// Reads and checks a split. An error is one line.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let split: Self = serde_json::from_slice(json)
            .map_err(|error| format!("the split can't be read: {error}"))?;
        split.check()?;
        Ok(split)
    }

    /// Whether the fields keep their rules.
    pub fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "the split is of format {}, but this component reads format {FORMAT}",
                self.format
            ));
        }
        let wrong = |what: &str| Err(format!("the split is not sound: {what}"));
        if !(self.test_share > 0.0 && self.test_share < 1.0) {
            return wrong("test_share is a share above 0 and below 1");
        }
        let (names, thresholds, salt): (Vec<&String>, Vec<u64>, u32) = match &self.rule {
            Rule::Rows {
                columns,
                floats,
                target,
                classes,
                threshold,
            } => {
                if classes.len() > MAX_CLASSES
                    || !classes.is_sorted_by(|left, right| left.class < right.class)
                {
                    return wrong("the classes are sorted, and at most 1000");
                }
                if !columns.contains(target) {
                    return wrong("the target is one of the columns");
                }
                if floats.len() > columns.len() {
                    return wrong("the floats are some of the columns");
                }
                let thresholds = classes.iter().map(|class| class.threshold);
                let all = thresholds.chain([*threshold]).collect();
                (columns.iter().collect(), all, 0)
            }
            Rule::Key {
                column,
                salt,
                threshold,
            }
            | Rule::Group {
                column,
                salt,
                threshold,
            } => (vec![column], vec![*threshold], *salt),
            Rule::Time {
                column,
                cut,
                until,
                least: _,
                retired,
            } => {
                let apart = retired.len() <= MAX_WINDOWS
                    && retired.iter().all(|window| window.after < window.until)
                    && retired.is_sorted_by(|left, right| left.until < right.after)
                    && retired.last().is_none_or(|window| window.until <= *cut);
                if !apart || cut >= until {
                    return wrong(
                        "the windows ascend and end before the cut, and that before the end",
                    );
                }
                (vec![column], vec![], 0)
            }
            Rule::File { key, columns } => (columns.iter().chain(key).collect(), vec![], 0),
        };
        if names.is_empty() || names.len() > MAX_COLUMNS {
            return wrong("it has no columns, or too many");
        }
        if let Some(name) = names
            .iter()
            .find(|name| name.is_empty() || name.len() > 255)
        {
            return wrong(&format!("'{}' is no column's name", shown(name, 80)));
        }
        if salt >= SALTS || thresholds.iter().any(|threshold| *threshold > RESOLUTION) {
            return wrong("a threshold or the salt is out of its range");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{ClassThreshold, Window};

    fn split(rule: Rule) -> Split {
        Split {
            format: FORMAT,
            test_share: 0.2,
            rule,
        }
    }

    fn time(cut: i64, until: i64, retired: &[(i64, i64)]) -> Split {
        split(Rule::Time {
            column: "at".to_owned(),
            cut,
            until,
            least: 1,
            retired: retired
                .iter()
                .map(|(after, until)| Window {
                    after: *after,
                    until: *until,
                })
                .collect(),
        })
    }

    #[test]
    fn a_split_keeps_its_json() {
        let rows = split(Rule::Rows {
            columns: vec!["a".to_owned(), "y".to_owned()],
            floats: vec!["a".to_owned()],
            target: "y".to_owned(),
            classes: vec![ClassThreshold {
                class: "no".to_owned(),
                threshold: RESOLUTION - 1,
            }],
            threshold: 5,
        });
        for split in [rows, time(3, 9, &[(i64::MIN, 0), (1, 3)])] {
            let json = serde_json::to_vec(&split).unwrap();
            assert_eq!(Split::parse(&json).unwrap(), split);
        }
        let json = serde_json::to_string(&time(3, 9, &[])).unwrap();
        assert_eq!(
            json,
            r#"{"format":1,"test_share":0.2,"rule":{"time":{"column":"at","cut":3,"until":9,"least":1,"retired":[]}}}"#
        );
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        assert!(time(3, 2, &[]).check().is_err());
        assert!(time(3, 9, &[(1, 4)]).check().is_err());
        assert!(time(9, 9, &[(1, 4), (4, 5)]).check().is_err());
        assert!(time(9, 9, &[(4, 4)]).check().is_err());
        let key = |salt, threshold, column: &str| {
            split(Rule::Key {
                column: column.to_owned(),
                salt,
                threshold,
            })
            .check()
        };
        assert!(key(0, RESOLUTION, "id").is_ok());
        assert!(key(64, 1, "id").is_err());
        assert!(key(0, RESOLUTION + 1, "id").is_err());
        assert!(key(0, 1, "").is_err());
        let mut share = time(3, 9, &[]);
        share.test_share = 1.0;
        assert!(share.check().is_err());
        share.format = 2;
        assert!(share.check().unwrap_err().contains("format 2"));
        assert!(Split::parse(b"{}").is_err());
    }
}
