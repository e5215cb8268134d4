//! Checks which URL a token is for. The service's documentation, its older SDK and its newer SDK write the audience
//! in different ways; exactly these are accepted.

use super::{Claims, TokenError};
use crate::names::HubName;
use crate::wire::query::Query;

/// The URL a request was made to, as the caller wrote it: the `Host` header is not resolved or normalised,
/// so `localhost` and `127.0.0.1` are different hosts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested<'a> {
    pub(crate) host: &'a str,
    /// The path, still percent-encoded.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

/// A REST token is for the called URL: without query (documentation, newer SDK), with the whole query, or with its
/// `application` and `api-version` only (older SDK); with or without the port; case is ignored.
pub(crate) fn check_rest(claims: &Claims, requested: Requested<'_>) -> Result<(), TokenError> {
    accept(claims, requested.host, |path, query| {
        let same_query = |query: &str| {
            query.eq_ignore_ascii_case(requested.query)
                || query.eq_ignore_ascii_case(&identifying_part(requested.query))
        };
        path.eq_ignore_ascii_case(requested.path) && query.is_none_or(same_query)
    })
}

/// A client token is for `/client/?hub={hub}` at the service; the rest of the client's URL does not matter.
pub(crate) fn check_client(claims: &Claims, host: &str, hub: &HubName) -> Result<(), TokenError> {
    accept(claims, host, |path, query| {
        let asked = query.and_then(|query| Query::parse(query).ok());
        path.eq_ignore_ascii_case("/client/") && asked.is_some_and(|query| names_only(&query, hub))
    })
}

/// The audience of a client's token, without the port, as the SDK writes it.
pub(crate) fn client_audience(host: &str, hub: &HubName) -> String {
    format!("http://{}/client/?hub={}", without_port(host), hub.as_str())
}

fn names_only(query: &Query, hub: &HubName) -> bool {
    let named = query.one("hub").ok().flatten();
    query.len() == 1 && named.is_some_and(|name| name.eq_ignore_ascii_case(hub.as_str()))
}

fn accept(claims: &Claims, host: &str, fits: impl Fn(&str, Option<&str>) -> bool) -> Result<(), TokenError> {
    let accepted = claims.audiences.iter().any(|audience| {
        split(audience)
            .is_some_and(|(authority, path, query)| same_host(authority, host) && fits(path, query))
    });
    accepted.then_some(()).ok_or(TokenError::Audience)
}

/// Authority, path and query. Both schemes are accepted, because a proxy may terminate TLS in front of the stand-in.
fn split(audience: &str) -> Option<(&str, &str, Option<&str>)> {
    let (scheme, rest) = audience.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let (authority, tail) = rest.split_at(rest.find('/')?);
    match tail.split_once('?') {
        Some((path, query)) => Some((authority, path, Some(query))),
        None => Some((authority, tail, None)),
    }
}

fn same_host(authority: &str, host: &str) -> bool {
    !host.is_empty()
        && (authority.eq_ignore_ascii_case(host) || authority.eq_ignore_ascii_case(without_port(host)))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// `[application=a&]api-version=v`, as the older SDK signs it.
fn identifying_part(query: &str) -> String {
    let named = |name: &str| {
        query.split('&').find(|pair| pair.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case(name)))
    };
    [named("application"), named("api-version")].into_iter().flatten().collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(audience: &str) -> Claims {
        Claims { audiences: vec!["other".into(), audience.into()], ..Claims::default() }
    }

    fn rest(audience: &str) -> bool {
        let requested = Requested {
            host: "127.0.0.1:8888",
            path: "/api/hubs/chat/groups/room%20%231/:send",
            query: "excluded=a&api-version=2022-06-01&application=app",
        };
        check_rest(&claims(audience), requested).is_ok()
    }

    fn client(audience: &str) -> bool {
        let hub = HubName::of_client("app_chat").unwrap();
        check_client(&claims(audience), "localhost:8888", &hub).is_ok()
    }

    #[test]
    fn the_called_url_is_taken_in_every_documented_spelling() {
        const CALLED: &str = "127.0.0.1:8888/api/hubs/chat/groups/room%20%231/:send";
        for good in [
            format!("http://{CALLED}"),
            format!("http://{}", CALLED.replace(":8888", "")),
            format!("HTTP://{}", CALLED.to_ascii_uppercase()),
            format!("https://{CALLED}"),
            format!("http://{CALLED}?application=app&api-version=2022-06-01"),
            format!("http://{CALLED}?excluded=a&api-version=2022-06-01&application=app"),
        ] {
            assert!(rest(&good), "{good}");
        }
    }

    #[test]
    fn another_url_is_refused() {
        for bad in [
            "http://localhost:8888/api/hubs/chat/groups/room%20%231/:send",
            "http://127.0.0.1:8889/api/hubs/chat/groups/room%20%231/:send",
            "http://127.0.0.1:8888/api/hubs/chat/groups/room%20%231/:send/",
            "http://127.0.0.1:8888/api/hubs/chat/groups/room%20%232/:send",
            "http://127.0.0.1:8888/api/hubs/chat/groups/room #1/:send",
            "http://127.0.0.1:8888/api/hubs/chat/:send",
            "http://127.0.0.1:8888/api/hubs/chat/groups/room%20%231/:send?api-version=2022-06-01",
            "http://127.0.0.1:8888/",
            "http://127.0.0.1:8888",
            "ftp://127.0.0.1:8888/api/hubs/chat/groups/room%20%231/:send",
            "",
        ] {
            assert!(!rest(bad), "{bad}");
        }
        let requested = Requested { host: "", path: "/api/hubs/chat", query: "" };
        assert!(check_rest(&claims("http:///api/hubs/chat"), requested).is_err(), "no Host header");
    }

    #[test]
    fn a_client_token_names_the_hub_and_nothing_else() {
        for good in [
            "http://localhost/client/?hub=app_chat",
            "http://localhost:8888/client/?hub=App_Chat",
            "http://localhost/client/?hub=app%5Fchat",
        ] {
            assert!(client(good), "{good}");
        }
        let hub = HubName::of_client("app_chat").unwrap();
        assert_eq!(client_audience("localhost:8888", &hub), "http://localhost/client/?hub=app_chat");
        for bad in [
            "http://localhost/client/?hub=chat",
            "http://localhost/client/",
            "http://localhost/client/?hub=app_chat&hub=app_chat",
            "http://localhost/client/?hub=app_chat&user=a",
            "http://localhost/client/negotiate?hub=app_chat",
            "http://localhost/api/hubs/app_chat/:send",
            "http://127.0.0.1/client/?hub=app_chat",
        ] {
            assert!(!client(bad), "{bad}");
        }
    }

    #[test]
    fn ports_are_cut_off_names_only() {
        for (host, bare) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(without_port(host), bare);
        }
    }
}
