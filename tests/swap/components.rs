//! Components that take a stage's place, or try to.

use septet::{components::EMBEDDED, contract::Stage};

/// The built-in component.
pub(crate) fn builtin(stage: Stage) -> &'static [u8] {
    let own = EMBEDDED.iter().find(|(there, _)| *there == stage);
    own.unwrap().1
}

/// The built-in component with one more section, which means nothing: another digest, and the same
/// answers.
pub(crate) fn same(stage: Stage, mark: &str) -> Vec<u8> {
    let mut body = vec![4];
    body.extend(b"test");
    body.extend(mark.as_bytes());
    let mut bytes = builtin(stage).to_vec();
    // A custom section: a zero, its length, its name and whatever else.
    bytes.extend([0, u8::try_from(body.len()).unwrap()]);
    bytes.extend(body);
    bytes
}

/// The built-in train component with another word in one of its notes: it fits and works, and its
/// answers are others.
pub(crate) fn different() -> Vec<u8> {
    let (old, new) = (b" was chosen by ", b" was CHOSEN by ");
    let mut bytes = builtin(Stage::Train).to_vec();
    let at = bytes.windows(old.len()).position(|window| window == old);
    let at = at.expect("train says by what a threshold was chosen");
    bytes[at..at + old.len()].copy_from_slice(new);
    bytes
}
