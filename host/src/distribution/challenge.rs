//! What a registry asks for before it lets somebody in: a password, or a token from somewhere.

use url::Url;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which `realm` gives for user and password, or to anybody.
    Bearer {
        /// Where it is to be had.
        realm: Url,
        /// For whom it is to be, in the realm's words.
        service: Option<String>,
    },
}

impl Challenge {
    /// The first challenge of these headers `www-authenticate` that can be met.
    pub(super) fn of<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        headers
            .filter_map(|header| http_auth::parse_challenges(header).ok())
            .flatten()
            .find_map(|challenge| {
                if challenge.scheme.eq_ignore_ascii_case("basic") {
                    return Some(Self::Basic);
                }
                if !challenge.scheme.eq_ignore_ascii_case("bearer") {
                    return None;
                }
                let named = |wanted: &str| {
                    let mut all = challenge.params.iter();
                    let found = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                    found.map(|(_, value)| value.to_unescaped())
                };
                let realm = Url::parse(&named("realm")?).ok()?;
                Some(Self::Bearer {
                    realm,
                    service: named("service"),
                })
            })
    }
}

/// Whether a secret for the registry at `base` may be sent to `realm`.
///
/// That a registry names another host for its tokens is usual, and whoever trusts it with a password
/// trusts it with that. But nobody on the way may read along: so over TLS; or in the clear where the
/// registry itself is spoken to in the clear, and then to the same host only.
pub(super) fn may_be_told(realm: &Url, base: &Url) -> bool {
    match (base.scheme(), realm.scheme()) {
        (_, "https") => true,
        ("http", "http") => realm.host() == base.host(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let of = |header: &'static str| Challenge::of(std::iter::once(header));
        assert_eq!(of("Basic realm=\"Registry Realm\""), Some(Challenge::Basic));
        let docker = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                      scope=\"repository:a/b:pull\"";
        let realm = Url::parse("https://auth.docker.io/token").unwrap();
        let service = Some("registry.docker.io".to_owned());
        assert_eq!(of(docker), Some(Challenge::Bearer { realm, service }));
        assert_eq!(of("Negotiate"), None);
        assert_eq!(of("Bearer realm=\"no address\""), None);
        assert_eq!(of("Bearer service=\"x\""), None);
        assert_eq!(of("\u{7f},,=\""), None);
    }

    #[test]
    fn a_password_goes_nowhere_in_the_clear() {
        let told = |realm: &str, base: &str| {
            may_be_told(&Url::parse(realm).unwrap(), &Url::parse(base).unwrap())
        };
        assert!(told(
            "https://auth.example/token",
            "https://registry.example/"
        ));
        assert!(told("http://127.0.0.1:2/token", "http://127.0.0.1:1/"));
        assert!(!told(
            "http://auth.example/token",
            "https://registry.example/"
        ));
        assert!(!told(
            "http://registry.example/token",
            "https://registry.example/"
        ));
        assert!(!told("http://other.example/token", "http://127.0.0.1:1/"));
        assert!(!told("ftp://registry.example/", "http://registry.example/"));
    }
}
