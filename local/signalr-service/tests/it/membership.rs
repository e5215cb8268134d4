//! Groups: of connections, and of users with the service's memory for them.

use crate::raw::End;
use crate::support::Stand;
use fieldcast_signalr_service::Timings;
use serde_json::json;
use std::time::Duration;

const HUB: &str = "/api/v1/hubs/chat";

#[tokio::test]
async fn a_user_is_remembered_before_any_client_came() {
    let stand = Stand::start().await;
    assert_eq!(stand.status("PUT", &format!("{HUB}/groups/g/users/alice")).await, 202);
    assert_eq!(stand.status("HEAD", &format!("{HUB}/groups/g/users/alice")).await, 200);
    assert_eq!(stand.status("HEAD", &format!("{HUB}/groups/g")).await, 404, "nobody is connected");
    let mut alice = stand.client("chat", Some("alice")).await;
    assert_eq!(stand.status("HEAD", &format!("{HUB}/groups/g")).await, 200);
    stand.send(&format!("{HUB}/groups/g"), &json!(["hello"])).await;
    alice.expect(&["hello"]).await;
    stand.service.stop().await;
}

/// Lets time pass for everything in this process at once.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_ttl_ends_and_a_repeated_put_refreshes_it() {
    let never = Duration::from_secs(100_000);
    let timings = Timings { ping: never, client_timeout: never, ..Timings::default() };
    let stand = Stand::with(timings).await;
    let membership = "/api/hubs/chat/users/alice/groups/g?api-version=2022-06-01";
    let put = format!("{membership}&ttl=60");
    let mut early = stand.client("chat", Some("alice")).await;
    assert_eq!(stand.status("PUT", &put).await, 200);
    pass(50).await;
    assert_eq!(stand.status("PUT", &put).await, 200);
    pass(50).await;
    assert_eq!(stand.status("HEAD", membership).await, 200);
    let mut late = stand.client("chat", Some("alice")).await;
    stand.send(&format!("{HUB}/groups/g"), &json!(["in time"])).await;
    pass(20).await;
    assert_eq!(stand.status("HEAD", membership).await, 404);
    stand.send(&format!("{HUB}/groups/g"), &json!(["too late"])).await;
    stand.send(HUB, &json!(["end"])).await;
    early.expect(&["in time", "end"]).await;
    late.expect(&["in time", "end"]).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn a_ttl_of_zero_is_for_present_connections_only() {
    let stand = Stand::start().await;
    let mut now = stand.client("chat", Some("alice")).await;
    assert_eq!(stand.status("PUT", &format!("{HUB}/groups/g/users/alice?ttl=0")).await, 202);
    let mut later = stand.client("chat", Some("alice")).await;
    stand.send(&format!("{HUB}/groups/g"), &json!(["group"])).await;
    stand.send(HUB, &json!(["end"])).await;
    now.expect(&["group", "end"]).await;
    later.expect(&["end"]).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn leaving_works_for_connections_and_users() {
    let stand = Stand::start().await;
    let mut first = stand.client("chat", Some("alice")).await;
    let mut second = stand.client("chat", Some("alice")).await;
    for group in ["a", "b", "c"] {
        stand.status("PUT", &format!("{HUB}/groups/{group}/users/alice")).await;
    }
    stand.status("DELETE", &format!("{HUB}/groups/a/connections/{}", first.id)).await;
    stand.status("DELETE", &format!("{HUB}/groups/b/users/alice")).await;
    let all = format!("/api/hubs/chat/connections/{}/groups?api-version=2022-06-01", second.id);
    stand.status("DELETE", &all).await;
    for group in ["a", "b", "c"] {
        stand.send(&format!("{HUB}/groups/{group}"), &json!([group])).await;
    }
    stand.status("DELETE", &format!("{HUB}/users/alice/groups")).await;
    stand.send(&format!("{HUB}/groups/c"), &json!(["nobody"])).await;
    stand.send(HUB, &json!(["end"])).await;
    first.expect(&["c", "end"]).await;
    second.expect(&["end"]).await;
    assert_eq!(stand.status("HEAD", &format!("{HUB}/groups/c/users/alice")).await, 404);
    stand.service.stop().await;
}

#[tokio::test]
async fn a_close_says_why_and_ends_the_socket_politely() {
    let stand = Stand::start().await;
    let mut client = stand.client("chat", None).await;
    stand.send(HUB, &json!(["before"])).await;
    stand.status("DELETE", &format!("{HUB}/connections/{}?reason=so+long", client.id)).await;
    stand.send(HUB, &json!(["after"])).await;
    client.expect(&["before"]).await;
    assert_eq!(client.hear_json().await, json!({ "type": 7, "error": "so long", "allowReconnect": true }));
    assert_eq!(client.end().await, End::Closed(1000));
    assert_eq!(stand.status("HEAD", &format!("{HUB}/connections/{}", client.id)).await, 404);
    stand.service.stop().await;
}

#[tokio::test]
async fn closing_many_spares_the_excluded() {
    let stand = Stand::start().await;
    let close = |whom: &str, excluded: &str| {
        format!(
            "/api/hubs/chat{whom}/:closeConnections?api-version=2022-06-01&reason=so+long&excluded={excluded}"
        )
    };
    let mut alice = stand.client("chat", Some("alice")).await;
    let mut spared = stand.client("chat", Some("alice")).await;
    let mut bob = stand.client("chat", Some("bob")).await;
    let mut carol = stand.client("chat", Some("carol")).await;
    stand.status("PUT", &format!("{HUB}/groups/g/connections/{}", bob.id)).await;
    for (whom, closed) in [("/users/alice", &mut alice), ("/groups/g", &mut bob), ("", &mut carol)] {
        assert_eq!(stand.status("POST", &close(whom, &spared.id)).await, 204);
        let farewell = json!({ "type": 7, "error": "so long", "allowReconnect": true });
        assert_eq!(closed.hear_json().await, farewell, "{whom}");
        assert_eq!(closed.end().await, End::Closed(1000));
    }
    stand.send(HUB, &json!(["still here"])).await;
    spared.expect(&["still here"]).await;
    assert_eq!(stand.service.counts().clients, 1);
    stand.service.stop().await;
}
