//! The registry's log: chained, idempotent, and decided by who creates the next entry.

use std::sync::Arc;

use septet::{
    contract::{Artifact, Digest},
    pipeline::{
        Pipeline, Registry, Source,
        registry::{Event, Moved, Registered, Registration, Wanted},
    },
    store::{Clock, ManualClock, Store, memory},
};

use super::backends::{all, block_on};

fn version(name: &str) -> Registration {
    Registration {
        number: 0,
        bundle: Digest::of(name.as_bytes()),
        bundle_size: name.len() as u64,
        infer: Digest::of(b"infer"),
        summary: "{}".to_owned(),
        run: "r".to_owned(),
        test: None,
        schema: None,
        split: None,
        tests: vec![],
    }
}

/// Registers a version that nothing was pinned for.
async fn register(registry: &Registry, model: &str, name: &str) -> u32 {
    let registered = registry.register(model, version(name), None).await.unwrap();
    let Registered::Version(number) = registered else {
        panic!("{registered:?}");
    };
    number
}

fn artifact(name: &str, content: &str) -> Artifact {
    Artifact {
        name: name.to_owned(),
        digest: Digest::of(content.as_bytes()),
        size: content.len() as u64,
        media_type: "application/json".to_owned(),
    }
}

fn wanted(to: u32, cause: &str) -> Wanted<'_> {
    Wanted {
        alias: "champion",
        to,
        reason: "better",
        gate: None,
        who: "run r",
        cause: Some(cause),
        forced: false,
    }
}

fn registry(store: &Store) -> Registry {
    Pipeline::new(store.clone()).registry()
}

#[test]
fn the_same_bundle_is_the_same_version() {
    for (_, fresh) in all() {
        let fresh = fresh();
        block_on(async {
            let registry = registry(&fresh.one);
            assert_eq!(register(&registry, "m", "a").await, 1);
            assert_eq!(register(&registry, "m", "b").await, 2);
            assert_eq!(register(&registry, "m", "a").await, 1);
            assert_eq!(register(&registry, "n", "a").await, 1);
            assert_eq!(registry.log("m").await.unwrap().len(), 2);
        });
    }
}

#[test]
fn an_alias_moves_by_compare_and_swap() {
    block_on(async {
        let registry = registry(&memory());
        let [a, b] = ["a", "b"].map(|name| Digest::of(name.as_bytes()));
        register(&registry, "m", "a").await;
        register(&registry, "m", "b").await;
        let swap = async |expected: Option<&Digest>, to, cause: &str| {
            registry
                .move_alias("m", expected, &wanted(to, cause))
                .await
                .unwrap()
        };
        assert_eq!(swap(Some(&a), 1, "x").await, Moved::Stale { current: None });
        assert_eq!(swap(None, 1, "x").await, Moved::Moved { revision: 1 });
        assert_eq!(swap(None, 2, "y").await, Moved::Stale { current: Some(1) });
        assert_eq!(swap(Some(&a), 2, "y").await, Moved::Moved { revision: 2 });
        // The same cause is the same move, wherever the alias has gone since.
        assert_eq!(swap(None, 1, "x").await, Moved::Already);
        assert_eq!(swap(Some(&b), 2, "z").await, Moved::Already);
        assert_eq!(registry.log("m").await.unwrap().len(), 4);
        let none = registry.move_alias("m", Some(&b), &wanted(9, "w")).await;
        assert!(none.unwrap_err().to_string().contains("no version 9"));
        assert_eq!(registry.state("m").await.unwrap().entries, 4);
    });
}

