//! Several endpoints of one hub: who is called, who is passed over, where new clients go.

use std::time::{Instant, SystemTime};

use fieldcast_signalr::{
    ClientClaims, DEFAULT_SETTING, Endpoints, HubClient, Message, Presence, Resend, SendError, Target,
};

use crate::service::{KEY, LONG, Reply, Service, http, hub};
use crate::token::{audience, verified};

const WEST: &str = "Azure__SignalR__Endpoints__west__secondary";

fn client(main: &Service, west: &Service) -> HubClient {
    let settings = [(DEFAULT_SETTING, main.connection_string()), (WEST, west.connection_string())];
    let endpoints = Endpoints::from_settings(settings, DEFAULT_SETTING).expect("good settings");
    HubClient::with_endpoints(http(), endpoints, hub())
}

async fn send(client: &HubClient) -> Result<(), SendError> {
    let message = Message::new("t", &[1]).expect("an array");
    client.send(Target::All, &message, Resend::Never, LONG).await
}

fn negotiated(client: &HubClient) -> String {
    client.negotiate(&ClientClaims::user("alice"), SystemTime::now(), 0).expect("good claims").url
}

fn failed(error: SendError) -> Vec<(String, SendError)> {
    let SendError::Endpoints(failures) = error else { panic!("{error:?}") };
    failures.failed.into_iter().map(|failure| (failure.endpoint, failure.error)).collect()
}

fn absent() -> Reply {
    Reply::Full { status: 404, headers: "x-ms-error-code: Warning.Connection.NotExisted\r\n", body: "" }
}

#[tokio::test]
async fn messages_go_to_primary_and_secondary_each_with_its_own_token() {
    let (main, west) = (Service::start([]).await, Service::start([]).await);
    send(&client(&main, &west)).await.expect("202 twice");
    for service in [&main, &west] {
        let seen = service.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(audience(&seen[0], KEY), format!("{}/api/hubs/chat/:send", service.origin()));
    }
}

#[tokio::test]
async fn a_failure_names_its_endpoint_and_counts_the_others() {
    let (main, west) = (Service::start([]).await, Service::start([Reply::Status(400)]).await);
    let error = send(&client(&main, &west)).await.expect_err("one of two");
    let SendError::Endpoints(failures) = &error else { panic!("{error:?}") };
    assert_eq!(failures.succeeded, 1);
    assert_eq!(error.to_string(), "1 of 2 endpoints failed; west: refused by the service with status 400");
}

#[tokio::test]
async fn a_silent_endpoint_is_passed_over_and_new_clients_go_elsewhere() {
    let (main, west) = (Service::start([Reply::Cut, Reply::Cut]).await, Service::start([]).await);
    let client = client(&main, &west);
    assert!(negotiated(&client).starts_with(&main.origin()));
    for _ in 0..2 {
        let failures = failed(send(&client).await.expect_err("cut"));
        assert!(matches!(&failures[..], [(name, SendError::Unknown { .. })] if name == DEFAULT_SETTING));
    }
    send(&client).await.expect("the other endpoint took it");
    assert_eq!((main.seen().len(), west.seen().len()), (2, 3));
    assert!(negotiated(&client).starts_with(&west.origin()));

    client.health(LONG).await.expect("both are well again");
    assert!(client.endpoints().all(|(_, presence)| presence == Presence::Online));
    assert!(negotiated(&client).starts_with(&main.origin()));
}

#[tokio::test]
async fn refusals_do_not_make_an_endpoint_silent() {
    let (main, west) = (Service::start(vec![Reply::Status(401); 3]).await, Service::start([]).await);
    let client = client(&main, &west);
    for _ in 0..3 {
        send(&client).await.expect_err("401");
    }
    assert_eq!(main.seen().len(), 3);
}

#[tokio::test]
async fn when_all_are_silent_all_are_tried() {
    let (main, west) = (Service::start(vec![Reply::Cut; 2]).await, Service::start(vec![Reply::Cut; 2]).await);
    let client = client(&main, &west);
    for _ in 0..2 {
        send(&client).await.expect_err("cut");
    }
    send(&client).await.expect("both are back");
    assert_eq!((main.seen().len(), west.seen().len()), (3, 3));
}

#[tokio::test]
async fn a_connection_is_found_wherever_it_is() {
    let (main, west) = (Service::start([absent()]).await, Service::start([Reply::Status(200)]).await);
    assert!(client(&main, &west).connection_exists("c", LONG).await.expect("an answer"));

    let (main, west) = (Service::start([absent()]).await, Service::start([absent()]).await);
    assert!(!client(&main, &west).connection_exists("c", LONG).await.expect("an answer"));

    let (main, west) = (Service::start([absent()]).await, Service::start([Reply::Status(400)]).await);
    let failures =
        failed(client(&main, &west).connection_exists("c", LONG).await.expect_err("not all asked"));
    assert!(matches!(&failures[..], [(name, SendError::Refused { .. })] if name == "west"), "{failures:?}");
}

#[tokio::test]
async fn an_existing_connection_is_found_past_a_mute_endpoint() {
    let (main, west) = (Service::start([Reply::Status(200)]).await, Service::start([Reply::Silence]).await);
    let started = Instant::now();
    assert!(client(&main, &west).connection_exists("c", LONG).await.expect("one endpoint knows it"));
    assert!(started.elapsed() < LONG / 2, "waited for the mute one: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_client_token_is_for_the_client_address_without_its_port() {
    let (main, west) = (Service::start([]).await, Service::start([]).await);
    let access = client(&main, &west)
        .negotiate(&ClientClaims::user("alice").role("admin"), SystemTime::now(), 0)
        .expect("good claims");
    assert_eq!(access.url, format!("{}/client/?hub=chat", main.origin()));
    let claims = verified(&access.access_token, KEY);
    assert_eq!(claims["aud"], "http://127.0.0.1/client/?hub=chat");
    assert_eq!((&claims["asrs.s.uid"], &claims["role"]), (&"alice".into(), &"admin".into()));
}
