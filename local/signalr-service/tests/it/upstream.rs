//! Webhooks: which events an application gets, and what its clients get of its replies.

use crate::deadline::DEADLINE;
use crate::npm::{Client, every_way};
use crate::raw::{End, RawClient};
use crate::support::TestService;
use crate::tokens::{KEY, SECOND_KEY};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use fieldcast_signalr_service::{Service, ServiceConfig, ServiceError, Timings, Upstream};
use fieldcast_test_clients::ClientEvent;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// One request to the application.
struct Posted {
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Posted {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn event(&self) -> &str {
        self.header("x-asrs-event")
    }
}

/// An application that reports what is posted to it, and replies as the test says.
struct Application {
    url: String,
    posted: mpsc::UnboundedReceiver<Posted>,
    server: JoinHandle<()>,
}

impl Application {
    async fn replying(reply: impl Fn(&Posted) -> Response + Clone + Send + Sync + 'static) -> Application {
        let (told, posted) = mpsc::unbounded_channel();
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let posted = Posted { uri, headers, body };
            let response = reply(&posted);
            let _test_is_over = told.send(posted);
            response
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Application { url, posted, server }
    }

    /// An application that replies to calls with `body`, and to other events without a body.
    async fn answering(body: impl IntoResponse + Clone + Send + Sync + 'static) -> Application {
        Application::replying(move |posted| match posted.header("x-asrs-category") {
            "messages" => body.clone().into_response(),
            _ => ().into_response(),
        })
        .await
    }

