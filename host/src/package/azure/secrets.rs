//! Secrets where none belong: in files that are shipped, kept in repositories and shown.
//!
//! It knows how keys look. It never gives back one, not even in an error: only where it stands.

/// What gives a secret away, and what it is. Names of settings that hold a secret are told by their
/// value: a reference to a Key Vault, an empty one or a placeholder is none.
const MARKS: [(&str, &str); 6] = [
    ("AccountKey=", "an account key"),
    ("SharedAccessKey=", "a shared access key"),
    ("SharedAccessSignature=", "a shared access signature"),
    ("PRIVATE KEY-----", "a private key"),
    ("InstrumentationKey=", "a connection string"),
    ("\"AZURE_CREDENTIALS\"", "a stored credential"),
];

/// Names whose value is a secret, in lower case and without `_` and `-`.
const NAMES: [&str; 9] = [
    "password",
    "clientsecret",
    "accountkey",
    "apikey",
    "septetstorekey",
    "septethttpkey",
    "accesstoken",
    "sastoken",
    "connectionstring",
];

/// The first secret in `text`: its line, and what it is.
pub(super) fn find(text: &str) -> Option<(usize, &'static str)> {
    let lines = (1..).zip(text.lines());
    lines
        .filter_map(|(number, line)| Some((number, of_line(line)?)))
        .next()
}

fn of_line(line: &str) -> Option<&'static str> {
    for (mark, what) in MARKS {
        let Some((_, rest)) = line.split_once(mark) else {
            continue;
        };
        // `AccountKey=${key}` is a reference, and so is what stands for the development store.
        let rest = rest.trim_start();
        if mark.ends_with('=') && !is_literal(rest) {
            continue;
        }
        return Some(what);
    }
    if let Some((_, rest)) = line.split_once("sig=") {
        let signature = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'%' | b'+' | b'/' | b'='));
        if signature.count() >= 32 {
            return Some("a shared access signature");
        }
    }
    named(line)
}

/// `name = "value"`, `"name": "value"`, `name: value`, with a name of a secret.
fn named(line: &str) -> Option<&'static str> {
    let at = line.find(['=', ':'])?;
    let (name, value) = line.split_at_checked(at)?;
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let value = value.trim_start_matches(['=', ':']).trim();
    let is_named = NAMES.iter().any(|known| name.ends_with(known));
    (is_named && is_quoted_literal(value)).then_some("a secret")
}

/// Whether a value in quotes is one itself and no reference to one.
fn is_quoted_literal(value: &str) -> bool {
    let Some(value) = value.strip_prefix(['"', '\'']) else {
        return false;
    };
    is_literal(value)
}

fn is_literal(value: &str) -> bool {
    let references = [
        "@Microsoft.KeyVault(",
        "${",
        "%",
        "<",
        "UseDevelopmentStorage",
    ];
    let first = value.chars().next();
    first.is_some_and(|c| !matches!(c, '"' | '\'' | ';' | ','))
        && !references.iter().any(|known| value.starts_with(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_with_their_line() {
        for (text, what) in [
            (
                "a\nx = \"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcd==\"",
                "an account key",
            ),
            (
                "url: https://a/b?sv=1\n&sig=abcdefghijklmnopqrstuvwxyz0123456789%3D",
                "a shared access signature",
            ),
            ("\n-----BEGIN RSA PRIVATE KEY-----", "a private key"),
            ("\n\"SEPTET_HTTP_KEY\": \"0123\"", "a secret"),
            ("\npassword = 'x'", "a secret"),
        ] {
            assert_eq!(find(text), Some((2, what)), "{text}");
        }
    }

    #[test]
    fn references_are_none() {
        for text in [
            "\"SEPTET_HTTP_KEY\": \"@Microsoft.KeyVault(SecretUri=https://v/secrets/k)\"",
            "AzureWebJobsStorage = \"UseDevelopmentStorage=true\"",
            "key = \"customer\"",
            "client-id: ${{ vars.AZURE_CLIENT_ID }}",
            "password = \"\"",
            "connectionString: 'AccountKey=${key}'",
            "key_file = \"http.key\"",
            "keyName: 'AccountKey'",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
