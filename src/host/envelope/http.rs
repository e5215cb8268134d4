//! HTTP calls that the host did not forward but wrapped: `Data.req` with method, query, headers and body.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::EnvelopeError;

/// A client's call as the host describes it.
#[derive(Debug, PartialEq)]
pub struct HttpCall {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Path and query of the client's address.
    pub target: String,
    /// Header names in lower case with their first value.
    pub headers: BTreeMap<String, String>,
    /// The body, empty where there was none.
    pub body: String,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Data", borrow)]
    data: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    url: String,
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    body: Option<Value>,
}

/// Reads the call of an HTTP trigger that is not forwarded. Metadata is not asked: query parameters can shadow it.
pub fn read_http_call(request: &[u8]) -> Result<HttpCall, EnvelopeError> {
    let shape = |error: serde_json::Error| EnvelopeError::Shape(error.to_string());
    let envelope: Envelope<'_> = serde_json::from_slice(request).map_err(shape)?;
    let raw =
        envelope.data.get("req").ok_or_else(|| EnvelopeError::Shape("`Data.req` is missing".to_owned()))?;
    let wire: Wire = serde_json::from_str(raw.get()).map_err(shape)?;
    Ok(HttpCall {
        method: wire.method,
        target: target(&wire.url).to_owned(),
        headers: wire.headers.into_iter().filter_map(first_value).collect(),
        body: match wire.body {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        },
    })
}

/// `/path?query` of an absolute address.
fn target(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

fn first_value((name, value): (String, Value)) -> Option<(String, String)> {
    let text = match value {
        Value::Array(values) => values.into_iter().find_map(|value| value.as_str().map(str::to_owned))?,
        Value::String(text) => text,
        _ => return None,
    };
    Some((name.to_ascii_lowercase(), text))
}
