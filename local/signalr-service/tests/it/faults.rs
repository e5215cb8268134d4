//! Fault injection and stepped mode, from outside.

use crate::npm::{Client, every_way};
use crate::raw::{End, RawClient};
use crate::support::Stand;
use fieldcast_signalr_service::{Service, ServiceConfig, ServiceError, Timings};
use serde_json::json;
use std::time::{Duration, Instant};

const HUB: &str = "/api/v1/hubs/chat";
const BODY: &str = r#"{"target":"newMessage","arguments":["x"]}"#;

#[tokio::test]
async fn the_next_calls_fail_without_effect_in_the_scripted_order() {
    let stand = Stand::start().await;
    stand.service.faults().fail_next(2, 503);
    stand.service.faults().fail_next_with_retry_after(1, 429, Duration::from_secs(7));
    assert_eq!(stand.post(HUB, BODY).await.status().as_u16(), 503);
    assert_eq!(stand.status("HEAD", &format!("{HUB}/users/u")).await, 503);
    let limited = stand.post(HUB, BODY).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(stand.service.counts().sends_accepted, 0);
    assert_eq!(stand.post(HUB, BODY).await.status().as_u16(), 202);
    stand.service.faults().fail_next(5, 500);
    stand.service.faults().clear();
    assert_eq!(stand.post(HUB, BODY).await.status().as_u16(), 202);
    assert_eq!(stand.service.counts().rest_calls, 5);
    stand.service.stop().await;
}

#[tokio::test]
async fn every_nth_call_fails_until_it_is_cleared() {
    let stand = Stand::start().await;
    let status = async || stand.post(HUB, BODY).await.status().as_u16();
    stand.service.faults().fail_every(3, 503);
    assert_eq!([status().await, status().await, status().await], [202, 202, 503]);
    stand.service.faults().fail_next(1, 500);
    assert_eq!([status().await, status().await], [500, 202], "a scripted one comes first and does not count");
    assert_eq!([status().await, status().await], [202, 503]);
    assert_eq!(stand.service.counts().sends_accepted, 4);
    stand.service.faults().clear();
    assert_eq!([status().await, status().await, status().await], [202; 3]);
    stand.service.stop().await;
}

