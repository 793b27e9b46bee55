//! The endpoint of an instance's managed identities, and the tokens that it gives out.

use std::{
    collections::HashMap,
    process::Command,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use crate::support::fake::{Answer, Asked, Fake};

/// What the instance proves itself with.
const HEADER: &str = "the-instances-secret-header";

/// The only user-assigned identity that the instance has.
pub(crate) const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

/// How the endpoint behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Mood {
    /// As it should.
    #[default]
    Well,
    /// Its tokens are for somebody else.
    WrongAudience,
    /// Its tokens expired an hour ago, and it says so.
    Expired,
    /// Its tokens expired an hour ago, and it says that they did not.
    ExpiredUnsaid,
    /// It knows no identity.
    NoIdentity,
    /// It is broken.
    Failing,
    /// It answers with a page.
    Garbage,
    /// Its answer has no end.
    Endless,
    /// It never answers.
    Hanging,
    /// It is broken at first.
    FailingTwice,
}

/// A running endpoint.
pub(crate) struct Instance {
    pub(crate) fake: Fake,
    mood: Arc<Mutex<Mood>>,
}

impl Instance {
    pub(crate) fn new(mood: Mood) -> Self {
        let mood = Arc::new(Mutex::new(mood));
        let (own, asked) = (Arc::clone(&mood), Mutex::new(0));
        let fake = Fake::plain(move |request| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            answer(request, *own.lock().unwrap(), *asked)
        });
        Self { fake, mood }
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The variables that the platform sets. No other identity of the machine is in reach.
    pub(crate) fn host(&self, command: &mut Command) {
        let endpoint = format!("{}/msi/token", self.fake.url());
        nobody(command)
            .env("IDENTITY_ENDPOINT", endpoint)
            .env("IDENTITY_HEADER", HEADER);
    }
}

/// Takes away all that could give an identity.
pub(crate) fn nobody(command: &mut Command) -> &mut Command {
    for name in [
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "IMDS_ENDPOINT",
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_AUTHORITY_HOST",
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    command
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// A token as the directory signs them, without the signature.
pub(crate) fn token(audience: &str, expires: u64) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "aud": audience,
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": expires - 7200, "nbf": expires - 7200, "exp": expires,
        "appid": CLIENT, "oid": CLIENT, "sub": CLIENT, "ver": "1.0",
    });
    let head = json!({ "typ": "JWT", "alg": "RS256" });
    format!("{}.{}.c2lnbmF0dXJl", part(&head), part(&claims))
}

fn answer(request: &Asked, mood: Mood, asked: u32) -> Answer {
    let url = Url::parse(&format!("http://x{}", request.path)).unwrap();
    let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let get = |name: &str| query.get(name).map(String::as_str);
    let bad = |line: &str| Answer::json(400, &json!({"statusCode": 400, "message": line}));
    if request.header("x-identity-header") != Some(HEADER) {
        return Answer::json(401, &json!({"message": "who are you?"}));
    }
    if request.method != "GET" || get("api-version") != Some("2019-08-01") {
        return bad("no such version");
    }
    let known = match (get("client_id"), get("mi_res_id")) {
        (None, None) => true,
        (Some(client), None) => client == CLIENT,
        (None, Some(path)) => path.ends_with("/userAssignedIdentities/septet"),
        (Some(_), Some(_)) => false,
    };
    let Some(resource) = get("resource").filter(|_| known && mood != Mood::NoIdentity) else {
        return bad("No User Assigned or Delegated Managed Identity found");
    };
    let hour = 3600;
    let (audience, expires, told) = match mood {
        Mood::Failing => return Answer::json(500, &json!({"message": "topsecret\nlines"})),
        Mood::FailingTwice if asked <= 2 => return Answer::json(503, &json!({})),
        Mood::Garbage => {
            return Answer::Reply(200, vec![], "<html>topsecret</html>".to_owned());
        }
        Mood::Endless => return Answer::Reply(200, vec![], "topsecret".repeat(100_000)),
        Mood::Hanging => return Answer::Hang,
        Mood::WrongAudience => ("https://management.azure.com", now() + hour, now() + hour),
        Mood::Expired => (resource, now() - hour, now() - hour),
        Mood::ExpiredUnsaid => (resource, now() - hour, now() + hour),
        _ => (resource, now() + hour, now() + hour),
    };
    Answer::json(
        200,
        &json!({
            "access_token": token(audience, expires), "expires_on": told.to_string(),
            "resource": resource, "token_type": "Bearer", "client_id": CLIENT,
        }),
    )
}
