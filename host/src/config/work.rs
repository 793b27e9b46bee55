//! `[work]`: how the queues are worked off.

use std::{collections::BTreeMap, time::Duration};

use anyhow::ensure;
use septet::{contract::Stage, pipeline::Policy, stage::Limits, trigger::Concurrency};
use serde::{Deserialize, Deserializer, de};

/// `[work]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkSettings {
    pub(crate) concurrency: Option<usize>,
    pub(crate) stages: BTreeMap<Stage, usize>,
    pub(crate) memory_bytes: Option<u64>,
    #[serde(deserialize_with = "duration")]
    pub(crate) lease: Option<Duration>,
    pub(crate) failures: Option<u32>,
    pub(crate) attempts: Option<u32>,
    pub(crate) deliveries: Option<u32>,
    #[serde(deserialize_with = "duration")]
    pub(crate) backoff: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) longest_backoff: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) recover: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(crate) grace: Option<Duration>,
}

/// A duration as people write it: `30s`, `5m`, `1h 30m`.
pub(crate) fn duration<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(text)?;
    let parsed = humantime::parse_duration(&text);
    parsed.map(Some).map_err(|error| {
        de::Error::custom(format!(
            "'{text}' is no duration ({error}): write it as 30s or 5m"
        ))
    })
}

impl WorkSettings {
    /// How often, how long and how many at once.
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        let default = Policy::default();
        let policy = Policy {
            lease: self.lease.unwrap_or(default.lease),
            failures: self.failures.unwrap_or(default.failures),
            attempts: self.attempts.unwrap_or(default.attempts),
            deliveries: self.deliveries.unwrap_or(default.deliveries),
            backoff: self.backoff.unwrap_or(default.backoff),
            longest_backoff: self.longest_backoff.unwrap_or(default.longest_backoff),
            ..default
        };
        let day = Duration::from_hours(24);
        for (name, value, least) in [
            ("lease", policy.lease, Duration::from_millis(300)),
            ("backoff", policy.backoff, Duration::from_millis(1)),
            ("longest_backoff", policy.longest_backoff, policy.backoff),
            ("recover", self.recover(), Duration::from_millis(100)),
            ("grace", self.grace(), Duration::ZERO),
        ] {
            let shown = |duration| humantime::format_duration(duration).to_string();
            ensure!(
                (least..=day).contains(&value),
                "work.{name} is {}: give it from {} to a day",
                shown(value),
                shown(least)
            );
        }
        for (name, value) in [
            ("failures", policy.failures),
            ("attempts", policy.attempts),
            ("deliveries", policy.deliveries),
        ] {
            ensure!(
                (1..=100_000).contains(&value),
                "work.{name} is {value}: give it from 1 to 100000"
            );
        }
        Ok(policy)
    }

    /// How many invocations run at once; no more than calls may.
    pub(crate) fn concurrency(
        &self,
        flag: Option<usize>,
        limits: &Limits,
    ) -> anyhow::Result<Concurrency> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = usize::try_from(limits.concurrent_calls).unwrap_or(usize::MAX);
        let total = flag.or(self.concurrency);
        let total = total.unwrap_or_else(|| cores.min(most));
        let stages = self
            .stages
            .iter()
            .map(|(stage, count)| (stage.name(), *count));
        for (name, count) in stages.chain([("concurrency", total)]) {
            ensure!(
                (1..=most).contains(&count),
                "work: {name} is {count}: give it from 1 to {most} (limit concurrent_calls)"
            );
        }
        Ok(Concurrency {
            total,
            stages: self.stages.clone(),
            memory: self.memory_bytes,
        })
    }

    /// How often it is looked for what a crash left.
    pub(crate) fn recover(&self) -> Duration {
        self.recover.unwrap_or(Duration::from_mins(1))
    }

    /// How long what is begun may take after a stop was asked for.
    pub(crate) fn grace(&self) -> Duration {
        self.grace.unwrap_or(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<WorkSettings> {
        Ok(toml::from_str(text)?)
    }

    #[test]
    fn settings_become_a_policy() {
        let settings = parse("lease = \"5s\"\nfailures = 2\n[stages]\ntrain = 1").unwrap();
        let policy = settings.policy().unwrap();
        assert_eq!((policy.lease.as_secs(), policy.failures), (5, 2));
        assert_eq!(policy.attempts, Policy::default().attempts);
        let concurrency = settings.concurrency(None, &Limits::default()).unwrap();
        assert_eq!(concurrency.stages[&Stage::Train], 1);
    }

    #[test]
    fn what_could_not_work_is_named() {
        let told = |text: &str| {
            let settings = match parse(text) {
                Ok(settings) => settings,
                Err(error) => return error.to_string(),
            };
            let policy = settings.policy().map(drop);
            let concurrency = settings.concurrency(None, &Limits::default()).map(drop);
            policy.and(concurrency).unwrap_err().to_string()
        };
        assert!(told("lease = \"1ms\"").contains("work.lease is 1ms"));
        assert!(told("lease = 5").contains("invalid type"));
        assert!(told("lease = \"soon\"").contains("'soon' is no duration"));
        assert!(told("grace = \"9days\"").contains("work.grace"));
        assert!(told("deliveries = 0").contains("work.deliveries"));
        assert!(told("concurrency = 0").contains("concurrency is 0"));
        assert!(told("[stages]\ntrain = 1000").contains("train is 1000"));
    }
}
