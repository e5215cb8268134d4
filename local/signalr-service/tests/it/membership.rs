//! Groups of connections, and groups of users, which the service remembers.

use crate::raw::End;
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use serde_json::json;
use std::time::Duration;

const HUB: &str = "/api/v1/hubs/chat";

#[tokio::test]
async fn a_user_is_remembered_before_any_client_came() {
    let test = TestService::start().await;
    assert_eq!(test.status("PUT", &format!("{HUB}/groups/g/users/alice")).await, 202);
    assert_eq!(test.status("HEAD", &format!("{HUB}/groups/g/users/alice")).await, 200);
    assert_eq!(test.status("HEAD", &format!("{HUB}/groups/g")).await, 404, "nobody is connected");
    let mut alice = test.client("chat", Some("alice")).await;
    assert_eq!(test.status("HEAD", &format!("{HUB}/groups/g")).await, 200);
    test.send(&format!("{HUB}/groups/g"), &json!(["hello"])).await;
    alice.expect(&["hello"]).await;
    test.service.stop().await;
}

/// Advances the time for everything in this process.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_ttl_ends_and_a_repeated_put_refreshes_it() {
    let never = Duration::from_secs(100_000);
    let timings = Timings { ping: never, client_timeout: never, ..Timings::default() };
    let test = TestService::with(timings).await;
    let membership = "/api/hubs/chat/users/alice/groups/g?api-version=2022-06-01";
    let put = format!("{membership}&ttl=60");
    let mut early = test.client("chat", Some("alice")).await;
    assert_eq!(test.status("PUT", &put).await, 200);
    pass(50).await;
    assert_eq!(test.status("PUT", &put).await, 200);
    pass(50).await;
    assert_eq!(test.status("HEAD", membership).await, 200);
    let mut late = test.client("chat", Some("alice")).await;
    test.send(&format!("{HUB}/groups/g"), &json!(["in time"])).await;
    pass(20).await;
    assert_eq!(test.status("HEAD", membership).await, 404);
    test.send(&format!("{HUB}/groups/g"), &json!(["too late"])).await;
    test.send(HUB, &json!(["end"])).await;
    early.expect(&["in time", "end"]).await;
    late.expect(&["in time", "end"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_ttl_of_zero_is_for_present_connections_only() {
    let test = TestService::start().await;
    let mut now = test.client("chat", Some("alice")).await;
    assert_eq!(test.status("PUT", &format!("{HUB}/groups/g/users/alice?ttl=0")).await, 202);
    let mut later = test.client("chat", Some("alice")).await;
    test.send(&format!("{HUB}/groups/g"), &json!(["group"])).await;
    test.send(HUB, &json!(["end"])).await;
    now.expect(&["group", "end"]).await;
    later.expect(&["end"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn leaving_works_for_connections_and_users() {
    let test = TestService::start().await;
    let mut first = test.client("chat", Some("alice")).await;
    let mut second = test.client("chat", Some("alice")).await;
    for group in ["a", "b", "c"] {
        test.status("PUT", &format!("{HUB}/groups/{group}/users/alice")).await;
    }
    test.status("DELETE", &format!("{HUB}/groups/a/connections/{}", first.id)).await;
    test.status("DELETE", &format!("{HUB}/groups/b/users/alice")).await;
    let all = format!("/api/hubs/chat/connections/{}/groups?api-version=2022-06-01", second.id);
    test.status("DELETE", &all).await;
    for group in ["a", "b", "c"] {
        test.send(&format!("{HUB}/groups/{group}"), &json!([group])).await;
    }
    test.status("DELETE", &format!("{HUB}/users/alice/groups")).await;
    test.send(&format!("{HUB}/groups/c"), &json!(["nobody"])).await;
    test.send(HUB, &json!(["end"])).await;
    first.expect(&["c", "end"]).await;
    second.expect(&["end"]).await;
    assert_eq!(test.status("HEAD", &format!("{HUB}/groups/c/users/alice")).await, 404);
    test.service.stop().await;
}

#[tokio::test]
async fn a_close_says_why_and_ends_the_socket_politely() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    test.send(HUB, &json!(["before"])).await;
    test.status("DELETE", &format!("{HUB}/connections/{}?reason=so+long", client.id)).await;
    test.send(HUB, &json!(["after"])).await;
    client.expect(&["before"]).await;
    assert_eq!(client.hear_json().await, json!({ "type": 7, "error": "so long", "allowReconnect": true }));
    assert_eq!(client.end().await, End::Closed(1000));
    assert_eq!(test.status("HEAD", &format!("{HUB}/connections/{}", client.id)).await, 404);
    test.service.stop().await;
}

#[tokio::test]
async fn closing_many_spares_the_excluded() {
    let test = TestService::start().await;
    let close = |whom: &str, excluded: &str| {
        format!(
            "/api/hubs/chat{whom}/:closeConnections?api-version=2022-06-01&reason=so+long&excluded={excluded}"
        )
    };
    let mut alice = test.client("chat", Some("alice")).await;
    let mut spared = test.client("chat", Some("alice")).await;
    let mut bob = test.client("chat", Some("bob")).await;
    let mut carol = test.client("chat", Some("carol")).await;
    test.status("PUT", &format!("{HUB}/groups/g/connections/{}", bob.id)).await;
    for (whom, closed) in [("/users/alice", &mut alice), ("/groups/g", &mut bob), ("", &mut carol)] {
        assert_eq!(test.status("POST", &close(whom, &spared.id)).await, 204);
        let farewell = json!({ "type": 7, "error": "so long", "allowReconnect": true });
        assert_eq!(closed.hear_json().await, farewell, "{whom}");
        assert_eq!(closed.end().await, End::Closed(1000));
    }
    test.send(HUB, &json!(["still here"])).await;
    spared.expect(&["still here"]).await;
    assert_eq!(test.service.counts().clients, 1);
    test.service.stop().await;
}
