//! The npm client in a Node process, and the application that it negotiates with.

use crate::deadline::DEADLINE;
use crate::support::TestService;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use fieldcast_test_clients::{ClientEvent, ClientOptions, NodeClient};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The application's negotiate endpoint: it sends clients to the service with a token.
pub(crate) struct Application {
    pub(crate) negotiate_url: String,
    server: JoinHandle<()>,
}

impl Application {
    pub(crate) async fn sending_to(url: String, token: String) -> Application {
        let reply = json!({ "url": url, "accessToken": token }).to_string();
        let negotiate = move || async move { ([(CONTENT_TYPE, "application/json")], reply) };
        let app = Router::new().route("/api/negotiate", post(negotiate));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let negotiate_url = format!("http://{}/api/negotiate", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Application { negotiate_url, server }
    }

    async fn of(test: &TestService, user: Option<&str>) -> Application {
        let (url, token) = test.client_access("chat", user);
        Application::sending_to(url, token).await
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) struct Client {
    pub(crate) node: NodeClient,
    pub(crate) id: String,
    _application: Application,
}

impl Client {
    pub(crate) async fn connected(test: &TestService, user: Option<&str>, options: &ClientOptions) -> Client {
        let application = Application::of(test, user).await;
        let mut node = NodeClient::spawn_with(&application.negotiate_url, options).unwrap();
        match node.next(DEADLINE).await.unwrap() {
            ClientEvent::Connected { connection_id: id } => Client { node, id, _application: application },
            other => panic!("not connected: {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> ClientEvent {
        self.node.next(DEADLINE).await.unwrap()
    }

    pub(crate) async fn expect(&mut self, expected: &[&str]) {
        for text in expected {
            match self.next().await {
                ClientEvent::Message { target, arguments } if target == "newMessage" => {
                    assert_eq!(arguments, [json!(text)], "expected {expected:?}");
                }
                other => panic!("{other:?} instead of {text}"),
            }
        }
    }
}

/// Every way to connect: each transport with each protocol that it can carry.
pub(crate) fn every_way() -> impl Iterator<Item = ClientOptions> {
    let ways = [
        ("WebSockets", "json"),
        ("WebSockets", "messagepack"),
        ("ServerSentEvents", "json"),
        ("LongPolling", "json"),
        ("LongPolling", "messagepack"),
    ];
    ways.into_iter().map(|(transport, protocol)| ClientOptions {
        transport: Some(transport.into()),
        protocol: Some(protocol.into()),
        ..ClientOptions::default()
    })
}
