//! Who is told what: `PublishMode=groups` and `subscriptions`, with the handler process, the SignalR stand-in and npm
//! clients.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::IntoResponse;
use fieldcast::primitives::ids::DeviceId;
use fieldcast::screens::groups::Group;
use fieldcast::screens::publish::{
    Audience, Change, GroupOccupancy, Occupied, PublishMode, Publisher, SETTLES_AFTER, SignalRPublisher,
};
use fieldcast_signalr::{Endpoint, HubClient, HubName};
use fieldcast_signalr_service::{Service, ServiceConfig};
use fieldcast_test_clients::{ClientEvent, NodeClient};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::stack::{Options, PATIENCE, Stack, http};

/// A connected npm client, and how it subscribes.
struct Client {
    client: NodeClient,
    id: String,
}

impl Client {
    async fn connect(stack: &Stack) -> Client {
        let mut client = NodeClient::spawn(&stack.url("/api")).unwrap();
        match client.next(PATIENCE).await.unwrap() {
            ClientEvent::Connected { connection_id: id } => Client { client, id },
            other => panic!("not connected: {other:?}"),
        }
    }

    async fn following(stack: &Stack, group: &str) -> Client {
        let client = Client::connect(stack).await;
        let (status, reply) = subscription(stack, reqwest::Method::PUT, group, &client.id).await;
        assert_eq!(status, 200, "{reply}");
        client
    }

    /// The device states of the next message, as `device@area`.
    async fn hears(&mut self) -> Vec<String> {
        match self.client.next(PATIENCE).await.unwrap() {
            ClientEvent::Message { arguments, .. } => {
                let word = |state: &Value, name: &str| state[name].as_str().unwrap_or("?").to_owned();
                let states = arguments[0].as_array().unwrap().iter();
                states.map(|state| format!("{}@{}", word(state, "deviceId"), word(state, "geo"))).collect()
            }
            other => panic!("no message: {other:?}"),
        }
    }

    /// Asks for the snapshot and insists that nothing else comes before it.
    async fn hears_nothing_but_what_it_asks_for(&mut self, stack: &Stack, snapshot: &[&str]) {
        let (status, reply) =
            stack.post("/api/getdevicestate", &json!({ "connectionId": self.id }).to_string()).await;
        assert_eq!(status, 200, "{reply}");
        assert_eq!(self.hears().await, snapshot);
    }
}

async fn subscription(stack: &Stack, method: reqwest::Method, group: &str, connection: &str) -> (u16, Value) {
    let url = stack.url(&format!("/api/subscriptions/{group}?connectionId={connection}"));
    answer(http().request(method, url)).await
}

/// As the page does where the group has a comma.
async fn by_body(stack: &Stack, method: reqwest::Method, group: &str, connection: &str) -> (u16, Value) {
    let body = json!({ "group": group, "connectionId": connection }).to_string();
    let call = http().request(method, stack.url("/api/subscriptions"));
    answer(call.header("content-type", "application/json").body(body)).await
}

async fn answer(call: reqwest::RequestBuilder) -> (u16, Value) {
    let reply = call.send().await.unwrap();
    (reply.status().as_u16(), serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap())
}

async fn start(storage: &std::path::Path) -> Stack {
    let settings = vec![("PublishMode", "groups".to_owned())];
    let options = Options { settings, ..Options::default() };
    Stack::start(&format!("Embedded={}", storage.display()), options).await
}

