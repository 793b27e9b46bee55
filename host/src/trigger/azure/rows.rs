//! Requests over HTTP on their way to the routes of `trigger/http`: as they are, or wrapped in an
//! invocation.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt as _, Limited};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Map, Value, json};
use url::Url;

/// An answer of more bytes is not wrapped: it would be held in memory several times.
const MAX_ANSWER: usize = 8 << 20;

/// Headers of a request at most.
const MAX_HEADERS: usize = 64;

/// Asks the routes. Who may ask was checked by the Functions host, which this process hears alone.
pub(super) async fn ask(router: &Router, mut request: Request) -> Response {
    let headers = request.headers_mut();
    // They say how the Functions host was asked, by people and pages that it let in.
    headers.remove(header::ORIGIN);
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    let (mut parts, body) = request.into_parts();
    // Of the address only the path is meant for the routes.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().unwrap_or_default();
    let request = Request::from_parts(parts, body);
    let service = TowerToHyperService::new(router.clone());
    match service.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The request that is wrapped in an invocation.
pub(super) fn unwrap(wrapped: &Map<String, Value>) -> Result<Request, String> {
    let text = |name: &str| wrapped.get(name).and_then(Value::as_str);
    let url = text("Url").and_then(|url| Url::parse(url).ok());
    let url = url.ok_or("the request has no Url")?;
    let method = text("Method").and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::builder()
        .method(method.ok_or("the request has no Method")?)
        .uri(path)
        .body(Body::empty())
        .map_err(|error| format!("the request can't be read: {error}"))?;
    if let Some(Value::Object(headers)) = wrapped.get("Headers") {
        for (name, values) in headers.iter().take(MAX_HEADERS) {
            let name = HeaderName::from_bytes(name.as_bytes());
            let value = match values {
                Value::Array(values) => values.first().and_then(Value::as_str),
                one => one.as_str(),
            };
            let value = value.and_then(|value| HeaderValue::from_str(value).ok());
            if let (Ok(name), Some(value)) = (name, value) {
                request.headers_mut().insert(name, value);
            }
        }
    }
    // The body that is sent on is the decoded one.
    for told in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        request.headers_mut().remove(told);
    }
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|media_type| media_type.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
    let is_binary = ["application/octet-stream", "multipart/"]
        .iter()
        .any(|binary| media_type.starts_with(binary));
    let body = match wrapped.get("Body") {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if is_binary => {
            let bytes = BASE64_STANDARD.decode(text);
            bytes.map_err(|_| "the request's Body is no base64")?.into()
        }
        Some(Value::String(text)) => text.clone().into(),
        Some(json) => json.to_string().into(),
    };
    *request.body_mut() = Body::from(body);
    Ok(request)
}

/// The output that answers a wrapped request.
pub(super) async fn wrap(response: Response) -> Value {
    let (parts, body) = response.into_parts();
    let headers = [header::CONTENT_TYPE, header::RETRY_AFTER, header::LOCATION];
    let headers: Map<String, Value> = headers
        .into_iter()
        .filter_map(|name| {
            let value = parts.headers.get(&name)?.to_str().ok()?;
            Some((name.to_string(), json!(value)))
        })
        .collect();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.ok().map(|body| body.to_bytes().to_vec());
    match body.and_then(|body| String::from_utf8(body).ok()) {
        Some(text) if !looks_like_base64(&text) => {
            json!({"statusCode": parts.status.as_u16(), "headers": headers, "body": text})
        }
        // It would arrive as something else, or not at all.
        _ => {
            let why = "this answer can't be sent wrapped in JSON: set enableForwardingHttpRequest \
                       in customHandler of host.json";
            json!({"statusCode": 500, "headers": {"content-type": "application/json"},
                "body": json!({"error": why}).to_string()})
        }
    }
}

/// Whether the Functions host would take a text for bytes. It passes over spaces and line ends.
fn looks_like_base64(text: &str) -> bool {
    let told: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    !told.is_empty() && BASE64_STANDARD.decode(told).is_ok()
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]
mod tests {
    use axum::{http::StatusCode, routing::post};

    use super::*;

    fn wrapped(media_type: &str, body: Value) -> Map<String, Value> {
        let value = json!({"Url": "https://app.azurewebsites.net/predict/m?rows=2",
            "Method": "POST", "Query": {"rows": "2"}, "Params": {"model": "m"}, "Identities": [],
            "Headers": {"Content-Type": [media_type], "Origin": ["https://evil.example"]},
            "Body": body});
        value.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn a_wrapped_request_reaches_its_route() {
        let echo = |request: Request| async move {
            assert_eq!(request.uri().query(), Some("rows=2"));
            assert!(request.headers().get(header::ORIGIN).is_none());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            (StatusCode::ACCEPTED, body)
        };
        let router = Router::new().route("/predict/{model}", post(echo));
        for (media_type, body, expected) in [
            ("application/json", json!("{\"a\":1}"), "{\"a\":1}"),
            ("application/json", json!({"a": 1}), "{\"a\":1}"),
            ("application/octet-stream", json!("YSxiCg=="), "a,b\n"),
            ("text/csv", Value::Null, ""),
        ] {
            let request = unwrap(&wrapped(media_type, body)).unwrap();
            let told = wrap(ask(&router, request).await).await;
            assert_eq!(told["statusCode"], 202);
            assert_eq!(told["body"], expected);
        }
        let bad = wrapped("application/octet-stream", json!("a,b"));
        assert!(unwrap(&bad).is_err());
        assert!(unwrap(&Map::new()).is_err());
    }

    #[tokio::test]
    async fn nothing_is_sent_that_would_be_misread() {
        for body in ["test", "abcd1234", "true", "dGVz\ndA=="] {
            let told = wrap(Response::new(Body::from(body))).await;
            assert_eq!(told["statusCode"], 500, "{body}");
        }
        let told = wrap(Response::new(Body::from(vec![255, 0]))).await;
        assert_eq!(told["statusCode"], 500);
        let told = wrap(Response::new(Body::from("a,b\n"))).await;
        assert_eq!(told["statusCode"], 200);
    }
}
