//! host.json of an app: what it says of time and of how much is at once.

use serde_json::Value;

use super::{
    apps::Said,
    reader::Reader,
    schema::{Schemas, errors},
};
use crate::{contract::Stage, package::azure::table::App};

pub(super) fn check(
    reader: &mut Reader<'_>,
    folder: &str,
    app: &App,
    said: &Said,
    schemas: &Schemas,
) {
    let file = format!("{folder}/host.json");
    let Some(host) = reader.json(&file) else {
        return;
    };
    for error in errors(&schemas.host, &host) {
        reader.note(&file, format!("{error}: correct it"));
    }
    let timeout = host.get("functionTimeout").and_then(Value::as_str);
    if let Some(timeout) = timeout.and_then(seconds) {
        for (name, limit) in [
            ("wall_seconds", said.limits.wall_seconds),
            ("cpu_seconds", said.limits.cpu_seconds),
        ] {
            if limit >= timeout {
                let what = format!(
                    "limit {name} of septet.toml is {limit}, and functionTimeout ends the whole \
                     process after {timeout}: give it more than that"
                );
                reader.note(&file, what);
            }
        }
    }
    let queues = host.pointer("/extensions/queues");
    let number = |name: &str| {
        let value = queues.and_then(|queues| queues.get(name));
        value.and_then(Value::as_u64)
    };
    let (batch, threshold) = (number("batchSize"), number("newBatchThreshold"));
    if app.stages.contains(&Stage::Train) && (batch, threshold) != (Some(1), Some(0)) {
        let what = "train is in this app: set batchSize 1 and newBatchThreshold 0, so that a \
                    training has its instance for itself";
        reader.note(&file, what);
    }
    let most = said.limits.concurrent_calls;
    let queues = app.stages.len() as u64;
    let at_once = batch
        .unwrap_or_default()
        .saturating_add(threshold.unwrap_or_default());
    if at_once.saturating_mul(queues) > most {
        let what = format!(
            "{at_once} messages of {queues} queues may be at once (batchSize and \
             newBatchThreshold), and limit concurrent_calls is {most}: give fewer"
        );
        reader.note(&file, what);
    }
    if number("maxDequeueCount").is_some_and(|count| count <= said.deliveries) {
        let what = format!(
            "maxDequeueCount must be more than deliveries of [work] ({}): else a message is put \
             aside without its reason",
            said.deliveries
        );
        reader.note(&file, what);
    }
}

/// `hh:mm:ss` in seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(str::parse::<u64>);
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    Some(hours.ok()? * 3600 + minutes.ok()? * 60 + seconds.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read() {
        assert_eq!(seconds("01:05:10"), Some(3910));
        assert_eq!(seconds("x"), None);
        assert_eq!(seconds("1:2"), None);
    }
}
