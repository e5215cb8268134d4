//! Calls as they arrive behind the host.

use axum::http::Method;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::host::host_json::Calls;
use crate::host::routes;

fn call(address: &str, body: &str) -> Call {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    Call {
        form: Calls::Forwarded,
        method: Method::PUT,
        parameters: routes::read("api", "subscriptions/{group?}", path).unwrap(),
        query: query.to_owned(),
        if_none_match: None,
        user: None,
        body: Bytes::from(body.to_owned()),
    }
}

/// The group and the connection, or code and sentence of the error.
fn check(address: &str, body: &str) -> Result<(String, String), BadCall> {
    let Wanted { group, connection } = Wanted::parse(&call(address, body))?;
    Ok((group.to_string(), connection))
}

#[test]
fn a_group_is_named_in_the_path_in_the_query_or_in_the_body() {
    let wanted = |group: &str| Ok((group.to_owned(), "c1".to_owned()));
    for (address, body, group) in [
        ("/api/subscriptions/all?connectionId=c1", "", "all"),
        ("/api/subscriptions/geo:N%2FS%20%C3%BC", r#"{"connectionId":"c1"}"#, "geo:N/S ü"),
        ("/api/subscriptions?group=all&connectionId=c1", "", "all"),
        ("/api/subscriptions/?connectionId=c1&group=geo%3ARig%20%234%3F%5C%2F", "", "geo:Rig #4?\\/"),
        ("/api/subscriptions?group=geo:Perth%2C+WA", r#" {"connectionId":"c1"} "#, "geo:Perth, WA"),
        ("/api/subscriptions?connectionId=c1", r#"{"group":"device:a"}"#, "device:a"),
        ("/api/subscriptions", r#"{"group":"geo:a,all,","connectionId":"c1","more":1}"#, "geo:a,all,"),
        ("/api/subscriptions", r#"{"group":"geo:\ufffd","connectionId":"c1"}"#, "geo:\u{fffd}"),
    ] {
        assert_eq!(check(address, body), wanted(group), "{address} {body}");
    }
}

#[test]
fn what_is_missing_or_given_twice_is_refused() {
    for (address, body, code) in [
        ("/api/subscriptions?connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=&connectionId=c", "", "bad_group"),
        ("/api/subscriptions/all?group=all&connectionId=c", "", "bad_group"),
        ("/api/subscriptions/all?connectionId=c", r#"{"group":"all"}"#, "bad_group"),
        ("/api/subscriptions?group=all&connectionId=c", r#"{"group":"geo:a"}"#, "bad_group"),
        ("/api/subscriptions?group=all&group=all&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=all,all&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=geo:a,geo:b&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=geo:a,all&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=geo:a%2Cdevice:b&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=geo:a,&connectionId=c", "", "bad_group"),
        ("/api/subscriptions?group=geo:%ff&connectionId=c", "", "bad_group"),
        ("/api/subscriptions/geo:a/b?connectionId=c", "", "bad_group"),
        ("/api/subscriptions", r#"{"group":"all"}"#, "bad_connection"),
        ("/api/subscriptions?group=all&connectionId=c&connectionId=c", "", "bad_connection"),
        ("/api/subscriptions?group=all&connectionId=c,d", "", "bad_connection"),
        ("/api/subscriptions?group=all&connectionId=c", r#"{"connectionId":"c"}"#, "bad_connection"),
        ("/api/subscriptions?group=all", r#"{"connectionId":"a","connectionId":"b"}"#, "bad_connection"),
        ("/api/subscriptions?group=all", r#"{"connectionId":7}"#, "bad_connection"),
        ("/api/subscriptions?group=all", "[1]", "bad_connection"),
    ] {
        let (found, sentence) = check(address, body).unwrap_err();
        assert_eq!(found, code, "{address} {body}: {sentence}");
        assert!(sentence.len() > 20, "{sentence}");
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

proptest! {
    /// In a body every group arrives; in a query it arrives as itself or is refused, also when the host joined two.
    #[test]
    fn a_group_is_the_one_that_was_named_or_none(area in "(geo:|all|device:|,|[#?\\\\/%+ äa]){1,6}") {
        let group = format!("geo:{area}");
        let body = json!({ "group": group, "connectionId": "c" }).to_string();
        let is_one = Group::parse(&group).is_ok();
        prop_assert_eq!(check("/api/subscriptions", &body).ok(), is_one.then(|| (group.clone(), "c".to_owned())));
        let sent = encoded(&group);
        let of_query = check(&format!("/api/subscriptions?group={sent}&connectionId=c"), "");
        prop_assert!(of_query.is_err() || of_query == Ok((group.clone(), "c".to_owned())));
        for joined in [format!("{sent},{sent}"), format!("{sent}&group={sent}"), format!("all,{sent}"), format!("{sent},all")] {
            let found = check(&format!("/api/subscriptions?group={joined}&connectionId=c"), "");
            prop_assert!(found.is_err(), "{} gives {:?}", joined, found);
        }
    }
}