async fn send(stack: &Stack, device: &str, area: &str) {
    stack.send(device, json!({ "temperature": 20, "geo": area }).to_string()).await;
    stack.drained().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_hears_what_it_follows_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let mut everything = Client::following(&stack, "all").await;
    let mut sydney = Client::following(&stack, "geo:Sydney").await;
    let mut odd = Client::following(&stack, "geo%3AHay%2C%20%22WA%22%2F%C3%BC").await;
    let mut device = Client::following(&stack, "device:d2").await;
    let mut nothing = Client::connect(&stack).await;

    for (id, area) in [("d1", "Sydney"), ("d2", "Perth"), ("d3", "Hay, \"WA\"/ü"), ("d1", "Perth")] {
        send(&stack, id, area).await;
    }
    for expected in ["d1@Sydney", "d2@Perth", "d3@Hay, \"WA\"/ü", "d1@Perth"] {
        assert_eq!(everything.hears().await, [expected]);
    }
    assert_eq!(sydney.hears().await, ["d1@Sydney"]);
    assert_eq!(sydney.hears().await, ["d1@Perth"], "it left");
    assert_eq!(odd.hears().await, ["d3@Hay, \"WA\"/ü"]);
    assert_eq!(device.hears().await, ["d2@Perth"]);

    let (status, reply) = subscription(&stack, reqwest::Method::DELETE, "geo:Sydney", &sydney.id).await;
    assert_eq!((status, reply), (200, json!({ "group": "geo:Sydney" })));
    send(&stack, "d4", "Sydney").await;
    let snapshot = ["d1@Perth", "d2@Perth", "d3@Hay, \"WA\"/ü", "d4@Sydney"];
    for client in [&mut sydney, &mut odd, &mut device, &mut nothing] {
        client.hears_nothing_but_what_it_asks_for(&stack, &snapshot).await;
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_watches_nothing_is_sent() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    send(&stack, "d1", "Sydney").await;
    assert_eq!(stack.signalr.counts().sends_accepted, 0);
    // This process has just been told that the groups are empty, and yet the client misses nothing.
    let mut client = Client::following(&stack, "device:d1").await;
    send(&stack, "d1", "Sydney").await;
    assert_eq!(client.hears().await, ["d1@Sydney"]);
    assert_eq!(stack.signalr.counts().sends_accepted, 1, "to one group, not to each that there could be");
    stack.stop().await;
}

/// The host cuts the path of an address at `#`, but neither a query nor a body.
#[tokio::test(flavor = "multi_thread")]
async fn areas_that_no_path_carries_are_followed_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let (mut by_query, mut by_body) = (Client::connect(&stack).await, Client::connect(&stack).await);
    let address = format!("/api/subscriptions?group=geo%3ARig%20%234%3F%5C&connectionId={}", by_query.id);
    let body = json!({ "group": "geo:Rig #4?\\", "connectionId": by_body.id });
    for call in
        [http().put(stack.url(&address)), http().put(stack.url("/api/subscriptions")).body(body.to_string())]
    {
        let reply = call.send().await.unwrap();
        let (status, reply) = (reply.status(), reply.text().await.unwrap());
        assert_eq!(status, 200, "{reply}");
        let joined: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!(joined["group"], json!("geo:Rig #4?\\"));
    }
    send(&stack, "d1", "Rig #4?\\").await;
    assert_eq!(by_query.hears().await, ["d1@Rig #4?\\"]);
    assert_eq!(by_body.hears().await, ["d1@Rig #4?\\"]);
    stack.stop().await;
}

/// A query does not tell "N,all" from two groups, which the host joins with a comma.
#[tokio::test(flavor = "multi_thread")]
async fn areas_with_commas_are_followed_and_left() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    let mut client = Client::connect(&stack).await;
    let areas = [("d1", "Sydney, CBD"), ("d2", "N,all"), ("d3", "Sydney,")];
    for (device, area) in areas {
        let group = format!("geo:{area}");
        let (status, reply) = by_body(&stack, reqwest::Method::PUT, &group, &client.id).await;
        assert_eq!((status, &reply["group"]), (200, &json!(group)), "{reply}");
        send(&stack, device, area).await;
        assert_eq!(client.hears().await, [format!("{device}@{area}")]);
        let left = by_body(&stack, reqwest::Method::DELETE, &group, &client.id).await;
        assert_eq!(left, (200, json!({ "group": group })));
    }
    for (device, area) in areas {
        send(&stack, device, area).await;
    }
    let snapshot = ["d1@Sydney, CBD", "d2@N,all", "d3@Sydney,"];
    client.hears_nothing_but_what_it_asks_for(&stack, &snapshot).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_connection_joins_nothing() {
    let data = tempfile::tempdir().unwrap();
    let stack = start(data.path()).await;
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE] {
        for group in ["all", "geo:Sydney", "device:d1"] {
            let (status, reply) = subscription(&stack, method.clone(), group, "nobody-has-this-id").await;
            assert_eq!((status, &reply["code"]), (404, &json!("unknown_connection")), "{method} {group}");
        }
    }
    let (status, reply) = subscription(&stack, reqwest::Method::PUT, "geo:Sydney%2F..%2F..", "c").await;
    assert_eq!((status, &reply["code"]), (404, &json!("unknown_connection")), "an area may be called so");
    let (status, reply) = subscription(&stack, reqwest::Method::PUT, "..%2F..%2Fnegotiate", "c").await;
    assert_eq!((status, &reply["code"]), (400, &json!("bad_group")));
    stack.stop().await;
}

fn hub(connection_string: &str) -> HubClient {
    let endpoint = Endpoint::parse(connection_string).unwrap();
    HubClient::new(http(), endpoint, HubName::new("enviromon").unwrap())
}

async fn service() -> (Service, GroupOccupancy) {
    let config = ServiceConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServiceConfig::default() };
    let service = Service::start(config).await.unwrap();
    let occupancy = GroupOccupancy::new(hub(&service.connection_string()));
    (service, occupancy)
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Those that certainly have members.
async fn certain(occupancy: &GroupOccupancy, groups: Vec<Group>) -> Vec<Group> {
    let Occupied { certain, uncertain } = occupancy.with_members(groups, soon()).await;
    assert_eq!(uncertain, [], "the service answers");
    certain
}

