//! Who may ask, and how many at once.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use tokio::sync::OwnedSemaphorePermit;

use super::{refusal::Refusal, server::Server};

/// A place among the requests that are answered at once. Work that goes on when its client has gone
/// away keeps it, so that a client can't have more of that begun than it has places.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// What a monitor of the machine may ask without a key, and however busy the server is.
const HEALTH: &str = "/health/";

/// Lets a request pass, or says why not.
pub(super) async fn guard(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = if request.uri().path().starts_with(HEALTH) {
        next.run(request).await
    } else {
        match admit(&server, request.headers(), request.uri()) {
            Ok(()) => match Arc::clone(&server.requests).try_acquire_owned() {
                Ok(place) => {
                    // Until the answer begins, whoever takes what of the request.
                    let place = Place::new(place);
                    request.extensions_mut().insert(Arc::clone(&place));
                    let response = next.run(request).await;
                    drop(place);
                    response
                }
                Err(_) => Refusal::busy("too many requests at once: try again").into_response(),
            },
            Err(refusal) => refusal.into_response(),
        }
    };
    // What is stored may be of any kind: a browser must neither guess it nor keep it.
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// With a key, whoever has it may ask. Without one this is a server for the people of this machine,
/// but any page that they look at can send requests to it: such a page gives itself away by its
/// origin, or, where its own name was made to point here, by the host that it asks for.
fn admit(server: &Server, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    if let Some(key) = &server.settings.key {
        if key.is_in(headers) {
            return Ok(());
        }
        let line = "a key is needed: Authorization: Bearer KEY, or x-functions-key: KEY";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, line).with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"septet\""),
        ));
    }
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    let asked = uri.authority().map(Authority::as_str);
    // Where a request names two, the standard lets the first one count.
    if !asked.or(host).is_some_and(is_local) || !host.is_none_or(is_local) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "without a key this server is asked as localhost, 127.0.0.1 or [::1] only",
        ));
    }
    let origin = headers.get(header::ORIGIN);
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|o| o.strip_prefix("http://"));
        origin.is_some() && origin == host
    };
    if !origin.is_none_or(own) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "without a key this server takes no requests of a page of another origin",
        ));
    }
    Ok(())
}

/// Whether `authority`, a host and maybe a port, is this machine in its own words.
fn is_local(authority: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => &authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_three_names() {
        for local in [
            "localhost",
            "LOCALHOST:7071",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:80",
        ] {
            assert!(is_local(local), "{local}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "user@localhost",
            "localhost:80:80",
            "127.0.0.2",
        ] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
