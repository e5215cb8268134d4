//! What dated versions after 2022-06-01 added, beside client results.

use crate::raw::RawClient;
use crate::support::TestService;
use serde_json::{Value, json};

async fn reply(test: &TestService, method: &str, path: &str) -> (u16, Value) {
    let reply = test.call(method, path).send().await.unwrap();
    (reply.status().as_u16(), serde_json::from_str(&reply.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_groups_connections_are_listed_page_by_page() {
    let test = TestService::start().await;
    let mut members = Vec::new();
    for user in [Some("alice"), None, Some("bob")] {
        let client = test.client("chat", user).await;
        let member = format!("/api/v1/hubs/chat/groups/g/connections/{}", client.id);
        assert_eq!(test.status("PUT", &member).await, 200);
        members.push((client, user));
    }
    let _outsider = test.client("chat", None).await;
    let mut expected: Vec<Value> = members
        .iter()
        .map(|(client, user)| match user {
            Some(user) => json!({ "connectionId": client.id, "userId": user }),
            None => json!({ "connectionId": client.id }),
        })
        .collect();
    expected.sort_by_key(|entry| entry["connectionId"].as_str().unwrap().to_owned());

    let mut path = "/api/hubs/chat/groups/g/connections?api-version=2024-12-01&maxpagesize=2".to_owned();
    for page in [&expected[..2], &expected[2..]] {
        let (status, listed) = reply(&test, "GET", &path).await;
        assert_eq!((status, &listed["value"]), (200, &json!(page)));
        let here = test.url("");
        path = listed["nextLink"]
            .as_str()
            .map_or_else(String::new, |next| next.strip_prefix(&here).unwrap().into());
    }
    assert_eq!(path, "", "the last page leads nowhere");
    let empty = reply(&test, "GET", "/api/hubs/chat/groups/none/connections?api-version=2024-12-01").await;
    assert_eq!(empty, (200, json!({ "value": [] })));
    test.service.stop().await;
}

#[tokio::test]
async fn a_generated_token_lets_a_client_in_as_its_user() {
    let test = TestService::start().await;
    let path = "/api/hubs/Chat/:generateToken?api-version=2022-11-01&userId=alice&minutesToExpire=1";
    let (status, body) = reply(&test, "POST", path).await;
    assert_eq!(status, 200);
    let token = body["token"].as_str().unwrap();
    let mut client = RawClient::connect(&test.url("/client/?hub=chat"), token).await.unwrap();
    client.shake_hands().await;
    test.send("/api/v1/hubs/chat/users/alice", &json!(["hello"])).await;
    client.expect(&["hello"]).await;
    assert_eq!(RawClient::connect(&test.url("/client/?hub=other"), token).await.err(), Some(401));
    test.service.stop().await;
}

#[tokio::test]
async fn older_versions_and_numbers_out_of_range_are_refused() {
    let test = TestService::start().await;
    for (method, path, reason) in [
        ("GET", "/groups/g/connections?api-version=2023-07-01", "2024-12-01"),
        ("GET", "/groups/g/connections?api-version=2024-12-01&maxpagesize=201", "maxpagesize"),
        ("GET", "/groups/g/connections?api-version=2024-12-01&top=0", "top"),
        ("POST", "/:generateToken?api-version=2022-06-01", "2022-11-01"),
        ("POST", "/:generateToken?api-version=2022-11-01&minutesToExpire=0", "minutesToExpire"),
    ] {
        let (status, detail) = reply(&test, method, &format!("/api/hubs/chat{path}")).await;
        assert!(status == 400 && detail["message"].as_str().unwrap().contains(reason), "{path}: {detail}");
    }
    test.service.stop().await;
}
