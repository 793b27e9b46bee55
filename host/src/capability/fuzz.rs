//! What a component may pass to the host, drawn at random: whatever it is, it is refused or held to
//! its bounds, and nothing panics.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::{
    Scope,
    bindings::septet::capability::{
        log::Level,
        registry_propose::{AliasChange, Proposal},
    },
    blob_write::Written,
    clean,
    log::Sink,
    queue::Outbox,
    registry_propose::Proposals,
    table::{canonicalize, check},
    tables::{Categories, Column, Table, Values},
};
use crate::{
    contract::{Artifact, Digest, Origin, PinnedAlias},
    stage::Limits,
};

/// Texts of all characters, with those that rearrange a line more often than by chance.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        any::<String>(),
        Just(String::new()),
        "[ab]",
        "[\u{1b}\u{202e}\u{2028}\n\r\0a…ä]{0,40}",
    ]
}

/// Any bits, with the odd ones more often.
fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        Just(f64::from_bits(0xfff8_dead_beef_0001)),
        Just(f64::INFINITY),
        Just(-0.0),
    ]
}

fn values(rows: usize) -> impl Strategy<Value = Values> {
    // Mostly as many as there should be, or nothing else would ever be looked at.
    let count = prop_oneof![9 => Just(rows), 1 => 0..9_usize];
    count.prop_flat_map(|count| {
        let texts = || vec(text(), 0..4);
        prop_oneof![
            vec(float(), count).prop_map(Values::Floats),
            vec(any::<i64>(), count).prop_map(Values::Integers),
            vec(any::<bool>(), count).prop_map(Values::Booleans),
            vec(text(), count).prop_map(Values::Texts),
            vec(any::<i64>(), count).prop_map(Values::Timestamps),
            (texts(), vec(prop_oneof![0..4_u32, any::<u32>()], count)).prop_map(
                |(dictionary, codes)| Values::Categories(Categories { dictionary, codes })
            ),
        ]
    })
}

fn column(rows: usize) -> impl Strategy<Value = Column> {
    let nulls = prop_oneof![
        Just(Vec::new()),
        vec(0..8_u32, 0..3),
        vec(any::<u32>(), 0..3),
        Just((0..rows as u32).collect()),
    ];
    (text(), values(rows), nulls).prop_map(|(name, values, nulls)| Column {
        name,
        values,
        nulls,
    })
}

/// A table that may break any rule.
pub(crate) fn table() -> impl Strategy<Value = Table> {
    (0..6_usize).prop_flat_map(|rows| {
        let said = prop_oneof![9 => Just(rows as u32), 1 => any::<u32>()];
        (said, vec(column(rows), 0..5)).prop_map(|(rows, columns)| Table { rows, columns })
    })
}

