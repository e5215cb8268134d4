//! Addresses as people spell them, and as the host hands them over: which function they reach.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::FUNCTIONS;
use super::*;
use crate::host::functions::{Http, Kind};
use crate::host::routes::{self, parameter};

fn functions() -> impl Iterator<Item = (&'static str, &'static Http<Parts>)> {
    FUNCTIONS.iter().filter_map(|function| match &function.kind {
        Kind::Http(http) => Some((function.name, http)),
        Kind::Trigger(_) | Kind::Timer(_) => None,
    })
}

/// The functions for clients that an address reaches.
fn reached(prefix: &str, path: &str) -> Vec<&'static str> {
    functions().filter_map(|(name, http)| routes::read(prefix, http.route, path).map(|_| name)).collect()
}

/// A prefix, with an address under it.
fn prefixes() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("", ""),
        ("api", "/api"),
        ("site/v1.0", "/site/v1.0"),
        ("My App", "/My App"),
        ("käse+50%,x;y=(z)&!$'*@", "/käse+50%,x;y=(z)&!$'*@"),
        ("{tenant}/v{version:int}", "/Rig #4/v12"),
        ("negotiate", "/negotiate"),
    ])
}

/// One character as somebody may write it: in any case, plain or percent-encoded, in digits of any case.
fn spelt(c: char, dice: u8) -> String {
    let c = match dice & 1 {
        0 => c.to_lowercase().to_string(),
        _ => c.to_uppercase().to_string(),
    };
    let encoded = || utf8_percent_encode(&c, NON_ALPHANUMERIC).to_string();
    match (dice & 2, dice & 4) {
        _ if c == "/" => c,
        (0, _)
            if c.is_ascii()
                && c.chars().all(|c| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@".contains(c)) =>
        {
            c
        }
        (_, 0) if c.len() == 1 => format!("%{:02x}", c.as_bytes()[0]),
        (_, 0) => encoded().to_lowercase(),
        _ if c.len() == 1 => format!("%{:02X}", c.as_bytes()[0]),
        _ => encoded(),
    }
}

/// An address in one of its spellings.
fn spell(address: &str, dice: &[u8]) -> String {
    address.chars().zip(dice.iter().cycle()).map(|(c, dice)| spelt(c, *dice)).collect()
}

/// What the host forwards for a path that a client sent: decoded other than `%2F`, cut and with its dot segments
/// resolved as .NET makes an address of it.
fn forwarded(path: &str) -> String {
    let kept = path.replace("%2F", "%252F").replace("%2f", "%252f");
    let decoded = percent_encoding::percent_decode_str(&kept).decode_utf8_lossy().replace('\\', "/");
    let whole = decoded.split(['#', '?']).next().unwrap();
    let mut segments: Vec<&str> = Vec::new();
    for segment in whole.split('/').skip(1) {
        match segment {
            ".." => drop(segments.pop()),
            "." => {}
            segment => segments.push(segment),
        }
    }
    let path: String = segments.iter().flat_map(|segment| ["/", segment]).collect();
    // What is no character of an address is encoded; the rest, percent signs too, stays as it is.
    path.chars().map(|c| if c.is_ascii_graphic() { c.to_string() } else { spelt(c, 6) }).collect()
}

/// Parts of an address that wants to be elsewhere.
fn climbing() -> impl Strategy<Value = String> {
    let parts = select(vec![
        "..%5C",
        "..%5c",
        "%2E%2E%5C",
        "..%2F",
        "../",
        ".%5C",
        "%5C",
        "/",
        "#",
        "%23",
        "%3F",
        "%00",
        "%25",
        "%2e%2e%5c",
        "EnvironmentEventTrigger",
        "api",
        "negotiate",
        "getdevicestate",
        "rejectedtelemetry",
        "subscriptions",
        "all",
        "geo:",
    ]);
    let more = "[ -~äÖ]{0,4}".prop_map(|text| utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string());
    proptest::collection::vec(prop_oneof![4 => parts.prop_map(str::to_owned), 1 => more], 1..9)
        .prop_map(|parts| parts.concat())
}

#[test]
fn the_addresses_that_people_have_reported_are_found() {
    for (path, name) in [
        ("/api/GetDeviceState", "getdevicestate"),
        ("/API/getdevicestate", "getdevicestate"),
        ("/api/getdevicestate/", "getdevicestate"),
        ("/api/Negotiate", "negotiate"),
        ("/api/negotiate/", "negotiate"),
        ("/api/Subscriptions/all", "subscriptions"),
        ("/api/%67etdevicestate", "getdevicestate"),
    ] {
        assert_eq!(reached("api", path), [name], "{path}");
    }
}

proptest! {
    #[test]
    fn every_spelling_of_an_address_reaches_its_function_and_no_other(
        (prefix, base) in prefixes(),
        (name, route) in select(functions().map(|(name, http)| (name, http.route)).collect::<Vec<_>>()),
        value in "[a-z:#?%\\\\ äö]{1,5}",
        dice in proptest::collection::vec(any::<u8>(), 7..40),
        slashes in 0..3_usize,
    ) {
        let segments: Vec<_> = route.split('/').filter(|segment| parameter(segment).is_none()).collect();
        let mut address = spell(&format!("{base}/{}", segments.join("/")), &dice);
        if route.contains('{') {
            address = format!("{address}/{}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        let address = address + &"/".repeat(slashes);
        prop_assert_eq!(reached(prefix, &address), [name], "{}", address);
        if let Some(parameter) = route.split('/').find_map(parameter) {
            let read = routes::read(prefix, route, &address).unwrap();
            prop_assert_eq!(read.get(parameter), Ok(Some(value)));
        }
    }

    #[test]
    fn what_reaches_a_function_is_a_spelling_of_its_address(path in climbing(), prefix in select(vec!["", "api"])) {
        let path = format!("/{path}");
        let plain = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().to_lowercase();
        for name in reached(prefix, &path) {
            let address = routes::address(prefix, name);
            let rest = plain.strip_prefix(&address);
            prop_assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{} for {}", path, name);
        }
    }

    /// Whatever the host makes of the name of a group, the call stays one that joins or leaves groups, or none.
    #[test]
    fn no_name_of_a_group_leads_to_another_function(
        name in climbing(),
        method in select(vec!["PUT", "DELETE"]),
        prefix in select(vec!["", "api"]),
        is_forwarded_as_sent in any::<bool>(),
    ) {
        let sent = format!("{}/{name}", routes::address(prefix, "subscriptions"));
        let path = if is_forwarded_as_sent { sent } else { forwarded(&sent) };
        // An address that cannot be one never leaves the host.
        let Ok(address) = path.parse::<axum::http::Uri>() else { return Ok(()) };
        let host = HostJson { calls: Calls::Forwarded, prefix: prefix.to_owned() };
        let bench = Bench::with(host, Callers::Anonymous);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (status, said) = runtime.block_on(bench.call(method, address.path(), &[], ""));
        let code = said["code"].as_str().unwrap_or_default();
        match status {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_FOUND => {}
            // None of them names a connection, so that nothing was asked of SignalR.
            _ => prop_assert!(["bad_group", "bad_connection"].contains(&code), "{} {}: {} {}", method, path, status, said),
        }
    }
}

/// The case that made the rule: decoded by the host, it is the trigger's address.
#[tokio::test]
async fn a_group_that_climbs_to_the_trigger_is_refused_there() {
    let path = forwarded("/api/subscriptions/..%5C..%5CEnvironmentEventTrigger");
    assert_eq!(path, "/EnvironmentEventTrigger");
    let bench = Bench::new(Callers::Anonymous);
    for method in ["PUT", "DELETE", "GET"] {
        let (status, said) = bench.call(method, &path, &[], "{}").await;
        assert_eq!((status, &said["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("method_not_allowed")));
    }
}