#[test]
fn rollbacks_go_back_and_never_forth() {
    block_on(async {
        let registry = registry(&memory());
        for name in ["a", "b", "c"] {
            register(&registry, "m", name).await;
        }
        let back = async || registry.rollback("m", "champion", "me", "w").await;
        assert!(back().await.unwrap_err().to_string().contains("no alias"));
        for number in 1..=3 {
            registry
                .promote("m", "champion", number, "me", "w")
                .await
                .unwrap();
        }
        let again = registry
            .promote("m", "champion", 3, "me", "w")
            .await
            .unwrap();
        assert_eq!(again, Moved::Already);
        assert_eq!(back().await.unwrap(), 2);
        assert_eq!(back().await.unwrap(), 1);
        let error = back().await.unwrap_err().to_string();
        assert!(error.contains("nothing to roll back to"), "{error}");
        registry
            .promote("m", "champion", 3, "me", "w")
            .await
            .unwrap();
        assert_eq!(back().await.unwrap(), 1);
        let log = registry.log("m").await.unwrap();
        assert_eq!(log.len(), 3 + 3 + 2 + 2);
        assert!(matches!(&log[9].event, Event::Alias(change) if change.rollback));
        assert_eq!(log[9].who, "me");
    });
}

#[test]
fn what_was_rolled_back_returns_by_hand_only() {
    block_on(async {
        let registry = registry(&memory());
        let [a, b, c] = ["a", "b", "c"].map(|name| Digest::of(name.as_bytes()));
        for name in ["a", "b", "c"] {
            register(&registry, "m", name).await;
        }
        let swap = async |expected: Option<&Digest>, to, cause: &str, forced| {
            let wanted = Wanted {
                forced,
                ..wanted(to, cause)
            };
            let moved = registry.move_alias("m", expected, &wanted).await;
            moved.unwrap()
        };
        let moved = |revision| Moved::Moved { revision };
        let back = async || registry.rollback("m", "champion", "me", "w").await;
        let barred = async |version| {
            let state = registry.state("m").await.unwrap();
            state.is_barred("champion", version)
        };
        assert_eq!(swap(None, 1, "1", false).await, moved(1));
        assert_eq!(swap(Some(&a), 2, "2", false).await, moved(2));
        assert_eq!(back().await.unwrap(), 1);
        // A run whose gate passed does not bring it back, whatever it expects there.
        assert_eq!(swap(Some(&a), 2, "3", false).await, Moved::Barred);
        assert_eq!(swap(Some(&c), 2, "4", false).await, Moved::Barred);
        assert!(barred(2).await && !barred(1).await);
        assert_eq!(registry.log("m").await.unwrap().len(), 3 + 3);
        // Another version is another matter, and does not lift it.
        assert_eq!(swap(Some(&a), 3, "5", false).await, moved(4));
        assert_eq!(swap(Some(&c), 2, "6", false).await, Moved::Barred);
        // A person lifts it: with `--promote`, or by promote.
        assert_eq!(swap(Some(&c), 2, "7", true).await, moved(5));
        assert!(!barred(2).await);
        assert_eq!(swap(Some(&b), 1, "8", false).await, moved(6));
        assert_eq!(swap(Some(&a), 2, "9", false).await, moved(7));
        assert_eq!(back().await.unwrap(), 1);
        assert!(barred(2).await);
        let promoted = registry.promote("m", "champion", 2, "me", "w").await;
        assert_eq!(promoted.unwrap(), moved(9));
        assert!(!barred(2).await);
    });
}

#[test]
fn versions_build_on_one_split_after_the_other() {
    block_on(async {
        let registry = registry(&memory());
        let splits = ["s0", "s1", "s2"].map(|content| artifact("split", content));
        let register = async |name: &str, given: Option<usize>, made: usize| {
            let version = Registration {
                split: Some(splits[made].clone()),
                ..version(name)
            };
            let given = given.map(|given| &splits[given].digest);
            registry.register("m", version, given).await.unwrap()
        };
        let is = Registered::Version;
        assert_eq!(register("a", None, 0).await, is(1));
        // Two first runs that made the same split do not contradict.
        assert_eq!(register("b", None, 0).await, is(2));
        assert_eq!(register("c", None, 1).await, Registered::Raced);
        assert_eq!(register("d", Some(0), 1).await, is(3));
        // Begun before the third: what it tests may have been trained on there.
        assert_eq!(register("e", Some(0), 2).await, Registered::Raced);
        assert_eq!(register("f", Some(0), 0).await, Registered::Raced);
        assert_eq!(register("g", Some(0), 1).await, is(4));
        assert_eq!(register("h", Some(1), 2).await, is(5));
        // What is a version stays one.
        assert_eq!(register("a", None, 0).await, is(1));
        let state = registry.state("m").await.unwrap();
        assert_eq!(state.split(), Some(&splits[2]));
        assert_eq!(state.entries, 5);
    });
}

