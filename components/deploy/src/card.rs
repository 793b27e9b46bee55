//! What is told of a version: the registry's summary and the model card in JSON.

use septet_kit::{bundle::Manifest, evaluation::Evaluation, show::shown};
use serde_json::{Map, Value, json};

use crate::{
    decision::{Decision, Parameters},
    warnings::warnings,
};

/// Bytes of a summary: what the registry takes, with room.
const MAX_SUMMARY: usize = 60 << 10;
/// Characters of a text in a summary.
const MAX_TEXT: usize = 500;
/// Entries of a list in a summary.
const MAX_ENTRIES: usize = 20;

/// What the registry records with the version: the same for the same bundle and evaluation, and at
/// most 60 KiB.
pub fn summary(parameters: &Parameters, manifest: &Manifest, evaluation: &Evaluation) -> String {
    let preprocessing = &manifest.preprocessing;
    let reasons = evaluation.gate.reasons.iter().take(MAX_ENTRIES);
    let mut summary = json!({
        "format": 2,
        "algorithm": shown(&manifest.algorithm, MAX_TEXT),
        "parameters": manifest.parameters,
        "task": preprocessing.task,
        "target": shown(&preprocessing.target, MAX_TEXT),
        "classes": preprocessing.classes.len(),
        "positive": evaluation.positive.as_deref().map(|text| shown(text, MAX_TEXT)),
        "threshold": manifest.threshold,
        "inputs": preprocessing.inputs.len(),
        "features": preprocessing.features.len(),
        "train_rows": manifest.reference.rows,
        "test_rows": evaluation.rows,
        "test_uses": parameters.test_uses,
        "training": manifest.metrics,
        "primary": shown(&evaluation.primary, MAX_TEXT),
        "interval": evaluation.intervals.get(&evaluation.primary),
        "metrics": evaluation.metrics,
        "gate": {
            "verdict": evaluation.gate.verdict,
            "reasons": reasons.map(|reason| shown(reason, MAX_TEXT)).collect::<Vec<_>>(),
        },
        "seed": manifest.seed,
        "transforms": preprocessing.transforms,
        "lineage": manifest.lineage,
    });
    // Of what comes from outside, only these may be long.
    for name in ["parameters", "lineage", "transforms", "training", "metrics"] {
        if summary.to_string().len() <= MAX_SUMMARY {
            break;
        }
        if let Value::Object(fields) = &mut summary {
            fields.remove(name);
        }
    }
    summary.to_string()
}

/// The model card: what a person or a tool wants to know of a version, in one JSON object.
pub fn card(
    parameters: &Parameters,
    bundle: &str,
    manifest: &Manifest,
    evaluation: &Evaluation,
    decision: &Decision,
) -> Value {
    let preprocessing = &manifest.preprocessing;
    let classes: Map<String, Value> = preprocessing
        .classes
        .iter()
        .cloned()
        .zip(preprocessing.class_counts.iter().copied().map(Value::from))
        .collect();
    let (moved, reason) = match decision {
        Decision::Move { reason, .. } => (true, reason),
        Decision::Stay { reason } => (false, reason),
    };
    json!({
        "format": 2,
        "model": parameters.model,
        "bundle": bundle,
        "algorithm": manifest.algorithm,
        "parameters": manifest.parameters,
        "seed": manifest.seed,
        "task": preprocessing.task,
        "target": preprocessing.target,
        "classes": classes,
        "positive": evaluation.positive,
        "threshold": manifest.threshold,
        "training": manifest.metrics,
        "inputs": preprocessing.inputs,
        "transforms": preprocessing.transforms,
        "features": preprocessing.features,
        "train_rows": manifest.reference.rows,
        "test_uses": parameters.test_uses,
        "evaluation": evaluation,
        "alias": {
            "name": parameters.alias,
            "proposed": moved,
            "reason": reason,
        },
        "warnings": warnings(parameters, manifest, evaluation),
        "lineage": manifest.lineage,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use septet_kit::{
        bundle::{FORMAT, LineageInput, Recorded},
        drift::Reference,
        evaluation::Verdict,
        preprocessing::{Preprocessing, Task},
    };

    use super::*;
    use crate::decision::tests::evaluation;

    pub(crate) fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            algorithm: "ridge".to_owned(),
            parameters: [("alpha".to_owned(), json!(1.0))].into(),
            seed: 7,
            preprocessing: Preprocessing {
                task: Task::Classification,
                target: "y".to_owned(),
                classes: vec!["no".to_owned(), "yes".to_owned()],
                class_counts: vec![3, 4],
                target_mean: 0.0,
                positive: Some("yes".to_owned()),
                folds: septet_kit::preprocessing::Folds::Rows,
                weighted: false,
                inputs: vec![],
                transforms: vec![],
                columns: vec![],
                features: vec!["a".to_owned()],
            },
            reference: Reference::default(),
            feature_reference: Reference::default(),
            threshold: Some(0.4),
            metrics: [("cv_accuracy".to_owned(), 0.88)].into(),
            prediction_reference: Reference::default(),
            lineage: vec![LineageInput {
                name: "train".to_owned(),
                digest: "ab".to_owned(),
            }],
            recorded: Recorded::default(),
        }
    }

    #[test]
    fn a_summary_tells_and_is_bounded() {
        let parameters = serde_json::from_str(r#"{"model":"m","test_uses":3}"#).unwrap();
        let mut manifest = manifest();
        let mut evaluation = evaluation(Verdict::Pass, None);
        let told: Value =
            serde_json::from_str(&summary(&parameters, &manifest, &evaluation)).unwrap();
        assert_eq!(told["algorithm"], "ridge");
        assert_eq!(told["gate"]["verdict"], "pass");
        assert_eq!(told["metrics"]["accuracy"], 0.9);
        assert_eq!(told["lineage"][0]["name"], "train");
        assert_eq!(told["interval"]["low"], 0.8);
        assert_eq!(told["training"]["cv_accuracy"], 0.88);
        assert_eq!(
            (&told["threshold"], &told["test_uses"]),
            (&json!(0.4), &json!(3))
        );
        manifest.preprocessing.target = "\u{1}".repeat(1 << 20);
        manifest.preprocessing.transforms = vec!["x".repeat(1 << 20)];
        let long = json!("x".repeat(1 << 20));
        manifest.parameters.insert("long".to_owned(), long);
        evaluation.gate.reasons = vec!["ä".repeat(1 << 20); 100];
        let long = summary(&parameters, &manifest, &evaluation);
        assert!(long.len() <= MAX_SUMMARY, "{}", long.len());
        serde_json::from_str::<Value>(&long).unwrap();
    }

    #[test]
    fn a_card_tells_what_was_decided() {
        let parameters = serde_json::from_str(r#"{"model":"m"}"#).unwrap();
        let decision = Decision::Stay {
            reason: "because".to_owned(),
        };
        let evaluation = evaluation(Verdict::Fail, Some("old"));
        let card = card(&parameters, "new", &manifest(), &evaluation, &decision);
        assert_eq!(card["classes"]["yes"], 4);
        assert_eq!(card["alias"]["proposed"], false);
        assert_eq!(card["evaluation"]["champion"]["bundle"], "old");
    }
}
