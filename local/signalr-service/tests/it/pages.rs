//! CORS for browsers, and pages that may not use the service.

use crate::raw::RawClient;
use crate::support::TestService;
use reqwest::Response;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const PAGE: &str = "http://localhost:5173";

async fn request(test: &TestService, method: &str, path: &str, origin: &str, token: &str) -> Response {
    let request = test.http.request(method.parse().unwrap(), test.url(path));
    request.header("origin", origin).bearer_auth(token).send().await.unwrap()
}

fn assert_readable(response: &Response) {
    assert_eq!(response.headers()["access-control-allow-origin"], PAGE);
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    assert_eq!(response.headers()["vary"], "Origin");
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_token() {
    let test = TestService::start().await;
    let asked = "authorization,x-requested-with,x-signalr-user-agent";
    let preflight = test
        .http
        .request("OPTIONS".parse().unwrap(), test.url("/client/negotiate?hub=chat&negotiateVersion=1"))
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", asked);
    let response = preflight.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 204);
    assert_readable(&response);
    assert_eq!(response.headers()["access-control-allow-headers"], asked);
    assert_eq!(response.headers()["access-control-allow-methods"], "GET, POST, DELETE");
    test.service.stop().await;
}

#[tokio::test]
async fn a_local_page_may_read_every_reply_errors_included() {
    let test = TestService::start().await;
    let (_, token) = test.client_access("chat", None);
    for (method, path, token, status) in [
        ("POST", "/client/negotiate?hub=chat", token.as_str(), 200),
        ("POST", "/client/negotiate?hub=chat", "bad", 401),
        ("POST", "/client/negotiate", token.as_str(), 400),
        ("GET", "/client/?hub=chat&id=unknown", token.as_str(), 404),
    ] {
        let response = request(&test, method, path, PAGE, token).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_readable(&response);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn pages_from_elsewhere_are_refused_whatever_token_they_made() {
    let test = TestService::start().await;
    let (url, token) = test.client_access("chat", None);
    for origin in ["https://example.com", "null"] {
        let response = request(&test, "POST", "/client/negotiate?hub=chat", origin, &token).await;
        assert_eq!(response.status().as_u16(), 403);
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        let send = test.call("POST", "/api/v1/hubs/chat").header("origin", origin);
        assert_eq!(send.send().await.unwrap().status().as_u16(), 403);
        let mut upgrade = url.replace("http://", "ws://").into_client_request().unwrap();
        upgrade.headers_mut().insert("origin", origin.parse().unwrap());
        upgrade.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        match connect_async(upgrade).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
            other => panic!("{other:?}"),
        }
    }
    RawClient::connect(&url, &token).await.unwrap().shake_hands().await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_page_whose_name_leads_to_this_machine_is_refused() {
    let test = TestService::start().await;
    let (url, token) = test.client_access("chat", None);
    for host in ["evil.example", "evil.example:8888", "localhost.evil.example", "192.168.1.2:8888"] {
        for path in ["/client/negotiate?hub=chat&negotiateVersion=1", "/api/v1/health"] {
            let request = test.http.post(test.url(path)).header("host", host).bearer_auth(&token);
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 403, "{host} {path}");
            assert!(response.text().await.unwrap().contains("localhost"));
        }
        let mut upgrade = url.replace("http://", "ws://").into_client_request().unwrap();
        upgrade.headers_mut().insert("host", host.parse().unwrap());
        upgrade.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        match connect_async(upgrade).await {
            Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 403),
            other => panic!("{other:?}"),
        }
    }
    test.service.stop().await;
}