async fn passes(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn the_service_is_asked_once_in_a_few_seconds() {
    let (service, occupancy) = service().await;
    let groups = || vec![Group::All, Group::area("Sydney").unwrap()];
    for calls in [2, 2] {
        assert!(certain(&occupancy, groups()).await.is_empty());
        assert_eq!(service.counts().rest_calls, calls);
    }
    occupancy.joined(Group::All);
    assert_eq!(certain(&occupancy, groups()).await, [Group::All]);
    assert_eq!(service.counts().rest_calls, 2);
    passes(SETTLES_AFTER).await;
    assert!(certain(&occupancy, groups()).await.is_empty(), "nobody is in it any more");
    assert_eq!(service.counts().rest_calls, 4);
    service.stop().await;
}

#[tokio::test]
async fn a_service_that_says_nothing_may_have_watchers() {
    let (service, occupancy) = service().await;
    service.faults().fail_next(1_000, 500);
    let answer = occupancy.with_members(vec![Group::All], Instant::now() + Duration::from_millis(200)).await;
    assert_eq!(answer, Occupied { certain: vec![], uncertain: vec![Group::All] });
    service.faults().clear();
    passes(Duration::from_secs(1)).await;
    assert!(certain(&occupancy, vec![Group::All]).await.is_empty(), "and is asked again");
    service.stop().await;
}

/// A service whose answers to "has this group members?" come when the test lets them, and say no.
struct Slow {
    connection_string: String,
    asked: watch::Receiver<usize>,
    answering: watch::Sender<bool>,
    sent: watch::Receiver<Vec<String>>,
    server: JoinHandle<()>,
}

impl Slow {
    async fn start() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((asks, asked), (answering, answers)) = (watch::channel(0), watch::channel(false));
        let (sends, sent) = watch::channel(Vec::new());
        let service = move |method: Method, uri: Uri| {
            let (asks, sends, mut answers) = (asks.clone(), sends.clone(), answers.clone());
            async move {
                if method == Method::HEAD {
                    asks.send_modify(|asked| *asked += 1);
                    answers.wait_for(|answer| *answer).await.unwrap();
                    let code = [("x-ms-error-code", "Warning.Group.NotExisted")];
                    return (StatusCode::NOT_FOUND, code).into_response();
                }
                sends.send_modify(|sent| sent.push(uri.path().to_owned()));
                StatusCode::ACCEPTED.into_response()
            }
        };
        let server = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(service)).await.unwrap();
        });
        let connection_string =
            format!("Endpoint=http://127.0.0.1;Port={port};AccessKey=c2xvd3Nsb3c=;Version=1.0;");
        Slow { connection_string, asked, answering, sent, server }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test]
async fn whoever_joins_while_the_service_is_being_asked_is_not_forgotten() {
    let mut service = Slow::start().await;
    let occupancy = Arc::new(GroupOccupancy::new(hub(&service.connection_string)));
    let asking = tokio::spawn({
        let occupancy = Arc::clone(&occupancy);
        async move { occupancy.with_members(vec![Group::All], soon()).await }
    });
    service.asked.wait_for(|asked| *asked == 1).await.unwrap();
    occupancy.joined(Group::All);
    service.answering.send_replace(true);
    asking.await.unwrap();
    assert_eq!(certain(&occupancy, vec![Group::All]).await, [Group::All]);
    assert_eq!(*service.asked.borrow(), 1);
}

#[tokio::test]
async fn a_service_that_does_not_say_who_watches_is_sent_to_where_one_message_reaches_many() {
    let mut service = Slow::start().await;
    let hub = hub(&service.connection_string);
    let occupancy = Arc::new(GroupOccupancy::new(hub.clone()));
    let publisher = SignalRPublisher::new(hub, PublishMode::Groups, occupancy);
    let changes: Vec<Change> = (0..40)
        .map(|number| DeviceId::parse(&format!("d{number}")).unwrap())
        .map(|device| Change {
            source: device.clone(),
            device,
            area: Some("Sydney".to_owned()),
            left: None,
            state: b"{}".to_vec(),
        })
        .collect();
    let patience = Duration::from_secs(8);
    let announced = publisher.publish(Audience::Watchers, &changes, patience).await;
    let said = announced.unwrap_err().to_string();
    assert!(
        said.ends_with("groups were left out, the service did not say whether they have members"),
        "{said}"
    );
    let mut sent = service.sent.borrow_and_update().clone();
    sent.sort();
    let path = |group: &str| format!("/api/hubs/enviromon/groups/{group}/:send");
    assert_eq!(sent, [path("all"), path("geo%3ASydney")]);
}
