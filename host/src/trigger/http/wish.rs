//! What a client asks for when it asks for a run, before anything of it is stored.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{options, refusal::Refusal};
use crate::{
    capability::clean,
    contract::Digest,
    pipeline::{ModelRef, RunKind},
};

/// Parts of one request at most.
const MAX_PARTS: usize = 1000;

/// The longest name of a part, in bytes.
const MAX_NAME: usize = 255;

/// A run as it is asked for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) kind: RunKind,
    pub(super) model: Option<String>,
    pub(super) data: Vec<Given>,
    pub(super) options: Map<String, Value>,
}

/// A part of the data.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) what: What,
}

/// Where a part's bytes are.
#[derive(Debug)]
pub(super) enum What {
    /// In the request.
    Text(String),
    /// In the store.
    Stored(Digest),
}

/// The form of a request in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    kind: String,
    #[serde(default)]
    model: Option<String>,
    data: Vec<Part>,
    #[serde(default)]
    options: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    name: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    digest: Option<Digest>,
}

impl Wish {
    /// Reads a request in JSON.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let form: Form = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("the body can't be read: {error}")))?;
        let kind = options::kind(&form.kind)?;
        let parts = form.data.len();
        if !(1..=MAX_PARTS).contains(&parts) {
            let line = format!("data has {parts} parts: it must be 1 to {MAX_PARTS}");
            return Err(Refusal::bad(line));
        }
        let data = form.data.into_iter().map(Given::of);
        let data = data.collect::<Result<_, _>>()?;
        options::checked(kind, &form.options)?;
        Self::new(kind, form.model, data, form.options)
    }

    /// Reads what a query says of the one part that is the body, with this digest; `name` is
    /// what the part is called if the query does not say.
    pub(super) fn queried(
        pairs: Vec<(String, String)>,
        name: &str,
        digest: Digest,
    ) -> Result<Self, Refusal> {
        let (mut kind, mut model, mut called) = (None, None, None);
        let mut rest = Vec::new();
        for (key, value) in pairs {
            let place = match key.as_str() {
                "kind" => &mut kind,
                "model" => &mut model,
                "name" => &mut called,
                _ => {
                    rest.push((key, value));
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(Refusal::bad(format!("{key} comes twice")));
            }
        }
        let Some(kind) = kind else {
            return Err(Refusal::bad(
                "the query has no kind: add ?kind=train, predict or monitor",
            ));
        };
        let kind = options::kind(&kind)?;
        let name = called.unwrap_or_else(|| name.to_owned());
        check_name(&name)?;
        let what = What::Stored(digest);
        let options = options::queried(kind, rest)?;
        Self::new(kind, model, vec![Given { name, what }], options)
    }

    fn new(
        kind: RunKind,
        model: Option<String>,
        data: Vec<Given>,
        options: Map<String, Value>,
    ) -> Result<Self, Refusal> {
        if let Some(model) = &model {
            let parsed = model.parse::<ModelRef>();
            parsed.map_err(|error| Refusal::bad(error.to_string()))?;
            if kind == RunKind::Train && model.contains('@') {
                return Err(Refusal::bad(
                    "a train run makes a version: its model is a name alone",
                ));
            }
        } else if kind != RunKind::Train {
            let kind = kind.name();
            return Err(Refusal::bad(format!(
                "a {kind} run needs a model: name one"
            )));
        }
        Ok(Self {
            kind,
            model,
            data,
            options,
        })
    }
}

impl Given {
    fn of(part: Part) -> Result<Self, Refusal> {
        let Part { name, text, digest } = part;
        check_name(&name)?;
        let what = match (text, digest) {
            (Some(text), None) if text.is_empty() => {
                return Err(Refusal::bad(format!("'{name}' is empty")));
            }
            (Some(text), None) => What::Text(text),
            (None, Some(digest)) => What::Stored(digest),
            _ => {
                return Err(Refusal::bad(format!(
                    "'{name}' needs either its text or the digest of a blob"
                )));
            }
        };
        Ok(Self { name, what })
    }
}

/// A part is named as a file is, without a folder: it is no path of this machine.
fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && !matches!(name, "." | "..");
    if fits {
        return Ok(());
    }
    let shown = clean(name, 80);
    Err(Refusal::bad(format!(
        "'{shown}' can't be the name of a part: it is a file's, without a folder"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read() {
        let digest = Digest::of(b"");
        let body = format!(
            r#"{{"kind":"train","model":"m","data":[{{"name":"a.csv","text":"x"}},
            {{"name":"b.csv","digest":"{digest}"}}],"options":{{"target":"y"}}}}"#
        );
        let wish = Wish::read(body.as_bytes()).unwrap();
        assert_eq!(wish.kind, RunKind::Train);
        assert_eq!(wish.data.len(), 2);
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let pairs = vec![
            pair("kind", "predict"),
            pair("model", "m@3"),
            pair("format", "csv"),
        ];
        let wish = Wish::queried(pairs, "data.csv", digest).unwrap();
        assert_eq!(wish.data[0].name, "data.csv");
        assert_eq!(wish.options["format"], "csv");
    }

    #[test]
    fn wishes_that_make_no_sense_are_refused() {
        let part = r#"{"name":"a.csv","text":"x"}"#;
        for bad in [
            String::new(),
            "[]".to_owned(),
            format!(r#"{{"kind":"x","data":[{part}]}}"#),
            format!(r#"{{"kind":"predict","data":[{part}]}}"#),
            format!(r#"{{"kind":"train","model":"m@1","data":[{part}]}}"#),
            format!(r#"{{"kind":"train","model":"../m","data":[{part}]}}"#),
            format!(r#"{{"kind":"train","data":[{part}],"options":{{"schema":"/etc/passwd"}}}}"#),
            format!(r#"{{"kind":"train","data":[{part}],"more":1}}"#),
            r#"{"kind":"train","data":[]}"#.to_owned(),
            r#"{"kind":"train","data":["/etc/passwd"]}"#.to_owned(),
            r#"{"kind":"train","data":[{"name":"/etc/passwd","text":"x"}]}"#.to_owned(),
            r#"{"kind":"train","data":[{"name":"a","path":"/etc/passwd"}]}"#.to_owned(),
            r#"{"kind":"train","data":[{"name":"a"}]}"#.to_owned(),
            r#"{"kind":"train","data":[{"name":"a","text":""}]}"#.to_owned(),
        ] {
            assert!(Wish::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
