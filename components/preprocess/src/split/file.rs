//! By a file of test rows: equal rows are not trained on.

use std::collections::BTreeSet;

use septet_kit::table::{Column, Table};

use super::decide::Side;
use crate::identity::{Digest, digests};

/// The digests by which rows are equal: of the key, else of the row. The two never mix: a row
/// without a key is compared as a whole.
pub(super) fn digests_of(
    table: &Table,
    key: Option<&Column>,
    rows: &[Digest],
) -> Vec<(bool, Digest)> {
    let Some(key) = key else {
        return rows.iter().map(|digest| (false, *digest)).collect();
    };
    digests(&[key], table.rows)
        .into_iter()
        .zip(rows)
        .zip(key.null_mask())
        .map(|((key, row), null)| if null { (false, *row) } else { (true, key) })
        .collect()
}

/// The side of each row that is not of the file.
pub(super) fn sides(rows: &[(bool, Digest)], tests: &[(bool, Digest)]) -> Vec<Side> {
    let tests: BTreeSet<_> = tests.iter().collect();
    rows.iter()
        .map(|row| {
            if tests.contains(row) {
                Side::Out
            } else {
                Side::Train
            }
        })
        .collect()
}
