//! Two outputs in JSON, value by value.

use serde_json::{Map, Value};

use super::cells::{self, Cells};
use crate::pipeline::{Comparison, Difference, Tolerance};

/// The largest output that is read, in bytes. The parser bounds how deep it is.
pub(super) const MOST: u64 = 16 << 20;

/// Reads an output; an error says why it is no JSON.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))
}

/// Compares two values that stand at `place`. What only the shadow says is no difference.
pub(super) fn compare(
    place: &str,
    (one, other): (&Value, &Value),
    tolerance: &Tolerance,
    comparison: &mut Comparison,
) {
    let at = At {
        place: place.to_owned(),
        column: place.to_owned(),
        name: String::new(),
    };
    Walk {
        tolerance,
        comparison,
    }
    .values(&at, one, other);
}

/// Where a value stands.
struct At {
    /// For people, with the number of each element.
    place: String,
    /// The same without: all elements of a list count as one column.
    column: String,
    /// The key that it stands under, of which a tolerance may be.
    name: String,
}

impl At {
    fn key(&self, key: &str) -> Self {
        Self {
            place: format!("{}.{key}", self.place),
            column: format!("{}.{key}", self.column),
            name: key.to_owned(),
        }
    }

    fn element(&self, number: usize) -> Self {
        Self {
            place: format!("{}[{number}]", self.place),
            column: format!("{}[]", self.column),
            name: self.name.clone(),
        }
    }
}

struct Walk<'a> {
    tolerance: &'a Tolerance,
    comparison: &'a mut Comparison,
}

impl Walk<'_> {
    /// As deep as the parser lets a value be.
    fn values(&mut self, at: &At, one: &Value, other: &Value) {
        match (one, other) {
            (Value::Object(ones), Value::Object(others)) => self.objects(at, ones, others),
            (Value::Array(ones), Value::Array(others)) => self.arrays(at, ones, others),
            (Value::Number(a), Value::Number(b)) => {
                let cells = match (a.as_i64(), b.as_i64()) {
                    (Some(a), Some(b)) => cells::integers(&at.name, a, b, self.tolerance),
                    _ => match (a.as_f64(), b.as_f64()) {
                        (Some(a), Some(b)) => cells::floats(&at.name, a, b, self.tolerance),
                        _ => Cells::Unlike(None),
                    },
                };
                if let Cells::Unlike(numbers) = cells {
                    self.unlike(at, Some(one), Some(other), numbers);
                }
            }
            _ if one == other => {}
            _ => self.unlike(at, Some(one), Some(other), None),
        }
    }

    fn objects(&mut self, at: &At, ones: &Map<String, Value>, others: &Map<String, Value>) {
        for (key, one) in ones {
            let at = at.key(key);
            match others.get(key) {
                Some(other) => self.values(&at, one, other),
                None => self.unlike(&at, Some(one), None, None),
            }
        }
        for key in others.keys().filter(|key| !ones.contains_key(*key)) {
            let place = at.key(key).place;
            self.comparison
                .note(format!("only the shadow says {place}"));
        }
    }

    fn arrays(&mut self, at: &At, ones: &[Value], others: &[Value]) {
        for (number, (one, other)) in ones.iter().zip(others).enumerate() {
            self.values(&at.element(number), one, other);
        }
        if ones.len() != others.len() {
            self.comparison.unlike(&at.column, None);
            let told = |values: &[Value]| format!("{} elements", values.len());
            let difference = Difference::new(&at.place, &told(ones), &told(others));
            self.comparison.differ(difference);
        }
    }

    fn unlike(
        &mut self,
        at: &At,
        one: Option<&Value>,
        other: Option<&Value>,
        numbers: Option<(f64, f64)>,
    ) {
        self.comparison.unlike(&at.column, numbers);
        if !self.comparison.is_full() {
            let (one, other) = (shown(one), shown(other));
            self.comparison
                .differ(Difference::new(&at.place, &one, &other));
        }
    }
}

/// A value for people; what holds others is not spelled out.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Object(object)) => format!("an object of {} keys", object.len()),
        Some(Value::Array(list)) => format!("a list of {}", list.len()),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(one: &Value, other: &Value, tolerance: &Tolerance) -> Comparison {
        let mut comparison = Comparison::default();
        compare("evaluation", (one, other), tolerance, &mut comparison);
        comparison
    }

    #[test]
    fn values_are_compared_wherever_they_stand() {
        let default = Tolerance::default();
        let one = json!({ "a": { "b": [1, 2.5, "x"] }, "c": null, "n": 7 });
        assert!(compared(&one, &one, &default).is_match());
        let near = json!({ "a": { "b": [1.0, 2.500_000_000_000_1, "x"] }, "c": null, "n": 7 });
        assert!(compared(&one, &near, &default).is_match());
        let other = json!({ "a": { "b": [1, 2.75, "y", 4] }, "n": "7" });
        let told = compared(&one, &other, &default);
        let places: Vec<_> = told
            .differences()
            .iter()
            .map(|d| d.place.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "evaluation.a.b[1]",
                "evaluation.a.b[2]",
                "evaluation.a.b",
                "evaluation.c",
                "evaluation.n"
            ]
        );
        let unlike = told.columns()["evaluation.a.b[]"];
        assert_eq!((unlike.rows, unlike.absolute), (2, 0.25));
        // A key's own tolerance holds for the elements of a list under it.
        let columns = [("b".to_owned(), 0.25)].into();
        let wide = Tolerance { columns, ..default };
        let other = json!({ "a": { "b": [1, 2.75, "x"] }, "c": null, "n": 7, "more": 1 });
        let told = compared(&one, &other, &wide);
        assert!(told.is_match(), "{told:?}");
        assert_eq!(told.notes(), ["only the shadow says evaluation.more"]);
    }

    #[test]
    fn what_is_deep_or_none_is_refused() {
        assert!(parse(b"{").unwrap_err().contains("no JSON"));
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).unwrap_err().contains("no JSON"));
        // As deep as it may be.
        let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
        let deep = parse(deep.as_bytes()).unwrap();
        assert!(compared(&deep, &deep, &Tolerance::default()).is_match());
        let wide = json!(vec![0; 100_000]);
        let other = json!(vec![1; 100_000]);
        let told = compared(&wide, &other, &Tolerance::default());
        assert_eq!(told.columns()["evaluation[]"].rows, 100_000);
        assert_eq!(told.differences().len(), 20);
    }
}