#[test]
fn a_schema_is_pinned_first_and_accepted_later() {
    block_on(async {
        let registry = registry(&memory());
        let schemas = ["s0", "s1", "s2"].map(|content| artifact("schema", content));
        let accept = async |schema: usize| {
            let accepted = registry.accept_schema("m", &schemas[schema], "me", "w");
            accepted.await.map_err(|error| error.to_string())
        };
        assert!(accept(0).await.unwrap_err().contains("no model 'm'"));
        let pinned = async || registry.state("m").await.unwrap().schema().cloned();
        for (name, schema) in [("a", 0), ("b", 1)] {
            let version = Registration {
                schema: Some(schemas[schema].clone()),
                ..version(name)
            };
            registry.register("m", version, None).await.unwrap();
        }
        assert_eq!(pinned().await.as_ref(), Some(&schemas[0]));
        assert_eq!(accept(0).await, Ok(false));
        assert_eq!(accept(2).await, Ok(true));
        assert_eq!(accept(2).await, Ok(false));
        assert_eq!(pinned().await.as_ref(), Some(&schemas[2]));
        assert_eq!(accept(0).await, Ok(true));
        let log = registry.log("m").await.unwrap();
        assert_eq!(log.len(), 4);
        assert!(matches!(&log[3].event, Event::Schema(a) if a.schema == schemas[0]));
    });
}

#[test]
fn uses_of_test_rows_are_counted() {
    block_on(async {
        let registry = registry(&memory());
        let [one, other, third] = ["one", "other", "third"].map(|name| Digest::of(name.as_bytes()));
        for (name, test) in [("a", one), ("b", other), ("c", one)] {
            let version = Registration {
                test: Some(test),
                ..version(name)
            };
            registry.register("m", version, None).await.unwrap();
        }
        let state = registry.state("m").await.unwrap();
        let uses = |name: &str, test| state.test_uses(None, test, &Digest::of(name.as_bytes()));
        assert_eq!(uses("new", &one), 3);
        assert_eq!(uses("new", &third), 1);
        // A candidate that is there already is told what it was told then.
        assert_eq!((uses("a", &one), uses("c", &one)), (1, 2));
        assert_eq!(state.test_uses_of(&state.versions[2]), Some(2));

        // A split is worn by all that were tested by it, whatever rows came to it.
        let split = |name: &str| Some(artifact("split", name));
        for (name, test, by) in [("d", one, "x"), ("e", other, "x"), ("f", third, "y")] {
            let version = Registration {
                test: Some(test),
                split: split(by),
                ..version(name)
            };
            let given = state.split().map(|split| split.digest);
            let given = given.or(Some(artifact("split", "x").digest));
            registry
                .register("m", version, given.as_ref())
                .await
                .unwrap();
        }
        let state = registry.state("m").await.unwrap();
        let uses = |at: usize| state.test_uses_of(&state.versions[at]);
        assert_eq!((uses(3), uses(4), uses(5)), (Some(3), Some(3), Some(1)));
    });
}

#[test]
fn runs_with_other_test_files_at_once_are_not_both_registered() {
    block_on(async {
        let registry = registry(&memory());
        let tested = |name: &str, file: &str| Registration {
            test: Some(Digest::of(file.as_bytes())),
            split: Some(artifact("split", "of a file")),
            tests: vec![Source {
                label: format!("{file}.csv"),
                artifact: artifact("source", file),
            }],
            ..version(name)
        };
        let first = registry.register("m", tested("a", "t1"), None).await;
        assert_eq!(first.unwrap(), Registered::Version(1));
        // Both began before there was a version, and the split does not tell the files apart.
        let second = registry.register("m", tested("b", "t2"), None).await;
        assert_eq!(second.unwrap(), Registered::Raced);
        let third = registry.register("m", tested("c", "t1"), None).await;
        assert_eq!(third.unwrap(), Registered::Version(2));
    });
}

