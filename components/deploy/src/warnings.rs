//! What a user of the model should be wary of.

use septet_kit::{
    bundle::Manifest,
    evaluation::{Evaluation, Verdict},
    show::shown,
};

use crate::decision::Parameters;

/// Evaluations on one test set from which on its figures are not to be trusted.
const MAX_USES: u32 = 20;
/// Test rows below which figures are rough.
const FEW: u64 = 100;
/// Times that one class has more train rows than another, from which on it is told.
const UNEVEN: u64 = 20;
/// Characters of a name.
const SHOWN: usize = 60;

/// That the test set was used too often; none below 20 versions.
pub fn overused(parameters: &Parameters) -> Option<String> {
    let uses = parameters.test_uses.filter(|uses| *uses >= MAX_USES)?;
    Some(format!(
        "{uses} versions were evaluated on this test set: choosing among them by its figures makes \
         the figures too good; take new test rows"
    ))
}

/// Sentences, the weightiest first.
pub fn warnings(
    parameters: &Parameters,
    manifest: &Manifest,
    evaluation: &Evaluation,
) -> Vec<String> {
    let mut warnings: Vec<String> = overused(parameters).into_iter().collect();
    match evaluation.gate.verdict {
        Verdict::Pass => {}
        Verdict::Fail => warnings.push("the gate failed".to_owned()),
        Verdict::NoPolicy => warnings.push("no gate decided on this version".to_owned()),
    }
    if evaluation.rows < FEW {
        warnings.push(format!(
            "there are only {} test rows: the figures are rough",
            evaluation.rows
        ));
    }
    if evaluation.resamples == 0 {
        warnings.push("the figures have no intervals".to_owned());
    }
    let plan = &manifest.preprocessing;
    let counts = || plan.classes.iter().zip(&plan.class_counts);
    if let Some(((rare, few), (_, many))) = counts()
        .min_by_key(|(_, count)| **count)
        .zip(counts().max_by_key(|(_, count)| **count))
        && *many >= few.saturating_mul(UNEVEN)
    {
        warnings.push(format!(
            "class '{}' has only {few} train rows, where another has {many}",
            shown(rare, SHOWN)
        ));
    }
    if !plan.transforms.is_empty() {
        warnings.push(
            "rows go through transforms of the user, which must be there in the same version"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{card::tests::manifest, decision::tests::evaluation};

    #[test]
    fn a_test_set_that_is_worn_out_is_told_first() {
        let parameters = |uses: u32| -> Parameters {
            serde_json::from_str(&format!(r#"{{"model":"m","test_uses":{uses}}}"#)).unwrap()
        };
        let told = |uses| {
            warnings(
                &parameters(uses),
                &manifest(),
                &evaluation(Verdict::Pass, None),
            )
        };
        assert!(told(19).is_empty());
        assert!(told(20)[0].starts_with("20 versions were evaluated"));
        assert!(overused(&serde_json::from_str(r#"{"model":"m"}"#).unwrap()).is_none());
        let mut manifest = manifest();
        manifest.preprocessing.class_counts = vec![1, 20];
        let mut evaluation = evaluation(Verdict::NoPolicy, None);
        (evaluation.rows, evaluation.resamples) = (99, 0);
        assert_eq!(warnings(&parameters(1), &manifest, &evaluation).len(), 4);
    }
}
