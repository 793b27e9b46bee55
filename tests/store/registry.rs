//! The registry's log: chained, idempotent, and decided by who creates the next entry.

use std::sync::Arc;

use septet::{
    contract::Digest,
    pipeline::{
        Pipeline, Registry,
        registry::{Event, Moved, Registration, Wanted},
    },
    store::{Clock, ManualClock, Store, memory},
};

use super::backends::{ALL, block_on};

fn version(name: &str) -> Registration {
    Registration {
        number: 0,
        bundle: Digest::of(name.as_bytes()),
        bundle_size: name.len() as u64,
        infer: Digest::of(b"infer"),
        summary: "{}".to_owned(),
        run: "r".to_owned(),
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
    }
}

fn registry(store: &Store) -> Registry {
    Pipeline::new(store.clone()).registry()
}

#[test]
fn the_same_bundle_is_the_same_version() {
    for (_, fresh) in ALL {
        let fresh = fresh();
        block_on(async {
            let registry = registry(&fresh.one);
            assert_eq!(registry.register("m", version("a")).await.unwrap(), 1);
            assert_eq!(registry.register("m", version("b")).await.unwrap(), 2);
            assert_eq!(registry.register("m", version("a")).await.unwrap(), 1);
            assert_eq!(registry.register("n", version("a")).await.unwrap(), 1);
            assert_eq!(registry.log("m").await.unwrap().len(), 2);
        });
    }
}

#[test]
fn an_alias_moves_by_compare_and_swap() {
    block_on(async {
        let registry = registry(&memory());
        let [a, b] = ["a", "b"].map(|name| Digest::of(name.as_bytes()));
        registry.register("m", version("a")).await.unwrap();
        registry.register("m", version("b")).await.unwrap();
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
            registry.register("m", version(name)).await.unwrap();
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
fn a_broken_chain_is_an_error() {
    block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_700_000_000_000));
        let store = memory();
        let registry = Registry::new(Arc::clone(&store.records), clock);
        for name in ["a", "b", "c"] {
            registry.register("m", version(name)).await.unwrap();
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
            assert!(registry.register("m", version("d")).await.is_err());
        }
        store.records.create(key, &whole).await.unwrap();
        assert_eq!(registry.state("m").await.unwrap().versions.len(), 3);
    });
}

#[test]
fn those_who_register_at_once_get_a_version_each() {
    for (_, fresh) in ALL {
        let fresh = fresh();
        block_on(async {
            let racers: Vec<_> = (0..8_usize)
                .map(|racer| {
                    let registry = registry([&fresh.one, &fresh.two][racer % 2]);
                    let version = version(&racer.to_string());
                    tokio::spawn(async move { registry.register("m", version).await.unwrap() })
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
            registry.register(name, version("a")).await.unwrap();
        }
        registry.register("iris", version("b")).await.unwrap();
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
