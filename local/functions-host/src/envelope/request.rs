//! Envelopes of the HTTP trigger for functions that are not forwarded
//! (azure-functions-host, `HttpRequestExtensions.GetRequestAsJObject`).

use axum::http::{HeaderMap, Method};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Envelope, Members, RetryContext, Stamp, apply_body_members, encode, json::Json};
use crate::{app::function::http::HttpTrigger, http::query::Query};

/// The parts of a client's call that the handler gets.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// scheme://host/path?query
    pub(crate) url: String,
    pub(crate) query: &'a Query,
    pub(crate) headers: &'a HeaderMap,
    /// Route parameters in template order; optional ones that are missing have no value.
    pub(crate) parameters: &'a [(String, Option<String>)],
    /// The whole body; chunked uploads count as empty.
    pub(crate) body: &'a [u8],
}

pub(crate) fn envelope(
    function: &str,
    trigger: &HttpTrigger,
    call: &Call<'_>,
    stamp: &Stamp,
    retry: Option<&RetryContext>,
) -> Envelope {
    let metadata = super::finish_metadata(call.binding_data(), function, stamp, retry);
    Envelope { data: vec![(trigger.binding.clone(), call.to_json())], metadata }
}

impl Call<'_> {
    fn to_json(&self) -> Json {
        let mut members = vec![
            ("Url".to_owned(), Json::text(&self.url)),
            ("Method".to_owned(), Json::text(self.method.as_str())),
            ("Query".to_owned(), self.query_json()),
            ("Headers".to_owned(), Json::Object(self.header_lists())),
        ];
        if !self.parameters.is_empty() {
            let value = |value: &Option<String>| value.as_deref().map_or(Json::Null, Json::text);
            let parameters = self.parameters.iter().map(|(name, text)| (name.clone(), value(text))).collect();
            members.push(("Params".to_owned(), Json::Object(parameters)));
        }
        members.push(("Identities".to_owned(), Json::Array(vec![nobody()])));
        if !self.body.is_empty() {
            members.push(("Body".to_owned(), Json::Text(self.body_text())));
        }
        Json::Object(members)
    }

    /// Query, route parameters and body members under their own names, then the two maps.
    fn binding_data(&self) -> Members {
        let mut members: Members = Vec::new();
        for (name, value) in self.query.pairs() {
            members.push((name.clone(), encode(Json::text(value))));
        }
        for (name, value) in self.parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
        {
            members.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
            members.push((name.clone(), encode(Json::text(value))));
        }
        if let Ok(body) = Json::parse_body(&String::from_utf8_lossy(self.body)) {
            apply_body_members(&mut members, &body);
        }
        members.retain(|(key, _)| !key.eq_ignore_ascii_case("query") && !key.eq_ignore_ascii_case("headers"));
        members.push(("Query".to_owned(), self.query_json()));
        members.push(("Headers".to_owned(), Json::Object(self.joined_headers())));
        members
    }

    fn query_json(&self) -> Json {
        Json::Object(
            self.query.pairs().iter().map(|(name, value)| (name.clone(), Json::text(value))).collect(),
        )
    }

    fn header_lists(&self) -> Members {
        let list = |name: &axum::http::HeaderName| {
            let texts = self.headers.get_all(name).iter().map(|value| Json::Text(text_of(value)));
            (kestrel_spelling(name.as_str()), Json::Array(texts.collect()))
        };
        self.headers.keys().map(list).collect()
    }

    fn joined_headers(&self) -> Members {
        let joined = |name: &axum::http::HeaderName| {
            let texts: Vec<String> = self.headers.get_all(name).iter().map(text_of).collect();
            (kestrel_spelling(name.as_str()), Json::Text(texts.join(",")))
        };
        self.headers.keys().map(joined).collect()
    }

    /// Text as it is; base64 for the two media types that the host treats as bytes.
    fn body_text(&self) -> String {
        let content_type =
            self.headers.get("content-type").map(text_of).unwrap_or_default().to_ascii_lowercase();
        if content_type.starts_with("application/octet-stream") || content_type.starts_with("multipart/") {
            return STANDARD.encode(self.body);
        }
        String::from_utf8_lossy(self.body).into_owned()
    }
}

fn text_of(value: &axum::http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The server of the real host writes the headers it knows in title case, and others as they were sent.
fn kestrel_spelling(name: &str) -> String {
    if name.starts_with("x-") || matches!(name, "traceparent" | "tracestate" | "baggage") {
        return name.to_owned();
    }
    let title = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    let parts: Vec<String> =
        name.split('-').map(|part| if part.is_empty() { String::new() } else { title(part) }).collect();
    parts.join("-")
}

/// The identity of an anonymous caller.
fn nobody() -> Json {
    Json::object([
        ("AuthenticationType", Json::Null),
        ("IsAuthenticated", Json::Bool(false)),
        ("Actor", Json::Null),
        ("BootstrapContext", Json::Null),
        ("Claims", Json::Array(Vec::new())),
        ("Label", Json::Null),
        ("Name", Json::Null),
        ("NameClaimType", Json::text("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name")),
        ("RoleClaimType", Json::text("http://schemas.microsoft.com/ws/2008/06/identity/claims/role")),
    ])
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::{
        app::function::http::{AuthLevel, Delivery},
        guid::Guid,
        http::template::Template,
    };

    #[test]
    fn the_sample_is_reproduced_byte_by_byte() {
        let trigger = HttpTrigger {
            binding: "req".to_owned(),
            route: Template::parse("api/getdevicestate").unwrap(),
            methods: None,
            level: AuthLevel::Function,
            output: Some("res".to_owned()),
            delivery: Delivery::Envelope,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "app.azurewebsites.net"), ("accept", "*/*"), ("x-functions-key", "k")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let call = Call {
            method: &Method::GET,
            url: "https://app.azurewebsites.net/api/getdevicestate?deviceId=dev-1".to_owned(),
            query: &Query::parse("deviceId=dev-1"),
            headers: &headers,
            parameters: &[],
            body: b"",
        };
        let guid = Guid(0x5f1d_3c8e_0b57_4c0a_9a55_0d6f_2f6b_7a10);
        let stamp = Stamp { now: "2024-11-21T00:57:12.1234567Z".parse().unwrap(), guid };
        let text = envelope("getdevicestate", &trigger, &call, &stamp, None).into_text();
        assert_eq!(text, include_str!("../../tests/samples/http-nonforwarded.json"));
    }

    #[test]
    fn headers_are_spelled_as_the_real_server_spells_them() {
        let spelled = ["user-agent", "x-ms-client-principal", "traceparent", "te"].map(kestrel_spelling);
        assert_eq!(spelled, ["User-Agent", "x-ms-client-principal", "traceparent", "Te"]);
    }
}