    async fn next(&mut self) -> Posted {
        timeout(DEADLINE, self.posted.recv()).await.unwrap().unwrap()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn test(timings: Timings, upstreams: Vec<Upstream>) -> TestService {
    let access_keys = vec![KEY.into(), SECOND_KEY.into()];
    let listen = "127.0.0.1:0".parse().unwrap();
    TestService::of(ServiceConfig { listen, access_keys, timings, upstreams }).await
}

async fn stand_with(application: &Application) -> TestService {
    test(Timings::default(), vec![Upstream::for_all(format!("{}/{{hub}}/{{event}}", application.url))]).await
}

fn call(id: &str, method: &str) -> String {
    format!("{{\"target\":\"{method}\",\"arguments\":[1.0],\"invocationId\":\"{id}\",\"type\":1}}\u{1e}")
}

/// The completion that the client gets for a call.
async fn outcome(client: &mut RawClient, id: &str) -> Value {
    client.say(&call(id, "save")).await;
    client.hear_json().await
}

fn signature(connection: &str) -> String {
    let signed = [KEY, SECOND_KEY].map(|key| {
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(connection);
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256={digits}")
    });
    signed.join(",")
}

#[tokio::test]
async fn an_application_hears_of_a_connection_from_its_beginning_to_its_end() {
    let mut application =
        Application::answering("{\"type\":3,\"invocationId\":\"a\",\"result\":[2]}\u{1e}").await;
    let test = stand_with(&application).await;
    let claims = [("asrs.s.uid", "alice"), ("role", "ops"), ("asrs.u.iss", "me"), ("asrs.s.ttl", "5")];
    let access = test.access_with("Chat", &claims);
    let negotiated = test.negotiated_with(access).await;
    let mut client = RawClient::connect(&negotiated.url, &negotiated.token).await.unwrap();
    client.shake_hands().await;
    assert_eq!(outcome(&mut client, "a").await, json!({ "type": 3, "invocationId": "a", "result": [2] }));
    client.say("{\"type\":7}\u{1e}").await;

    let call = call("a", "save");
    for (event, category, body) in [
        ("connected", "connections", r#"{"type":10}"#),
        ("save", "messages", call.trim_end_matches('\u{1e}')),
        ("disconnected", "connections", r#"{"type":11}"#),
    ] {
        let posted = application.next().await;
        assert_eq!(posted.uri.path(), format!("/chat/{event}"));
        let query = negotiated.url.split_once('?').unwrap().1;
        for (name, value) in [
            ("x-asrs-connection-id", negotiated.id.as_str()),
            ("x-asrs-hub", "chat"),
            ("x-asrs-category", category),
            ("x-asrs-event", event),
            ("x-asrs-user-id", "alice"),
            ("x-asrs-user-claims", "iss: me, role: ops"),
            ("x-asrs-client-query", &format!("?{query}")),
            ("x-asrs-signature", &signature(&negotiated.id)),
            ("content-type", "application/json"),
        ] {
            assert_eq!(posted.header(name), value, "{name} of {event}");
        }
        assert_eq!(posted.body, body);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn the_npm_client_gets_the_applications_answers() {
    // Ids of the npm client count from 0.
    let application = Application::replying(|posted| match (posted.event(), posted.header("content-type")) {
        ("save", "application/x-msgpack") => b"\x07\x95\x03\x80\xa1\x30\x03\x05".into_response(),
        ("save", _) => "{\"type\":3,\"invocationId\":\"0\",\"result\":5}\u{1e}".into_response(),
        ("fail", _) => StatusCode::IM_A_TEAPOT.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    let test = stand_with(&application).await;
    for options in every_way() {
        let mut client = Client::connected(&test, None, &options).await;
        client.node.invoke(1, "save", &[json!({ "a": 1 })]).await.unwrap();
        let result = Some(json!(5));
        assert_eq!(client.next().await, ClientEvent::Result { id: 1, result, error: None }, "{options:?}");
        client.node.invoke(2, "fail", &[]).await.unwrap();
        match client.next().await {
            ClientEvent::Result { id: 2, result: None, error: Some(error) } => {
                assert!(error.contains("Invocation failed, status code 418"), "{error}");
            }
            other => panic!("{other:?}"),
        }
        client.node.invoke(3, "nothing", &[]).await.unwrap();
        assert_eq!(client.next().await, ClientEvent::Result { id: 3, result: None, error: None });
    }
    test.service.stop().await;
}

#[tokio::test]
async fn a_call_that_wants_no_answer_gets_none() {
    let mut application = Application::replying(|posted| {
        format!("{{\"type\":3,\"invocationId\":\"a\",\"result\":\"{}\"}}\u{1e}", posted.event())
            .into_response()
    })
    .await;
    let test = stand_with(&application).await;
    let mut client = test.client("chat", None).await;
    client.say("{\"type\":1,\"target\":\"note\",\"arguments\":[]}\u{1e}").await;
    assert_eq!(application.next().await.event(), "connected");
    assert_eq!(application.next().await.event(), "note");
    assert_eq!(outcome(&mut client, "a").await["result"], "save", "nothing came for the first call");
    test.service.stop().await;
}

#[tokio::test]
async fn the_first_upstream_that_fits_takes_an_event_and_the_rest_is_refused() {
    let (mut first, mut second) = tokio::join!(Application::answering(()), Application::answering(()));
    let only_save = Upstream { events: "save".into(), ..Upstream::for_all(first.url.clone()) };
    let messages = Upstream { categories: "messages".into(), ..Upstream::for_all(second.url.clone()) };
    let messages = Upstream { events: "save,load".into(), ..messages };
    let test = test(Timings::default(), vec![only_save, messages]).await;
    let mut client = test.client("chat", None).await;
    for (id, method, error) in
        [("a", "save", None), ("b", "load", None), ("c", "other", Some("No upstream is configured"))]
    {
        client.say(&call(id, method)).await;
        let completion = client.hear_json().await;
        assert_eq!((&completion["type"], &completion["invocationId"]), (&json!(3), &json!(id)));
        match error {
            Some(error) => assert!(completion["error"].as_str().unwrap().starts_with(error), "{completion}"),
            None => assert_eq!(completion.get("error"), None),
        }
    }
    assert_eq!(first.next().await.event(), "save");
    assert_eq!(second.next().await.event(), "load");
    client.say("{\"type\":7}\u{1e}").await;
    assert_eq!(client.end().await, End::Closed(1000));
    test.service.stop().await;
    assert!(first.posted.try_recv().is_err() && second.posted.try_recv().is_err(), "nothing else fits");
}

#[tokio::test]
async fn an_upstream_that_fails_fails_the_call_and_not_the_connection() {
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", nowhere.local_addr().unwrap());
    drop(nowhere);
    let large = Application::answering(vec![b' '; 16 * 1024 * 1024 + 1]).await;
    let refusing = Application::replying(|_| StatusCode::FORBIDDEN.into_response()).await;
    for (url, error) in [
        (&gone, "Invocation failed, status code 500"),
        (&large.url, "Invocation failed, response too large."),
        (&refusing.url, "Invocation failed, status code 403"),
    ] {
        let test = test(Timings::default(), vec![Upstream::for_all(url.clone())]).await;
        let mut client = test.client("chat", None).await;
        let expected = json!({ "type": 3, "invocationId": "a", "error": error });
        assert_eq!(outcome(&mut client, "a").await, expected);
        test.send("/api/v1/hubs/chat", &json!(["on"])).await;
        client.expect(&["on"]).await;
        test.service.stop().await;
    }
}

/// It takes connections but never accepts them, so it never answers.
async fn silent_upstream() -> (TcpListener, Vec<Upstream>) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream {
        categories: "messages".into(),
        ..Upstream::for_all(format!("http://{}", silent.local_addr().unwrap()))
    };
    (silent, vec![upstream])
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_not_waited_for_for_ever() {
    let (_silent, upstreams) = silent_upstream().await;
    let timings = Timings { upstream: Duration::from_millis(50), ..Timings::default() };
    let test = test(timings, upstreams).await;
    let mut client = test.client("chat", None).await;
    let completion = outcome(&mut client, "a").await;
    assert_eq!(completion["error"], "Invocation failed, status code 500");
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_may_not_pile_up_calls_behind_a_slow_upstream() {
    let (_silent, upstreams) = silent_upstream().await;
    let test = test(Timings::default(), upstreams).await;
    let mut client = test.client("chat", None).await;
    client.say(&call("a", "save").repeat(100)).await;
    let close = client.hear_json().await;
    assert!(close["type"] == 7 && close["error"].as_str().unwrap().contains("too many calls"), "{close}");
    assert_eq!(client.end().await, End::Closed(1000));
    // The stop does not wait for the reply.
    test.service.stop().await;
}

#[tokio::test]
async fn the_end_says_why_a_connection_failed_and_a_stop_says_nothing() {
    let mut application = Application::answering(()).await;
    let test = stand_with(&application).await;
    let mut broken = test.client("chat", None).await;
    broken.say("not json\u{1e}").await;
    assert_eq!(application.next().await.event(), "connected");
    let end = application.next().await;
    assert_eq!(end.body, r#"{"error":"Connection closed with an error.","type":11}"#);
    let _client = test.client("chat", None).await;
    assert_eq!(application.next().await.event(), "connected");
    test.service.stop().await;
    assert!(application.posted.try_recv().is_err(), "a crash tells nobody");
}

#[tokio::test]
async fn an_upstream_that_cannot_be_called_stops_the_start() {
    let upstreams = vec![Upstream::for_all("https://localhost/")];
    let listen = "127.0.0.1:0".parse().unwrap();
    let refused = Service::start(ServiceConfig { listen, upstreams, ..ServiceConfig::default() }).await;
    let error = refused.err().expect("it does not start");
    assert!(matches!(&error, ServiceError::Upstream(url) if url == "https://localhost/"), "{error}");
}
