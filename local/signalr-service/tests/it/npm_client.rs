//! The unmodified npm client in Node, negotiating with an application as in production.

use crate::deadline::DEADLINE;
use crate::npm::{Application, Client, every_way};
use crate::support::TestService;
use crate::tokens::{self, KEY};
use fieldcast_signalr_service::Timings;
use fieldcast_test_clients::{ClientEvent, ClientOptions, NodeClient};
use serde_json::{Value, json};

const HUB: &str = "/api/v1/hubs/chat";

#[tokio::test]
async fn it_receives_what_is_for_it() {
    for options in every_way() {
        receives_what_is_for_it(&options).await;
    }
}

async fn receives_what_is_for_it(options: &ClientOptions) {
    let test = TestService::start().await;
    let (mut alice, mut bob) = tokio::join!(
        Client::connected(&test, Some("alice"), options),
        Client::connected(&test, Some("bob"), options)
    );
    assert_eq!(test.status("PUT", &format!("{HUB}/groups/g/connections/{}", bob.id)).await, 200);
    test.send(HUB, &json!(["all"])).await;
    test.send(&format!("{HUB}/groups/g"), &json!(["group"])).await;
    test.send(&format!("{HUB}/users/alice"), &json!(["user"])).await;
    test.send(&format!("{HUB}/connections/{}", bob.id), &json!(["connection"])).await;
    test.send(&format!("{HUB}?excluded={}", alice.id), &json!(["excluded"])).await;
    test.send(HUB, &json!(["end"])).await;
    alice.expect(&["all", "user", "end"]).await;
    bob.expect(&["all", "group", "connection", "excluded", "end"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_thousand_messages_keep_their_order() {
    let test = TestService::start().await;
    let mut clients = Vec::new();
    for options in every_way() {
        clients.push(Client::connected(&test, None, &options).await);
    }
    for number in 0..1_000 {
        test.send(HUB, &json!([number])).await;
    }
    for (client, options) in clients.iter_mut().zip(every_way()) {
        for number in 0..1_000 {
            match client.next().await {
                ClientEvent::Message { arguments, .. } => {
                    assert_eq!(arguments, [json!(number)], "{options:?}")
                }
                other => panic!("{other:?} instead of {number} with {options:?}"),
            }
        }
    }
    test.service.stop().await;
}

#[tokio::test]
async fn it_reconnects_by_itself_after_a_restart() {
    let test = TestService::start().await;
    let address = test.service.address().to_string();
    let patient = ClientOptions { reconnect_delays: Some(vec![50; 400]), ..ClientOptions::default() };
    let mut client = Client::connected(&test, None, &patient).await;
    test.service.stop().await;
    assert!(matches!(client.next().await, ClientEvent::Reconnecting { .. }));
    let test = TestService::at(&address, Timings::default()).await;
    match client.next().await {
        ClientEvent::Reconnected { connection_id } => assert_ne!(connection_id, client.id),
        other => panic!("{other:?}"),
    }
    test.send(HUB, &json!(["again"])).await;
    client.expect(&["again"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn an_expired_token_fails_the_start() {
    let test = TestService::start().await;
    let claims = json!({ "aud": "http://127.0.0.1/client/?hub=chat", "exp": tokens::in_seconds(-1) });
    let url = test.url("/client/?hub=chat");
    let application = Application::sending_to(url, tokens::signed(KEY, &claims)).await;
    let mut node = NodeClient::spawn(&application.negotiate_url).unwrap();
    match node.next(DEADLINE).await.unwrap() {
        ClientEvent::Failed { error } => assert!(error.contains("401"), "{error}"),
        other => panic!("{other:?}"),
    }
    test.service.stop().await;
}

#[tokio::test]
async fn it_comes_back_after_a_cut_and_a_refusal() {
    for options in every_way() {
        let test = TestService::start().await;
        let patient = ClientOptions { reconnect_delays: Some(vec![50; 400]), ..options };
        let mut client = Client::connected(&test, None, &patient).await;
        test.service.faults().refuse_clients(429);
        test.service.faults().cut_clients();
        assert!(matches!(client.next().await, ClientEvent::Reconnecting { .. }), "{patient:?}");
        test.service.faults().accept_clients();
        assert!(matches!(client.next().await, ClientEvent::Reconnected { .. }), "{patient:?}");
        test.send(HUB, &json!(["again"])).await;
        client.expect(&["again"]).await;
        test.service.stop().await;
    }
}

#[tokio::test]
async fn a_close_by_rest_reaches_the_application() {
    for options in every_way() {
        is_closed_by_rest(&options).await;
    }
}

async fn is_closed_by_rest(options: &ClientOptions) {
    let test = TestService::start().await;
    let mut client = Client::connected(&test, None, options).await;
    assert_eq!(test.status("DELETE", &format!("{HUB}/connections/{}?reason=enough", client.id)).await, 202);
    match client.next().await {
        ClientEvent::Closed { error: Some(error) } => assert!(error.contains("enough"), "{error}"),
        other => panic!("{other:?}"),
    }
    test.service.stop().await;
}

#[tokio::test]
async fn a_call_fails_with_the_reason_and_the_connection_goes_on() {
    for options in every_way() {
        goes_on_after_a_failed_call(&options).await;
    }
}

async fn goes_on_after_a_failed_call(options: &ClientOptions) {
    let test = TestService::start().await;
    let mut client = Client::connected(&test, None, options).await;
    client.node.invoke(5, "save", &[json!(1)]).await.unwrap();
    match client.next().await {
        ClientEvent::Result { id: 5, result: None, error: Some(error) } => {
            assert!(error.contains("No upstream is configured"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    test.send(HUB, &json!(["on"])).await;
    client.expect(&["on"]).await;
    client.node.close().await.unwrap();
    assert_eq!(client.next().await, ClientEvent::Closed { error: None });
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_message_that_its_protocol_cannot_hold_ends_a_client_and_no_other() {
    let test = TestService::start().await;
    let plain = ClientOptions::default();
    let packed = ClientOptions { protocol: Some("messagepack".into()), ..ClientOptions::default() };
    let mut other = Client::connected(&test, None, &plain).await;
    let mut client = Client::connected(&test, None, &packed).await;
    let beyond = r#"{"target":"newMessage","arguments":[1e400]}"#;
    assert_eq!(test.post(HUB, beyond).await.status().as_u16(), 202);
    match client.next().await {
        ClientEvent::Closed { error: Some(error) } => {
            assert!(error.contains("cannot be expressed"), "{error}")
        }
        other => panic!("{other:?}"),
    }
    // JavaScript reads the number as infinity, which its JSON writes as null.
    let arguments = vec![Value::Null];
    assert_eq!(other.next().await, ClientEvent::Message { target: "newMessage".into(), arguments });
    test.service.stop().await;
}

#[tokio::test]
async fn values_of_every_kind_survive() {
    for options in every_way() {
        delivers_values_of_every_kind(&options).await;
    }
}

async fn delivers_values_of_every_kind(options: &ClientOptions) {
    let test = TestService::start().await;
    let mut client = Client::connected(&test, None, options).await;
    let values: Value =
        json!([[{ "deviceId": "sensor-1", "temperature": 21.5, "light": null }], "ä\u{1e}\n", true]);
    test.send(HUB, &values).await;
    match client.next().await {
        ClientEvent::Message { arguments, .. } => assert_eq!(Value::from(arguments), values),
        other => panic!("{other:?}"),
    }
    test.service.stop().await;
}
