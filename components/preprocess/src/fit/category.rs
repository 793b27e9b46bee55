//! A column of categories or texts: imputation, pooling and encoding as scikit-learn's.

use std::collections::BTreeMap;

use septet_kit::{
    preprocessing::{Categories, Encoding, Unknown},
    table::{Column, Values},
};

use super::settings::{CategorySettings, Encode, Impute};

/// Pooled categories that are kept by name, to tell an unknown one from them.
const MAX_RARE: usize = 10_000;

/// Rows of each text, nulls left out.
pub(super) fn counts(column: &Column) -> BTreeMap<&str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let nulls = column.null_mask();
    match &column.values {
        Values::Texts(values) => {
            for (text, null) in values.iter().zip(nulls) {
                if !null {
                    *counts.entry(text).or_default() += 1;
                }
            }
        }
        Values::Categories { dictionary, codes } => {
            let mut rows = vec![0_usize; dictionary.len()];
            for (code, null) in codes.iter().zip(nulls) {
                if !null && let Some(rows) = rows.get_mut(*code as usize) {
                    *rows += 1;
                }
            }
            // A dictionary may have texts that no row has.
            for (text, rows) in dictionary.iter().zip(rows) {
                if rows > 0 {
                    *counts.entry(text).or_default() += rows;
                }
            }
        }
        _ => {}
    }
    counts
}

/// The encoding of these counts, `lacking` more rows having no value; none where all train rows
/// would be equal. The note says what is not as it was asked.
///
/// As scikit-learn 1.9's `max_categories`: from as many categories on, all but the
/// `max_categories - 1` most frequent are pooled, those that sort first among equally frequent
/// ones. Rows that are filled count.
pub(super) fn encoding<'a>(
    mut counts: BTreeMap<&'a str, usize>,
    lacking: usize,
    settings: &'a CategorySettings,
) -> (Option<Encoding>, Option<String>) {
    let constant = settings.fill_value.as_deref().unwrap_or("missing_value");
    let fill = match settings.impute.unwrap_or(Impute::MostFrequent) {
        Impute::None => None,
        Impute::Constant => Some(constant),
        _ => {
            // The first of the most frequent.
            let best = counts.iter().rev().max_by_key(|(_, count)| **count);
            best.map(|(text, _)| *text)
        }
    };
    let fill = fill.map(ToOwned::to_owned);
    if lacking > 0 && settings.impute == Some(Impute::Constant) {
        *counts.entry(constant).or_default() += lacking;
    }
    let differ = counts.len() + usize::from(lacking > 0 && fill.is_none());
    if differ < 2 {
        return (None, None);
    }
    let most = settings.most();
    let mut ranked: Vec<(&str, usize)> = counts.into_iter().collect();
    if settings.impute != Some(Impute::Constant)
        && let Some((_, count)) = ranked
            .iter_mut()
            .find(|(text, _)| Some(*text) == fill.as_deref())
    {
        *count += lacking;
    }
    let mut rare = Vec::new();
    if ranked.len() >= most {
        // The sort is stable: equal counts stay in the order of the texts.
        ranked.sort_by_key(|(_, count)| *count);
        let kept = ranked.split_off(ranked.len() - most.saturating_sub(1));
        rare = std::mem::replace(&mut ranked, kept);
        ranked.sort_unstable();
    }
    let own = |ranked: &[(&str, usize)]| {
        let mut texts: Vec<_> = ranked.iter().map(|(text, _)| (*text).to_owned()).collect();
        texts.sort_unstable();
        texts
    };
    let mut known = Categories {
        categories: own(&ranked),
        other: !rare.is_empty(),
        rare: Vec::new(),
        unknown: settings.unknown,
        fill,
    };
    let mut note = None;
    if !rare.is_empty() {
        let mut told = format!("{} of its categories, the rarest, are one", rare.len());
        match settings.unknown {
            Unknown::Other => {}
            _ if rare.len() <= MAX_RARE => known.rare = own(&rare),
            _ => {
                known.unknown = Unknown::Other;
                told.push_str(", and so is an unknown one, because they are too many to be kept");
            }
        }
        note = Some(told);
    }
    let encoding = match settings.encode {
        Encode::OneHot => Encoding::OneHot(known),
        Encode::Ordinal => Encoding::Ordinal(known),
    };
    (Some(encoding), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(texts: &[&str], nulls: &[u32]) -> Column {
        Column {
            name: "t".to_owned(),
            values: Values::Texts(texts.iter().map(ToString::to_string).collect()),
            nulls: nulls.to_vec(),
        }
    }

    fn fitted(texts: &[&str], nulls: &[u32], settings: &CategorySettings) -> Option<Categories> {
        let column = column(texts, nulls);
        match encoding(counts(&column), nulls.len(), settings).0? {
            Encoding::OneHot(known) | Encoding::Ordinal(known) => Some(known),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rare_ones_are_pooled_as_scikit_learn_does() {
        let settings = |most| CategorySettings {
            max_categories: Some(most),
            ..CategorySettings::default()
        };
        let texts = ["a", "b", "b", "c", "c", "d", "d", "d"];
        let pooled = |most| {
            let known = fitted(&texts, &[], &settings(most)).unwrap();
            (known.categories.join(""), known.rare.join(""), known.other)
        };
        let told = |kept: &str, rare: &str| (kept.to_owned(), rare.to_owned(), !rare.is_empty());
        assert_eq!(pooled(5), told("abcd", ""));
        assert_eq!(pooled(4), told("bcd", "a"));
        assert_eq!(pooled(3), told("cd", "ab"));
        assert_eq!(pooled(1), told("", "abcd"));
    }

    #[test]
    fn nulls_are_filled_and_counted() {
        let texts = ["b", "a", "a", "b", "", ""];
        let mut settings = CategorySettings::default();
        let known = fitted(&texts, &[4, 5], &settings).unwrap();
        assert_eq!(known.fill.as_deref(), Some("a"));
        settings.impute = Some(Impute::Constant);
        let known = fitted(&texts, &[4, 5], &settings).unwrap();
        assert_eq!(known.categories, ["a", "b", "missing_value"]);
        settings.impute = Some(Impute::None);
        let known = fitted(&texts, &[4, 5], &settings).unwrap();
        assert_eq!((known.categories.len(), known.fill), (2, None));
        // One value and nulls differ, unless the nulls are filled with it.
        assert!(fitted(&["a", ""], &[1], &settings).is_some());
        assert!(fitted(&["a", ""], &[1], &CategorySettings::default()).is_none());
    }

    #[test]
    fn a_dictionary_is_counted_by_its_rows() {
        let column = Column {
            name: "t".to_owned(),
            values: Values::Categories {
                dictionary: ["z", "a", "a"].map(str::to_owned).to_vec(),
                codes: vec![1, 2, 9, 1],
            },
            nulls: vec![2],
        };
        let counted: Vec<_> = counts(&column).into_iter().collect();
        assert_eq!(counted, [("a", 3)]);
    }

    #[test]
    fn too_many_rare_ones_take_the_unknown_with_them() {
        let texts: Vec<String> = (0..30_000).map(|n| format!("c{}", n % 12_000)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let known = fitted(&texts, &[], &CategorySettings::default()).unwrap();
        assert_eq!((known.unknown, known.rare.len()), (Unknown::Other, 0));
    }
}
