//! A vault of Key Vault in the form of its published protocol, behind a proxy, with a certificate of
//! the test's own for its real address.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::instance::{CLIENT, Instance, Mood, now, token};
use crate::support::{
    authority::Authority,
    fake::{Answer, Asked, Fake},
};

/// The vault's host.
pub(crate) const HOST: &str = "septet-test.vault.azure.net";

/// The version of the secret that is not the newest.
pub(crate) const OLD: &str = "0123456789abcdef0123456789abcdef";

/// How the vault behaves.
#[derive(Clone, Debug, Default)]
pub(crate) enum Way {
    /// As it should.
    #[default]
    Well,
    /// It answers with this status, and wants to be asked again after these seconds.
    Status(u16, Option<u32>),
    /// As `Status` for so many requests with a token, and then well.
    StatusFor(u32, u16, Option<u32>),
    /// It wants a token for another domain.
    Foreign,
    /// It answers with a page.
    Garbage,
    /// A byte now and then.
    Slow,
    /// Nothing at all.
    Hanging,
    /// An answer without an end.
    Endless,
}

#[derive(Default)]
struct State {
    way: Way,
    secret: String,
}

/// A vault with one secret, and the instance whose identity may read it.
pub(crate) struct Vault {
    pub(crate) instance: Instance,
    pub(crate) fake: Fake,
    trusted: PathBuf,
    state: Arc<Mutex<State>>,
    _folder: tempfile::TempDir,
}

impl Vault {
    /// A vault whose secret `key` has this value; none where there is no openssl.
    pub(crate) fn new(secret: &str) -> Option<Self> {
        let folder = tempfile::TempDir::new().unwrap();
        let authority = Authority::new(folder.path())?;
        let leaf = authority.leaf(
            "vault",
            &["DNS:*.vault.azure.net", "DNS:login.microsoftonline.com"],
        );
        let state = Arc::new(Mutex::new(State {
            secret: secret.to_owned(),
            ..State::default()
        }));
        let own = Arc::clone(&state);
        let fake = Fake::proxy(&leaf, move |asked| answer(asked, &mut own.lock().unwrap()));
        Some(Self {
            instance: Instance::new(Mood::Well),
            fake,
            trusted: authority.certificate(),
            state,
            _folder: folder,
        })
    }

    pub(crate) fn set(&self, way: Way) {
        self.state.lock().unwrap().way = way;
    }

    /// Makes a new version of the secret.
    pub(crate) fn rotate(&self, secret: &str) {
        self.state.lock().unwrap().secret = secret.into();
    }

    /// Puts the vault, and the instance, in reach of a command.
    pub(crate) fn host(&self, command: &mut Command) {
        self.instance.host(command);
        command
            .env("HTTPS_PROXY", self.fake.url())
            .env("SSL_CERT_FILE", &self.trusted)
            .env_remove("SSL_CERT_DIR");
    }

    /// A reference to the secret.
    pub(crate) fn reference() -> String {
        format!("@Microsoft.KeyVault(SecretUri=https://{HOST}/secrets/key)")
    }
}

/// The token of a cluster that the directory exchanges.
pub(crate) const ASSERTION: &str = "the-clusters-token";

/// The directory: gives a token for that of a cluster.
fn exchange(asked: &Asked) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    let get = |name: &str| {
        let mut form = form.iter();
        form.find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.path, format!("/{CLIENT}/oauth2/v2.0/token"));
    assert_eq!(get("grant_type"), Some("client_credentials"));
    assert_eq!(get("client_id"), Some(CLIENT));
    if get("client_assertion") != Some(ASSERTION) {
        let body = json!({
            "error": "invalid_client", "error_codes": [700_211],
            "error_description": "AADSTS700211: topsecret\nlines", "timestamp": "", "trace_id": "",
            "correlation_id": "",
        });
        return Answer::json(401, &body);
    }
    let audience = get("scope").unwrap().trim_end_matches("/.default");
    let token = token(audience, now() + 3600);
    let body = json!({"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": token});
    Answer::json(200, &body)
}

/// The audience of a token.
fn audience(bearer: &str) -> Option<String> {
    let claims = bearer.strip_prefix("Bearer ")?.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["aud"].as_str().map(str::to_owned)
}

fn answer(asked: &Asked, state: &mut State) -> Answer {
    let error = |status, code: &str| {
        Answer::json(
            status,
            &json!({"error": {"code": code, "message": "topsecret\nlines"}}),
        )
    };
    if asked.host == "login.microsoftonline.com" {
        return exchange(asked);
    }
    if asked.host != HOST {
        return error(404, "NoSuchHost");
    }
    if matches!(state.way, Way::Hanging) {
        return Answer::Hang;
    }
    let domain = if matches!(state.way, Way::Foreign) {
        "https://storage.azure.com"
    } else {
        "https://vault.azure.net"
    };
    let given = asked.header("authorization").and_then(audience);
    if given.as_deref() != Some("https://vault.azure.net") {
        let challenge = format!(
            "Bearer authorization=\"https://login.microsoftonline.com/ab1f708d-50f6-404c-a006-d71b2ac7a606\", \
             resource=\"{domain}\""
        );
        let body = json!({"error": {"code": "Unauthorized", "message": "topsecret"}});
        return Answer::Reply(401, vec![("www-authenticate", challenge)], body.to_string());
    }
    let status = |status, after: Option<u32>| {
        let after = after.map(|after| ("retry-after", after.to_string()));
        Answer::Reply(status, after.into_iter().collect(), "topsecret".to_owned())
    };
    match state.way.clone() {
        Way::Status(code, after) => return status(code, after),
        Way::StatusFor(left, code, after) if left > 0 => {
            state.way = Way::StatusFor(left - 1, code, after);
            return status(code, after);
        }
        Way::Garbage => return Answer::Reply(200, vec![], "<html>topsecret".to_owned()),
        Way::Slow => return Answer::Slow("topsecret".repeat(100)),
        Way::Endless => return Answer::Reply(200, vec![], "topsecret".repeat(100_000)),
        _ => {}
    }
    let (path, query) = asked.path.split_once('?').unwrap_or_default();
    assert!(query.contains("api-version="), "{query}");
    let value = match path.trim_end_matches('/') {
        "/secrets/key" => state.secret.as_str(),
        path if path == format!("/secrets/key/{OLD}") => "an-older-key-of-septet",
        "/secrets/disabled" => return error(403, "Forbidden"),
        _ => return error(404, "SecretNotFound"),
    };
    let id = format!("https://{HOST}{path}");
    Answer::json(
        200,
        &json!({"value": value, "id": id, "attributes": {"enabled": true}}),
    )
}