#[tokio::test]
async fn held_and_lost_sends_do_not_reach_the_npm_client_on_any_transport() {
    for options in every_way() {
        let stand = Stand::start().await;
        let mut client = Client::connected(&stand, None, &options).await;
        let faults = stand.service.faults();
        faults.lose_next_sends(1);
        faults.hold_sends();
        for text in ["lost", "held", "later"] {
            stand.send(HUB, &json!([text])).await;
        }
        let counts = stand.service.counts();
        assert_eq!((counts.sends_lost, counts.sends_held, counts.messages_delivered), (1, 2, 0));
        assert_eq!(faults.release_sends(1), 1);
        client.expect(&["held"]).await;
        faults.release_all_sends();
        client.expect(&["later"]).await;
        faults.lose_next_sends(9);
        faults.clear();
        stand.send(HUB, &json!(["cleared"])).await;
        client.expect(&["cleared"]).await;
        stand.service.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_call_has_no_answer_and_the_scripted_effect() {
    let stand = Stand::start().await;
    let mut client = stand.client("chat", None).await;
    let send = |text: &str| {
        let body = json!({ "target": "newMessage", "arguments": [text] }).to_string();
        stand.call("POST", HUB).header("content-type", "application/json").body(body).send()
    };
    stand.service.faults().drop_next_before_effect(1);
    let lost = send("before").await.unwrap_err();
    assert!(!lost.is_timeout() && lost.is_request(), "{lost:?}");
    stand.service.faults().drop_next_after_effect(1);
    let lost = send("after").await.unwrap_err();
    assert!(!lost.is_timeout() && lost.is_request(), "{lost:?}");
    assert_eq!(send("answered").await.unwrap().status().as_u16(), 202);
    client.expect(&["after", "answered"]).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn replies_are_delayed_after_the_effect() {
    let stand = Stand::start().await;
    let mut client = stand.client("chat", None).await;
    let send = || {
        let call = stand.call("POST", HUB).header("content-type", "application/json");
        tokio::spawn(call.body(BODY).send())
    };
    // Longer than this test may take: the effect cannot have waited for the reply.
    stand.service.faults().delay_replies(Duration::from_secs(600));
    let waiting = send();
    client.expect(&["x"]).await;
    assert!(!waiting.is_finished());
    waiting.abort();
    let delay = Duration::from_millis(200);
    stand.service.faults().delay_replies(delay);
    let asked = Instant::now();
    assert_eq!(send().await.unwrap().unwrap().status().as_u16(), 202);
    assert!(asked.elapsed() >= delay);
    stand.service.stop().await;
}

#[tokio::test]
async fn new_clients_are_refused_while_old_ones_stay() {
    let stand = Stand::start().await;
    let mut old = stand.client("chat", None).await;
    let (url, token) = stand.client_access("chat", None);
    stand.service.faults().refuse_clients(429);
    assert_eq!(RawClient::connect(&url, &token).await.err(), Some(429));
    let negotiate = stand.http.post(stand.url("/client/negotiate?hub=chat")).bearer_auth(&token);
    assert_eq!(negotiate.send().await.unwrap().status().as_u16(), 429);
    stand.service.faults().accept_clients();
    RawClient::connect(&url, &token).await.unwrap().shake_hands().await;
    stand.send(HUB, &json!(["x"])).await;
    old.expect(&["x"]).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn clients_can_be_cut_without_a_word() {
    let stand = Stand::start().await;
    let mut open = stand.client("chat", None).await;
    let (url, token) = stand.client_access("chat", None);
    let mut opening = RawClient::connect(&url, &token).await.unwrap();
    stand.service.faults().cut_clients();
    assert_eq!(open.end().await, End::Lost);
    assert_eq!(opening.end().await, End::Lost);
    stand.counts_when(|counts| counts.clients == 0).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn held_sends_wait_for_their_release() {
    let stand = Stand::start().await;
    let mut client = stand.client("chat", None).await;
    let faults = stand.service.faults();
    faults.hold_sends();
    for text in ["1", "2", "3"] {
        stand.send(HUB, &json!([text])).await;
    }
    assert_eq!(stand.service.counts().sends_held, 3);
    assert_eq!(stand.service.counts().messages_delivered, 0);
    assert_eq!(faults.release_sends(2), 2);
    client.expect(&["1", "2"]).await;
    faults.release_all_sends();
    client.expect(&["3"]).await;
    stand.send(HUB, &json!(["4"])).await;
    client.expect(&["4"]).await;
    assert_eq!(faults.release_sends(1), 0);
    stand.service.stop().await;
}

#[tokio::test]
async fn a_stop_cuts_clients_and_callers_and_frees_the_port() {
    let stand = Stand::start().await;
    let address = stand.service.address().to_string();
    let mut client = stand.client("chat", None).await;
    stand.service.faults().delay_replies(Duration::from_secs(60));
    let waiting = tokio::spawn(stand.call("HEAD", &format!("{HUB}/users/u")).send());
    stand.counts_when(|counts| counts.rest_calls == 1).await;
    let stopped = Instant::now();
    stand.service.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(4), "took {:?}", stopped.elapsed());
    assert_eq!(client.end().await, End::Lost);
    assert!(waiting.await.unwrap().is_err());
    Stand::at(&address, Timings::default()).await.service.stop().await;
}

#[tokio::test]
async fn a_dropped_service_cuts_its_clients() {
    let stand = Stand::start().await;
    let mut client = stand.client("chat", None).await;
    drop(stand.service);
    assert_eq!(client.end().await, End::Lost);
}

#[tokio::test]
async fn a_service_that_cannot_be_trusted_or_reached_does_not_start() {
    let start = |listen: &str, keys: &[&str]| {
        let access_keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Service::start(ServiceConfig {
            listen: listen.parse().unwrap(),
            access_keys,
            ..ServiceConfig::default()
        })
    };
    assert!(matches!(start("0.0.0.0:0", &["k"]).await, Err(ServiceError::NotLoopback(_))));
    assert!(matches!(start("127.0.0.1:0", &[]).await, Err(ServiceError::NoKey)));
    assert!(matches!(start("127.0.0.1:0", &["k", ""]).await, Err(ServiceError::NoKey)));
    let first = start("127.0.0.1:0", &["the key"]).await.unwrap();
    let taken = start(&first.address().to_string(), &["k"]).await;
    assert!(matches!(taken, Err(ServiceError::Listen { .. })));
    let port = first.address().port();
    let expected = format!("Endpoint=http://127.0.0.1;Port={port};AccessKey=the key;Version=1.0;");
    assert_eq!(first.connection_string(), expected);
    let config = ServiceConfig { access_keys: vec!["the key".into()], ..ServiceConfig::default() };
    assert!(!format!("{config:?}").contains("the key"));
    first.stop().await;
}
