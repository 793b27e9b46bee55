//! What differs between two outcomes of the same call: what a later stage could not read refuses,
//! and other answers are told.

use super::{
    columns::{ARROW, Columns},
    step::Why,
};
use crate::{
    contract::{Artifact, Metric, Outcome},
    store::Blobs,
};

/// Compares what was committed with what is given now. Both lie in `blobs`. Gives what differs, or
/// why it can't take the other's place.
pub(super) async fn compare(
    before: &Outcome,
    now: &Outcome,
    blobs: &dyn Blobs,
) -> Result<Vec<String>, Why> {
    let mut different = Vec::new();
    for new in &now.outputs {
        if find(&before.outputs, &new.name).is_none() {
            return refused(format!(
                "it gave '{}', which was not given before",
                new.name
            ));
        }
    }
    for old in &before.outputs {
        let Some(new) = find(&now.outputs, &old.name) else {
            return refused(format!("it gave no '{}'", old.name));
        };
        let name = &old.name;
        if new.media_type != old.media_type {
            let (new, old) = (clean(&new.media_type), clean(&old.media_type));
            return refused(format!("'{name}' is {new}, and was {old}"));
        }
        if new.digest == old.digest {
            continue;
        }
        if new.media_type == ARROW
            && let Some(problem) = columns(old, new, blobs).await?
        {
            return refused(format!("'{name}': {problem}"));
        }
        let (new, old) = (new.digest.short(), old.digest.short());
        different.push(format!("'{name}' is {new}, and was {old}"));
    }
    different.extend(metrics(&before.metrics, &now.metrics));
    if before.notes != now.notes {
        different.push("the notes are others".to_owned());
    }
    Ok(different)
}

fn refused<T>(why: String) -> Result<T, Why> {
    Err(Why::Component(why))
}

fn clean(text: &str) -> String {
    crate::capability::clean(text, 80)
}

fn find<'a>(outputs: &'a [Artifact], name: &str) -> Option<&'a Artifact> {
    outputs.iter().find(|output| output.name == name)
}

/// What is wrong with the columns of a file that has other bytes than before.
async fn columns(old: &Artifact, new: &Artifact, blobs: &dyn Blobs) -> Result<Option<String>, Why> {
    let host = |error: crate::store::BlobError| Why::Host(error.into());
    // What was committed by an older component may be anything: only what is new must be right.
    let Ok(old) = Columns::of(old, blobs).await.map_err(host)? else {
        return Ok(None);
    };
    match Columns::of(new, blobs).await.map_err(host)? {
        Ok(new) => Ok(new.differ(&old)),
        Err(problem) => Ok(Some(problem)),
    }
}

fn metrics(before: &[Metric], now: &[Metric]) -> Vec<String> {
    let value = |metrics: &[Metric], name: &str| {
        let mut metrics = metrics.iter();
        metrics
            .find(|metric| metric.name == name)
            .map(|metric| metric.value)
    };
    let mut different = Vec::new();
    for Metric { name, value: old } in before {
        match value(now, name) {
            Some(new) if new.to_bits() == old.to_bits() => {}
            Some(new) => different.push(format!("{name} is {new}, and was {old}")),
            None => different.push(format!("{name} is not given any more, and was {old}")),
        }
    }
    for metric in now {
        if value(before, &metric.name).is_none() {
            different.push(format!(
                "{} is {}, and was not given",
                metric.name, metric.value
            ));
        }
    }
    different
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory;

    async fn outcome(blobs: &dyn Blobs, outputs: &[(&str, &str, &str)]) -> Outcome {
        let mut outcome = Outcome::default();
        for (name, content, media_type) in outputs {
            outcome.outputs.push(Artifact {
                name: (*name).to_owned(),
                digest: blobs.put(content.as_bytes()).await.unwrap(),
                size: content.len() as u64,
                media_type: (*media_type).to_owned(),
            });
        }
        outcome
    }

    #[tokio::test]
    async fn names_and_types_refuse_and_bytes_are_told() {
        let blobs = memory().blobs;
        let blobs = blobs.as_ref();
        let of = |outputs| outcome(blobs, outputs);
        let before = of(&[("a", "1", "text/csv")]).await;
        let told = async |now: &Outcome| compare(&before, now, blobs).await;
        assert_eq!(told(&before).await.unwrap(), Vec::<String>::new());
        let other = of(&[("a", "2", "text/csv")]).await;
        assert!(told(&other).await.unwrap()[0].starts_with("'a' is "));
        for (outputs, why) in [
            (of(&[]).await, "gave no 'a'"),
            (of(&[("a", "1", "text/html")]).await, "'a' is text/html"),
            (
                of(&[("a", "1", "text/csv"), ("b", "1", "")]).await,
                "'b', which was not",
            ),
        ] {
            let Err(Why::Component(reason)) = told(&outputs).await else {
                panic!("{why}");
            };
            assert!(reason.contains(why), "{reason}");
        }
        let arrow = of(&[("a", "1", ARROW)]).await;
        let now = of(&[("a", "2", ARROW)]).await;
        // What was there before is no Arrow file either.
        assert_eq!(compare(&arrow, &now, blobs).await.unwrap().len(), 1);
    }

    #[test]
    fn metrics_are_compared_by_name() {
        let metric = |name: &str, value: f64| Metric {
            name: name.to_owned(),
            value,
        };
        let before = [metric("a", 1.0), metric("b", 2.0), metric("c", 3.0)];
        let now = [metric("d", 4.0), metric("b", 2.5), metric("a", 1.0)];
        assert_eq!(
            metrics(&before, &now),
            [
                "b is 2.5, and was 2",
                "c is not given any more, and was 3",
                "d is 4, and was not given"
            ]
        );
    }
}
