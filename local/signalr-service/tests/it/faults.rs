//! Fault injection and stepped mode.

use crate::npm::{Client, every_way};
use crate::raw::{End, RawClient};
use crate::support::TestService;
use fieldcast_signalr_service::{Service, ServiceConfig, ServiceError, Timings};
use serde_json::json;
use std::time::{Duration, Instant};

const HUB: &str = "/api/v1/hubs/chat";
const BODY: &str = r#"{"target":"newMessage","arguments":["x"]}"#;

#[tokio::test]
async fn the_next_calls_fail_without_effect_in_the_scripted_order() {
    let test = TestService::start().await;
    test.service.faults().fail_next(2, 503);
    test.service.faults().fail_next_with_retry_after(1, 429, Duration::from_secs(7));
    assert_eq!(test.post(HUB, BODY).await.status().as_u16(), 503);
    assert_eq!(test.status("HEAD", &format!("{HUB}/users/u")).await, 503);
    let limited = test.post(HUB, BODY).await;
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert_eq!(test.service.counts().sends_accepted, 0);
    assert_eq!(test.post(HUB, BODY).await.status().as_u16(), 202);
    test.service.faults().fail_next(5, 500);
    test.service.faults().clear();
    assert_eq!(test.post(HUB, BODY).await.status().as_u16(), 202);
    assert_eq!(test.service.counts().rest_calls, 5);
    test.service.stop().await;
}

#[tokio::test]
async fn every_nth_call_fails_until_it_is_cleared() {
    let test = TestService::start().await;
    let status = async || test.post(HUB, BODY).await.status().as_u16();
    test.service.faults().fail_every(3, 503);
    assert_eq!([status().await, status().await, status().await], [202, 202, 503]);
    test.service.faults().fail_next(1, 500);
    assert_eq!([status().await, status().await], [500, 202], "a scripted one comes first and does not count");
    assert_eq!([status().await, status().await], [202, 503]);
    assert_eq!(test.service.counts().sends_accepted, 4);
    test.service.faults().clear();
    assert_eq!([status().await, status().await, status().await], [202; 3]);
    test.service.stop().await;
}

#[tokio::test]
async fn held_and_lost_sends_do_not_reach_the_npm_client_on_any_transport() {
    for options in every_way() {
        let test = TestService::start().await;
        let mut client = Client::connected(&test, None, &options).await;
        let faults = test.service.faults();
        faults.lose_next_sends(1);
        faults.hold_sends();
        for text in ["lost", "held", "later"] {
            test.send(HUB, &json!([text])).await;
        }
        let counts = test.service.counts();
        assert_eq!((counts.sends_lost, counts.sends_held, counts.messages_delivered), (1, 2, 0));
        assert_eq!(faults.release_sends(1), 1);
        client.expect(&["held"]).await;
        faults.release_all_sends();
        client.expect(&["later"]).await;
        faults.lose_next_sends(9);
        faults.clear();
        test.send(HUB, &json!(["cleared"])).await;
        client.expect(&["cleared"]).await;
        test.service.stop().await;
    }
}

#[tokio::test]
async fn a_dropped_call_has_no_answer_and_the_scripted_effect() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let send = |text: &str| {
        let body = json!({ "target": "newMessage", "arguments": [text] }).to_string();
        test.call("POST", HUB).header("content-type", "application/json").body(body).send()
    };
    test.service.faults().drop_next_before_effect(1);
    let lost = send("before").await.unwrap_err();
    assert!(!lost.is_timeout() && lost.is_request(), "{lost:?}");
    test.service.faults().drop_next_after_effect(1);
    let lost = send("after").await.unwrap_err();
    assert!(!lost.is_timeout() && lost.is_request(), "{lost:?}");
    assert_eq!(send("answered").await.unwrap().status().as_u16(), 202);
    client.expect(&["after", "answered"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn replies_are_delayed_after_the_effect() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let send = || {
        let call = test.call("POST", HUB).header("content-type", "application/json");
        tokio::spawn(call.body(BODY).send())
    };
    // Longer than this test may take, so the effect cannot have waited for the reply.
    test.service.faults().delay_replies(Duration::from_secs(600));
    let waiting = send();
    client.expect(&["x"]).await;
    assert!(!waiting.is_finished());
    waiting.abort();
    let delay = Duration::from_millis(200);
    test.service.faults().delay_replies(delay);
    let asked = Instant::now();
    assert_eq!(send().await.unwrap().unwrap().status().as_u16(), 202);
    assert!(asked.elapsed() >= delay);
    test.service.stop().await;
}

#[tokio::test]
async fn new_clients_are_refused_while_old_ones_stay() {
    let test = TestService::start().await;
    let mut old = test.client("chat", None).await;
    let (url, token) = test.client_access("chat", None);
    test.service.faults().refuse_clients(429);
    assert_eq!(RawClient::connect(&url, &token).await.err(), Some(429));
    let negotiate = test.http.post(test.url("/client/negotiate?hub=chat")).bearer_auth(&token);
    assert_eq!(negotiate.send().await.unwrap().status().as_u16(), 429);
    test.service.faults().accept_clients();
    RawClient::connect(&url, &token).await.unwrap().shake_hands().await;
    test.send(HUB, &json!(["x"])).await;
    old.expect(&["x"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn clients_can_be_cut_without_a_word() {
    let test = TestService::start().await;
    let mut open = test.client("chat", None).await;
    let (url, token) = test.client_access("chat", None);
    let mut opening = RawClient::connect(&url, &token).await.unwrap();
    test.service.faults().cut_clients();
    assert_eq!(open.end().await, End::Lost);
    assert_eq!(opening.end().await, End::Lost);
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn held_sends_wait_for_their_release() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let faults = test.service.faults();
    faults.hold_sends();
    for text in ["1", "2", "3"] {
        test.send(HUB, &json!([text])).await;
    }
    assert_eq!(test.service.counts().sends_held, 3);
    assert_eq!(test.service.counts().messages_delivered, 0);
    assert_eq!(faults.release_sends(2), 2);
    client.expect(&["1", "2"]).await;
    faults.release_all_sends();
    client.expect(&["3"]).await;
    test.send(HUB, &json!(["4"])).await;
    client.expect(&["4"]).await;
    assert_eq!(faults.release_sends(1), 0);
    test.service.stop().await;
}

#[tokio::test]
async fn a_stop_cuts_clients_and_callers_and_frees_the_port() {
    let test = TestService::start().await;
    let address = test.service.address().to_string();
    let mut client = test.client("chat", None).await;
    test.service.faults().delay_replies(Duration::from_secs(60));
    let waiting = tokio::spawn(test.call("HEAD", &format!("{HUB}/users/u")).send());
    test.counts_when(|counts| counts.rest_calls == 1).await;
    let stopped = Instant::now();
    test.service.stop().await;
    assert!(stopped.elapsed() < Duration::from_secs(4), "took {:?}", stopped.elapsed());
    assert_eq!(client.end().await, End::Lost);
    assert!(waiting.await.unwrap().is_err());
    TestService::at(&address, Timings::default()).await.service.stop().await;
}

#[tokio::test]
async fn a_dropped_service_cuts_its_clients() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    drop(test.service);
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
