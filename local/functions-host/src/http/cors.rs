//! Cross-origin access: pages on this machine, and the origins that `local.settings.json` lists.

use std::path::Path;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde_json::Value;

use crate::{HostError, app::fields::Field};

/// Which origins may call (Microsoft docs, "local.settings.json", `Host` section).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cors {
    origins: Vec<String>,
    credentials: Credentials,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Credentials {
    Allowed,
    #[default]
    Refused,
}

impl Cors {
    pub(crate) fn parse(local_settings: Option<&Value>) -> Result<Cors, HostError> {
        let Some(value) = local_settings else {
            return Ok(Cors::default());
        };
        let root = Field::root(Path::new("local.settings.json"), value);
        let origins = root.find(&["Host", "CORS"])?.map_or(Ok(""), |field| field.text())?;
        let credentials = root.find(&["Host", "CORSCredentials"])?.map_or(Ok(false), |field| field.flag())?;
        Ok(Cors {
            origins: origins
                .split(',')
                .map(|origin| origin.trim().trim_end_matches('/').to_owned())
                .collect(),
            credentials: if credentials { Credentials::Allowed } else { Credentials::Refused },
        })
    }

    /// The headers that allow the page of this request to read the response; none for other pages.
    pub(crate) fn grant(&self, request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let Some(origin) = request.get(header::ORIGIN) else {
            return Vec::new();
        };
        let mut grant = vec![(header::VARY, HeaderValue::from_static("Origin"))];
        let Some(credentials) = origin.to_str().ok().and_then(|origin| self.allows(origin)) else {
            return grant;
        };
        grant.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        if credentials == Credentials::Allowed {
            grant.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
        }
        grant
    }

    /// The response to a preflight: allows what was asked for, if the origin may call.
    pub(crate) fn grant_preflight(&self, request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let mut grant = self.grant(request);
        if grant.iter().any(|(name, _)| *name == header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            let mut echo = |asked: HeaderName, allowed: HeaderName| {
                grant.extend(request.get(asked).map(|value| (allowed, value.clone())));
            };
            echo(header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS);
            echo(header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS);
        }
        grant
    }

    /// A page on this machine may always call, and with credentials, which the SignalR client sends by default.
    fn allows(&self, origin: &str) -> Option<Credentials> {
        if is_local(origin) {
            return Some(Credentials::Allowed);
        }
        if self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
            return Some(self.credentials);
        }
        self.origins.iter().any(|known| known == "*").then_some(Credentials::Refused)
    }
}

pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    web && uri.authority().is_some_and(crate::wire::is_loopback)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn granted(cors: &Cors, origin: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        cors.grant(&headers)
            .into_iter()
            .skip(1)
            .map(|(_, value)| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn pages_on_this_machine_may_call_and_strangers_may_not() {
        let cors = Cors::default();
        for origin in
            ["http://localhost:5173", "http://127.0.0.1:7071", "http://[::1]:80", "https://localhost"]
        {
            assert_eq!(granted(&cors, origin), [origin, "true"]);
        }
        for origin in [
            "null",
            "https://example.com",
            "http://localhost.example.com",
            "file://localhost",
            "http://127.0.0.1@evil.example",
        ] {
            assert_eq!(granted(&cors, origin), Vec::<String>::new(), "{origin}");
        }
    }

    #[test]
    fn listed_origins_get_credentials_only_when_the_file_says_so() {
        let cors = |value: Value| Cors::parse(Some(&value)).unwrap();
        let list = cors(json!({"Host": {"CORS": "https://a.example, https://b.example/"}}));
        assert_eq!(granted(&list, "https://b.example"), ["https://b.example"]);
        let credentials = cors(json!({"Host": {"CORS": "https://a.example", "CORSCredentials": true}}));
        assert_eq!(granted(&credentials, "https://a.example"), ["https://a.example", "true"]);
        let all = cors(json!({"Host": {"CORS": "*", "CORSCredentials": true}}));
        assert_eq!(granted(&all, "https://any.example"), ["https://any.example"]);
    }

    #[test]
    fn a_preflight_is_answered_with_what_it_asked_for() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://localhost:1"));
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
        headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-a"));
        assert!(is_preflight(&Method::OPTIONS, &headers));
        let names: Vec<_> =
            Cors::default().grant_preflight(&headers).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&header::ACCESS_CONTROL_ALLOW_METHODS));
        assert!(names.contains(&header::ACCESS_CONTROL_ALLOW_HEADERS));
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://example.com"));
        assert_eq!(Cors::default().grant_preflight(&headers).len(), 1);
    }
}
