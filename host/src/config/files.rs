//! Options whose values may name files of this machine.
//!
//! It owns which options these are, and how a file is told from a name.

use std::path::{MAIN_SEPARATOR, Path};

use serde_json::{Map, Value};

/// Options that always name files.
const FILES: [&str; 2] = ["schema", "test"];

/// The option whose values are files, or names of transforms in the store.
const TRANSFORM: &str = "transform";

/// Whether a transform is meant as a file: by a path, or by its ending. Names have neither.
pub(crate) fn is_file(text: &str) -> bool {
    let ending = Path::new(text).extension();
    text.contains(['/', MAIN_SEPARATOR]) || ending.is_some_and(|e| e.eq_ignore_ascii_case("wasm"))
}

/// A transform as it is meant from `folder`: a file's path is joined to it, a name stays.
pub(crate) fn transform_from(folder: &Path, text: &str) -> String {
    if is_file(text) {
        folder.join(text).to_string_lossy().into_owned()
    } else {
        text.to_owned()
    }
}

/// The first option that names a file of this machine.
pub(crate) fn naming_one(options: &Map<String, Value>) -> Option<&'static str> {
    let named = FILES.into_iter().find(|name| options.contains_key(*name));
    named.or_else(|| {
        let value = options.get(TRANSFORM)?;
        // What is no text is no name either.
        let is_file = |value: &Value| value.as_str().is_none_or(is_file);
        let any = value
            .as_array()
            .map_or_else(|| is_file(value), |values| values.iter().any(is_file));
        any.then_some(TRANSFORM)
    })
}

/// Options whose files are meant from `folder`.
pub(crate) fn rebase(options: &mut Map<String, Value>, folder: &Path) {
    for name in FILES.into_iter().chain([TRANSFORM]) {
        let values = match options.get_mut(name) {
            Some(Value::Array(values)) => values.as_mut_slice(),
            Some(value) => std::slice::from_mut(value),
            None => &mut [],
        };
        for value in values {
            if let Value::String(file) = value
                && (name != TRANSFORM || is_file(file))
            {
                *file = folder.join(&*file).to_string_lossy().into_owned();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(options) => options,
            _ => Map::new(),
        }
    }

    #[test]
    fn a_file_has_a_path_or_an_ending() {
        for file in ["x.wasm", "X.WASM", "./ratio", "/a/b", "a/b.wasm"] {
            assert!(is_file(file), "{file}");
        }
        for name in ["ratio", "ratio@2", "wasm", "a-b_c"] {
            assert!(!is_file(name), "{name}");
        }
    }

    #[test]
    fn what_names_files_is_found_and_meant_from_its_folder() {
        let of = |value| naming_one(&options(value));
        assert_eq!(
            of(json!({"target": "y", "transform": ["ratio", "b@2"]})),
            None
        );
        assert_eq!(
            of(json!({"transform": ["ratio", "b.wasm"]})),
            Some("transform")
        );
        assert_eq!(of(json!({"transform": 7})), Some("transform"));
        assert_eq!(of(json!({"schema": "s"})), Some("schema"));
        let mut files = options(json!({
            "schema": "s.json", "test": ["t.csv", "/u.csv"], "transform": ["ratio", "x.wasm"],
        }));
        rebase(&mut files, Path::new("/etc"));
        let expected = json!({
            "schema": "/etc/s.json", "test": ["/etc/t.csv", "/u.csv"],
            "transform": ["ratio", "/etc/x.wasm"],
        });
        assert_eq!(Value::Object(files), expected);
    }
}
