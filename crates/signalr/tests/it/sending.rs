//! Sends to one endpoint: what goes over the wire, and what each answer becomes.

use std::error::Error;
use std::time::{Duration, Instant};

use fieldcast_signalr::{BODY_LIMIT, Endpoint, HubClient, Message, Resend, SendError, Target};

use crate::service::{KEY, LONG, Reply, Service, http, hub, nobody};
use crate::token::audience;

fn message() -> Message {
    Message::new("newMessage", &("private words", 1)).expect("an array")
}

async fn send(service: &Service, resend: Resend, timeout: Duration) -> Result<(), SendError> {
    let (client, message) = (service.client(), message());
    let sending = client.send(Target::All, &message, resend, timeout);
    tokio::time::timeout(LONG * 2, sending).await.expect("a send keeps to its deadline")
}

/// Everything that an operator could get to see of an error.
fn shown(error: &SendError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn request_lines_are_encoded_and_tokens_are_for_exactly_that_address() {
    let service = Service::start([]).await;
    let client = service.client();
    for (target, path, more) in [
        (Target::All, "/api/hubs/chat/:send", ""),
        (Target::AllExcept(&["a b"]), "/api/hubs/chat/:send", "&excluded=a%20b"),
        (Target::Group("room #1"), "/api/hubs/chat/groups/room%20%231/:send", ""),
        (Target::Group("a/b"), "/api/hubs/chat/groups/a%2Fb/:send", ""),
        (Target::Group("ü"), "/api/hubs/chat/groups/%C3%BC/:send", ""),
        (Target::Group("50%?x=1"), "/api/hubs/chat/groups/50%25%3Fx%3D1/:send", ""),
        (Target::User("o'neil@x"), "/api/hubs/chat/users/o%27neil%40x/:send", ""),
        (Target::Connection("c-_.~1"), "/api/hubs/chat/connections/c-_.~1/:send", ""),
    ] {
        client.send(target, &message(), Resend::Never, LONG).await.expect("202");
        let seen = service.seen().pop().expect("a request");
        assert_eq!(seen.line, format!("POST {path}?api-version=2022-06-01{more}"));
        assert_eq!(audience(&seen, KEY), format!("{}{path}", service.origin()));
    }
}

#[tokio::test]
async fn body_and_content_type_are_as_documented() {
    let service = Service::start([]).await;
    send(&service, Resend::Never, LONG).await.expect("202");
    let seen = service.seen().pop().expect("a request");
    assert_eq!(seen.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(seen.body, br#"{"target":"newMessage","arguments":["private words",1]}"#);
}

#[tokio::test]
async fn calls_can_run_in_tasks_of_their_own_and_without_a_limit_of_time() {
    let service = Service::start([]).await;
    let client = service.client();
    let call = async move {
        client.send(Target::All, &message(), Resend::Never, Duration::MAX).await?;
        client.user_exists("u", Duration::MAX).await
    };
    assert!(tokio::spawn(call).await.expect("no panic").expect("202 twice"));
}

#[tokio::test]
async fn connections_are_used_again() {
    let service = Service::start(vec![Reply::Trickle; 5]).await;
    let client = service.client();
    for _ in 0..5 {
        client.send(Target::All, &message(), Resend::Never, LONG).await.expect("202");
    }
    let connections = service.seen().into_iter().map(|seen| seen.connection).max();
    assert!(connections < Some(3), "five sends took {connections:?} connections more than one");
}

#[tokio::test]
async fn requests_take_the_way_of_the_server_endpoint_with_a_token_for_the_service() {
    let service = Service::start([]).await;
    let text =
        format!("Endpoint=https://svc.example;ServerEndpoint={}/front;AccessKey={KEY}", service.origin());
    let client = HubClient::new(http(), Endpoint::parse(&text).expect("a good string"), hub());
    client.send(Target::All, &message(), Resend::Never, LONG).await.expect("202");
    let seen = service.seen().pop().expect("a request");
    assert_eq!(seen.line, "POST /front/api/hubs/chat/:send?api-version=2022-06-01");
    assert_eq!(audience(&seen, KEY), "https://svc.example/api/hubs/chat/:send");
}

#[tokio::test]
async fn a_wrong_key_is_denied_with_the_services_reason_and_not_tried_again() {
    let service = Service::start([Reply::Full {
        status: 401,
        headers: "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"\r\n",
        body: "",
    }])
    .await;
    let error = send(&service, Resend::Allowed, LONG).await.expect_err("401");
    let SendError::Denied { status: 401, setting, description } = &error else { panic!("{error:?}") };
    assert_eq!(setting, "AzureSignalRConnectionString");
    assert_eq!(description.as_deref(), Some("The audience is invalid"));
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_request_keeps_the_services_code_and_is_not_tried_again() {
    let service =
        Service::start([Reply::Full { status: 400, headers: "", body: r#"{"code":"InvalidArgument"}"# }])
            .await;
    let error = send(&service, Resend::Allowed, LONG).await.expect_err("400");
    assert!(
        matches!(&error, SendError::Refused { status: 400, code: Some(code) } if code == "InvalidArgument"),
        "{error:?}"
    );
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_404_is_the_services_own_only_with_its_code() {
    let service = Service::start([
        Reply::Status(404),
        Reply::Full { status: 404, headers: "x-ms-error-code: Warning.Group.NotExisted\r\n", body: "" },
    ])
    .await;
    let wrong = send(&service, Resend::Allowed, LONG).await.expect_err("404");
    assert!(matches!(wrong, SendError::WrongEndpoint { .. }), "{wrong:?}");
    let absent = send(&service, Resend::Allowed, LONG).await.expect_err("404");
    assert!(
        matches!(&absent, SendError::NotFound { code } if code == "Warning.Group.NotExisted"),
        "{absent:?}"
    );
}

#[tokio::test]
async fn too_many_requests_waits_as_long_as_asked_and_sends_again() {
    let busy = Reply::Full { status: 429, headers: "Retry-After: 1\r\n", body: "" };
    let service = Service::start([busy]).await;
    let started = Instant::now();
    send(&service, Resend::Never, LONG).await.expect("202 at the second try");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test]
async fn a_wait_longer_than_the_deadline_is_reported_at_once() {
    let busy = Reply::Full { status: 429, headers: "Retry-After: 60\r\n", body: "" };
    let service = Service::start([busy]).await;
    let started = Instant::now();
    let error = send(&service, Resend::Never, LONG).await.expect_err("429");
    let asked = Some(Duration::from_secs(60));
    assert!(
        matches!(error, SendError::Unavailable { status: Some(429), retry_after, .. } if retry_after == asked),
        "{error:?}"
    );
    assert!(started.elapsed() < LONG / 2);
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn an_unavailable_service_is_tried_again_although_nothing_may_arrive_twice() {
    let service = Service::start([Reply::Status(503), Reply::Status(503)]).await;
    send(&service, Resend::Never, LONG).await.expect("202 at the third try");
    assert_eq!(service.seen().len(), 3);
}

#[tokio::test]
async fn tries_are_bounded() {
    let service = Service::start(vec![Reply::Status(503); 20]).await;
    let error = send(&service, Resend::Allowed, LONG).await.expect_err("503");
    assert!(matches!(error, SendError::Unavailable { status: Some(503), .. }), "{error:?}");
    assert_eq!(service.seen().len(), 5);
}

#[tokio::test]
async fn what_may_have_been_delivered_is_sent_again_only_if_allowed() {
    for reply in [Reply::Status(500), Reply::Status(504), Reply::Cut] {
        let service = Service::start([reply.clone()]).await;
        let error = send(&service, Resend::Never, LONG).await.expect_err("no answer that helps");
        assert!(matches!(error, SendError::Unknown { .. }), "{error:?}");
        assert_eq!(service.seen().len(), 1, "{reply:?}");

        let service = Service::start([reply.clone()]).await;
        send(&service, Resend::Allowed, LONG).await.expect("202 at the second try");
        assert_eq!(service.seen().len(), 2, "{reply:?}");
    }
}

#[tokio::test]
async fn a_later_refusal_does_not_hide_that_an_earlier_try_may_have_been_delivered() {
    let mut script = vec![Reply::Status(500)];
    script.extend(vec![Reply::Status(503); 9]);
    let service = Service::start(script).await;
    let error = send(&service, Resend::Allowed, LONG).await.expect_err("503");
    assert!(matches!(error, SendError::Unknown { status: Some(503), .. }), "{error:?}");
}

#[tokio::test]
async fn no_answer_in_time_is_unknown_and_the_deadline_holds() {
    let service = Service::start([Reply::Silence]).await;
    let started = Instant::now();
    let error = send(&service, Resend::Allowed, Duration::from_millis(1500)).await.expect_err("silence");
    assert!(matches!(error, SendError::Unknown { status: None, .. }), "{error:?}");
    assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_definitely_not_delivered() {
    let text = format!("Endpoint={};AccessKey={KEY}", nobody().await);
    let client = HubClient::new(http(), Endpoint::parse(&text).expect("a good string"), hub());
    let error = client.send(Target::All, &message(), Resend::Never, LONG).await.expect_err("nobody there");
    assert!(matches!(error, SendError::Unavailable { status: None, source: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_too_large_is_not_sent() {
    let service = Service::start([]).await;
    let large = Message::new("t", &["x".repeat(BODY_LIMIT)]).expect("an array");
    let error =
        service.client().send(Target::All, &large, Resend::Allowed, LONG).await.expect_err("too large");
    assert!(matches!(error, SendError::TooLarge { size } if size == large.body().len()), "{error:?}");
    assert!(service.seen().is_empty());
}

#[tokio::test]
async fn a_group_that_is_a_dot_segment_does_not_become_a_broadcast() {
    let service = Service::start([]).await;
    let error = service.client().send(Target::Group(".."), &message(), Resend::Never, LONG).await;
    assert!(matches!(error, Err(SendError::InvalidName(_))), "{error:?}");
    assert!(service.seen().is_empty());
}

#[tokio::test]
async fn no_error_shows_key_token_address_or_body() {
    let reply = |status| Reply::Full {
        status,
        headers: "WWW-Authenticate: Bearer error_description=\"token eyJhbGciOiJIUzI1NiJ9.e30.x\"\r\n",
        body: r#"{"code":"x","message":"private words"}"#,
    };
    for reply in [reply(400), reply(401), reply(403), reply(404), reply(413), reply(500), Reply::Cut] {
        let service = Service::start([reply]).await;
        let secret = Target::Group("secret-group");
        let error =
            service.client().send(secret, &message(), Resend::Never, LONG).await.expect_err("a failure");
        let shown = shown(&error);
        for forbidden in [KEY, "eyJ", "private words", "secret-group"] {
            assert!(!shown.contains(forbidden), "{forbidden} in {shown}");
        }
    }
}