#[test]
fn a_broken_chain_is_an_error() {
    block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_700_000_000_000));
        let store = memory();
        let registry = Registry::new(Arc::clone(&store.records), clock);
        for name in ["a", "b", "c"] {
            register(&registry, "m", name).await;
        }
        let key = "models/m/log/000000000002";
        let whole = store.records.get(key).await.unwrap().unwrap();
        let text = String::from_utf8(whole.clone()).unwrap();
        let forged = text.replace("\"run\":\"r\"", "\"run\":\"s\"");
        assert_ne!(forged, text);
        for (value, told) in [
            (Some(forged.into_bytes()), "broken at entry 3"),
            (Some(b"{".to_vec()), "broken at entry 2"),
            (None, "broken at entry 2"),
        ] {
            store.records.delete(key).await.unwrap();
            if let Some(value) = value {
                store.records.create(key, &value).await.unwrap();
            }
            let error = format!("{:#}", registry.state("m").await.unwrap_err());
            assert!(error.contains(told), "{error}");
            assert!(registry.register("m", version("d"), None).await.is_err());
        }
        store.records.create(key, &whole).await.unwrap();
        assert_eq!(registry.state("m").await.unwrap().versions.len(), 3);
    });
}

#[test]
fn those_who_register_at_once_get_a_version_each() {
    for (_, fresh) in all() {
        let fresh = fresh();
        block_on(async {
            let racers: Vec<_> = (0..8_usize)
                .map(|racer| {
                    let registry = registry([&fresh.one, &fresh.two][racer % 2]);
                    tokio::spawn(async move { register(&registry, "m", &racer.to_string()).await })
                })
                .collect();
            let mut numbers = vec![];
            for racer in racers {
                numbers.push(racer.await.unwrap());
            }
            numbers.sort_unstable();
            assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
            assert_eq!(registry(&fresh.one).log("m").await.unwrap().len(), 8);
        });
    }
}

#[test]
fn names_are_found_and_the_nearest_is_offered() {
    block_on(async {
        let registry = registry(&memory());
        let resolve = async |text: &str| {
            let version = registry.resolve(&text.parse().unwrap()).await;
            version
                .map(|version| version.pinned.number)
                .map_err(|e| e.to_string())
        };
        assert!(
            resolve("iris")
                .await
                .unwrap_err()
                .contains("no run has made one")
        );
        for name in ["iris", "iris-2", "iris.b", "churn"] {
            register(&registry, name, "a").await;
        }
        register(&registry, "iris", "b").await;
        let models = registry.models().await.unwrap();
        assert_eq!(models, ["churn", "iris", "iris-2", "iris.b"]);
        assert_eq!(resolve("iris@2").await, Ok(2));
        assert!(resolve("iris@3").await.unwrap_err().contains("only 1 to 2"));
        assert!(resolve("irsi").await.unwrap_err().contains("is it 'iris'?"));
        assert!(
            resolve("zzz")
                .await
                .unwrap_err()
                .contains("there is churn, iris")
        );
        assert!(
            resolve("iris")
                .await
                .unwrap_err()
                .contains("no version was promoted")
        );
        registry
            .promote("iris", "champion", 2, "me", "w")
            .await
            .unwrap();
        assert_eq!(resolve("iris").await, Ok(2));
        assert!(
            resolve("iris@champoin")
                .await
                .unwrap_err()
                .contains("'champion'?")
        );
        assert!(
            registry
                .promote("iris", "champion", 9, "me", "w")
                .await
                .is_err()
        );
        assert!(registry.state("../x").await.is_err());
    });
}