/// Whether the slots of null rows hold nothing and NaNs have one pattern of bits.
fn is_canonical(table: &Table) -> bool {
    table.columns.iter().all(|column| {
        let null = |row: usize| column.nulls.contains(&(row as u32));
        match &column.values {
            Values::Floats(values) => values.iter().enumerate().all(|(row, value)| {
                let blank = !null(row) || value.to_bits() == 0;
                blank && (!value.is_nan() || value.to_bits() == f64::NAN.to_bits())
            }),
            Values::Integers(values) | Values::Timestamps(values) => values
                .iter()
                .enumerate()
                .all(|(row, v)| !null(row) || *v == 0),
            Values::Booleans(values) => values.iter().enumerate().all(|(row, v)| !null(row) || !v),
            Values::Texts(values) => values
                .iter()
                .enumerate()
                .all(|(row, v)| !null(row) || v.is_empty()),
            Values::Categories(categories) => {
                let codes = categories.codes.iter().enumerate();
                let known = categories.dictionary.len();
                codes.into_iter().all(|(row, code)| {
                    if null(row) {
                        *code == 0
                    } else {
                        (*code as usize) < known
                    }
                })
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_table_is_refused_in_a_line_or_made_canonical(mut table in table()) {
        let limits = Limits { string_bytes: 30, name_bytes: 60, batch_bytes: 400, ..Limits::default() };
        if let Err(problem) = check(&table, &limits) {
            let told = problem.to_string();
            prop_assert!(told.len() < 400 && !told.contains(char::is_control), "{told}");
            return Ok(());
        }
        canonicalize(&mut table);
        prop_assert!(is_canonical(&table), "{table:?}");
        prop_assert!(check(&table, &limits).is_ok());
        let names: BTreeSet<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        prop_assert_eq!(names.len(), table.columns.len());
    }

    #[test]
    fn what_was_not_checked_is_made_canonical_without_a_panic(mut table in table()) {
        canonicalize(&mut table);
    }

    #[test]
    fn a_text_becomes_one_bounded_line(text in text(), limit in 0..50_u64) {
        let line = clean(&text, limit);
        prop_assert!(line.len() as u64 <= limit);
        let moves = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!line.contains(moves));
    }

    #[test]
    fn log_lines_are_counted_and_bounded(lines in vec((text(), 0..5_u8), 0..20)) {
        let limits = Limits { log_lines: 5, log_line_bytes: 20, log_bytes: 60, ..Limits::default() };
        let sink = Sink::new("fuzz".to_owned(), Origin::default(), &limits);
        for (line, level) in &lines {
            let level = match level {
                0 => Level::Trace,
                1 => Level::Debug,
                2 => Level::Info,
                3 => Level::Warn,
                _ => Level::Error,
            };
            sink.write(level, line);
            sink.remember(line);
        }
        let (written, dropped) = sink.counts();
        prop_assert!(written <= 5 && written + dropped == lines.len() as u64);
        prop_assert!(sink.last_words().len() <= 400);
    }

    #[test]
    fn messages_are_within_labels_and_bounds(sent in vec((text(), vec(any::<u8>(), 0..40)), 0..8)) {
        let limits = Limits { messages: 2, message_bytes: 20, ..Limits::default() };
        let labels: BTreeSet<String> = ["a".to_owned()].into();
        let mut outbox = Outbox::default();
        for (label, body) in sent {
            let _ = outbox.accept(label, body, &labels, &limits);
        }
        let kept = outbox.take();
        prop_assert!(kept.len() <= 2);
        prop_assert!(kept.iter().all(|m| m.label == "a" && m.body.len() <= 20));
    }

    #[test]
    fn proposals_are_within_scope_and_bounds(
        names in vec(prop_oneof![Just("m".to_owned()), text()], 2),
        digest in prop_oneof![Just(Digest::of(b"bundle").to_string()), text()],
        summary in prop_oneof![Just("{}".to_owned()), "[\\[{\":,}\\]0-9a]{0,30}", text()],
        change in proptest::option::of((text(), proptest::option::of(text()), text())),
    ) {
        let scope = Scope {
            inputs: vec![Artifact {
                name: "bundle".to_owned(),
                digest: Digest::of(b"bundle"),
                size: 6,
                media_type: String::new(),
            }],
            aliases: vec![PinnedAlias {
                model: "m".to_owned(),
                alias: "a".to_owned(),
                revision: 0,
                version: None,
            }],
            ..Scope::default()
        };
        let limits = Limits { proposals: 1, summary_bytes: 20, text_bytes: 10, ..Limits::default() };
        let mut proposals = Proposals::default();
        for model in names {
            let change = change.clone().map(|(alias, expected, reason)| AliasChange { alias, expected, reason });
            let proposal = Proposal { model, bundle_digest: digest.clone(), summary: summary.clone(), change };
            let _ = proposals.accept(proposal, &scope, &Written::default(), &limits);
        }
        let kept = proposals.take();
        prop_assert!(kept.len() <= 1);
        for proposal in kept {
            prop_assert_eq!(proposal.model.as_str(), "m");
            prop_assert!(proposal.summary.len() <= 20);
            prop_assert!(proposal.change.is_none_or(|change| change.alias == "a" && change.reason.len() <= 10));
        }
    }
}
