//! An invocation's inputs and parameters.

use serde::de::DeserializeOwned;

use crate::{Artifact, Invocation};

/// The one input of this name.
pub fn input<'a>(invocation: &'a Invocation, name: &str) -> Result<&'a Artifact, String> {
    let mut found = inputs(invocation, name);
    let first = found
        .next()
        .ok_or_else(|| format!("the input '{name}' is missing"))?;
    if found.next().is_some() {
        return Err(format!("the input '{name}' comes more than once"));
    }
    Ok(first)
}

/// All inputs of this name, in order.
pub fn inputs<'a>(
    invocation: &'a Invocation,
    name: &str,
) -> impl Iterator<Item = &'a Artifact> + use<'a> {
    let name = name.to_owned();
    invocation
        .inputs
        .iter()
        .filter(move |artifact| artifact.name == name)
}

/// The parameters as `T`, which must deny unknown fields. The error names the parameter.
pub fn parameters<T: DeserializeOwned>(invocation: &Invocation) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(&invocation.parameters);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let message = error.into_inner().to_string();
        // Where in the JSON it is says nothing to someone who never wrote any.
        let message = message
            .rsplit_once(" at line ")
            .map_or(message.as_str(), |(message, _)| message);
        let message = message
            .replace("unknown field", "unknown parameter")
            .replace("missing field", "missing parameter")
            .replace('`', "'");
        // Of a value that can't be taken, serde does not say whose it is.
        if place == "." || message.contains("parameter '") {
            message
        } else {
            format!("{place}: {message}")
        }
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameters {
        #[serde(rename = "margin")]
        _margin: f64,
        #[serde(rename = "model")]
        _model: String,
    }

    fn invocation(parameters: &str) -> Invocation {
        let artifact = |name: &str| Artifact {
            name: name.to_owned(),
            digest: String::new(),
            size: 0,
            media_type: String::new(),
        };
        Invocation {
            inputs: vec![artifact("table"), artifact("bundle"), artifact("table")],
            parameters: parameters.to_owned(),
            seed: 0,
        }
    }

    #[test]
    fn an_unknown_parameter_is_named() {
        let told = |text: &str| parameters::<Parameters>(&invocation(text)).unwrap_err();
        assert_eq!(
            told(r#"{"margn":1}"#),
            "unknown parameter 'margn', expected 'margin' or 'model'"
        );
        assert_eq!(told("{}"), "missing parameter 'margin'");
        assert_eq!(
            told(r#"{"margin":"wide","model":"m"}"#),
            "margin: invalid type: string \"wide\", expected f64"
        );
    }

    #[test]
    fn inputs_keep_their_order() {
        let invocation = invocation("{}");
        assert_eq!(inputs(&invocation, "table").count(), 2);
        assert!(input(&invocation, "bundle").is_ok());
        assert!(
            input(&invocation, "table")
                .unwrap_err()
                .contains("more than once")
        );
        assert!(input(&invocation, "train").unwrap_err().contains("missing"));
    }
}
