//! Models of many kinds, predicted by the real program and by scikit-learn.

use std::fs;

use super::{Model, models};
use crate::support::septet::Workplace;

/// Between 32-bit floats and scikit-learn's 64: of 1, or of the value where that is larger.
const NEAR: f64 = 1e-6;

#[test]
fn models_of_many_kinds_predict_as_scikit_learn_does() {
    let Some(folder) = models() else { return };
    let kinds = fs::read(folder.join("kinds.json")).unwrap();
    let kinds: Vec<String> = serde_json::from_slice(&kinds).unwrap();
    assert!(kinds.len() >= 25, "{kinds:?}");
    let workplace = Workplace::new();
    for kind in &kinds {
        let model = Model::of(folder, kind);
        model.import(&workplace, kind).ok();
        let out = workplace.path(&format!("{kind}.predicted.csv"));
        let (data, out) = (model.data.to_str().unwrap(), out.to_str().unwrap());
        workplace
            .septet(&["predict", data, "--model", kind, "-o", out])
            .ok();
        let far = farthest(&model, &fs::read_to_string(out).unwrap());
        println!("{kind}: {far:.1e}");
        assert!(far <= NEAR, "{kind}: {far:e}");
    }
}

/// The largest difference of a prediction from what scikit-learn says.
fn farthest(model: &Model, predicted: &str) -> f64 {
    let mut reader = csv::Reader::from_reader(predicted.as_bytes());
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| {
        let at = header.iter().position(|column| column == name);
        at.unwrap_or_else(|| panic!("no column {name} in {header:?}"))
    };
    let classes = model.classes();
    let scores: Vec<usize> = if classes.is_empty() {
        vec![column("prediction")]
    } else {
        let named = classes.iter().map(|class| format!("probability_{class}"));
        named.map(|name| column(&name)).collect()
    };
    let mut far = 0.0_f64;
    let mut rows = 0;
    let expected = model.expected();
    for (record, expected) in reader.records().zip(&expected) {
        let record = record.unwrap();
        rows += 1;
        for (at, expected) in scores.iter().zip(expected) {
            let value: f64 = record[*at].parse().unwrap();
            far = far.max((value - expected).abs() / expected.abs().max(1.0));
        }
        if !classes.is_empty() {
            let most = expected.iter().copied().fold(f64::MIN, f64::max);
            let near = |class: &usize| most - expected[*class] <= NEAR;
            let likely: Vec<&str> = (0..classes.len())
                .filter(near)
                .map(|class| classes[class].as_str())
                .collect();
            let label = &record[column("prediction")];
            assert!(likely.contains(&label), "{label} of {likely:?}");
        }
    }
    assert_eq!(rows, expected.len());
    far
}
