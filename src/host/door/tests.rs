//! Requests as the host and others make them, to a door with functions that say how they were called.

use axum::body::{Body, to_bytes};
use axum::http;
use serde_json::{Value, json};

use super::*;

static FUNCTIONS: [Function<()>; 4] = [
    Function { name: "OnEvents", kind: Kind::Trigger(|(), request| Box::pin(on_events(request))) },
    Function {
        name: "echo",
        kind: Kind::Http(Http {
            route: "echo",
            methods: &["GET", "HEAD", "POST"],
            access: Access::Named,
            size: Size::Small,
            answers: |(), call| Box::pin(echo(call)),
        }),
    },
    Function {
        name: "groups",
        kind: Kind::Http(Http {
            route: "groups/{group?}",
            methods: &["PUT", "DELETE"],
            access: Access::Anonymous,
            size: Size::Small,
            answers: |(), call| Box::pin(echo(call)),
        }),
    },
    Function {
        name: "anything",
        kind: Kind::Http(Http {
            route: "{first?}/{second?}",
            methods: &["GET", "POST", "PATCH"],
            access: Access::Anonymous,
            size: Size::Small,
            answers: |(), _| Box::pin(async { Answer::json(StatusCode::OK, json!("anything").to_string()) }),
        }),
    },
];

async fn on_events(request: Vec<u8>) -> Answer {
    let body = json!({ "events": String::from_utf8_lossy(&request) });
    Answer::json(StatusCode::OK, body.to_string())
}

async fn echo(call: &Call) -> Answer {
    let body = json!({
        "method": call.method.as_str(),
        "group": call.parameters.get("group").unwrap(),
        "query": call.query,
        "known": call.if_none_match,
        "user": call.user,
        "body": String::from_utf8_lossy(&call.body),
    });
    Answer::json(StatusCode::OK, body.to_string())
}

/// An app of the first `functions` of them.
fn door(functions: usize, calls: Calls, prefix: &str) -> Door<()> {
    let host = HostJson { calls, prefix: prefix.to_owned() };
    Door { functions: &FUNCTIONS[..functions], host, callers: Callers::Authenticated }
}

fn forwarded(prefix: &str) -> Door<()> {
    door(3, Calls::Forwarded, prefix)
}

fn wrapped(prefix: &str) -> Door<()> {
    door(3, Calls::Wrapped, prefix)
}

/// The status, the methods that are said to be allowed, and the body.
async fn send(door: &Door<()>, request: http::Request<Body>) -> (u16, String, Value) {
    let response = door.answer(&(), request).await;
    let status = response.status().as_u16();
    let allow = response.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, allow.unwrap_or_default(), serde_json::from_slice(&body).unwrap())
}

async fn call(door: &Door<()>, method: &str, path: &str, body: &str) -> (u16, String, Value) {
    let request = http::Request::builder().method(method).uri(path);
    let request = request.header("x-ms-client-principal-id", "alice").header("if-none-match", "W/\"1\"");
    let request =
        request.header("content-type", "application/json").header("x-azure-functions-invocationid", "1");
    send(door, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The status, and the code of the error if it is one.
async fn check(door: &Door<()>, method: &str, path: &str) -> (u16, String) {
    let (status, _, body) = call(door, method, path, "").await;
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// What the host posts for a call that it wraps.
fn envelope(method: &str, url: &str, user: &str, body: &str) -> String {
    let headers = json!({ "X-MS-CLIENT-PRINCIPAL-ID": [user], "If-None-Match": ["W/\"2\""] });
    let req = json!({ "Url": url, "Method": method, "Headers": headers, "Body": body });
    json!({ "Data": { "req": req }, "Metadata": {} }).to_string()
}

/// The answer in the envelope that the host is given.
fn unwrapped(reply: &Value) -> (u64, Value) {
    let res = &reply["Outputs"]["res"];
    let body = serde_json::from_str(res["body"].as_str().unwrap()).unwrap();
    (res["statusCode"].as_u64().unwrap(), body)
}

#[tokio::test]
async fn a_forwarded_call_reaches_its_function_with_all_it_says() {
    for (prefix, path) in
        [("api", "/api/echo?a=b%20c"), ("", "/echo?a=b%20c"), ("x/v1", "/x/v1/echo?a=b%20c")]
    {
        let (status, _, said) = call(&forwarded(prefix), "POST", path, "hello").await;
        let expected = json!({
            "method": "POST", "group": null, "query": "a=b%20c", "known": "W/\"1\"", "user": "alice", "body": "hello",
        });
        assert_eq!((status, said), (200, expected), "{path}");
    }
    let (_, _, said) = call(&forwarded("api"), "PUT", "/api/groups/geo%3AN%2FS", "").await;
    assert_eq!(
        (&said["group"], &said["user"]),
        (&json!("geo:N/S"), &json!(null)),
        "it does not ask who calls"
    );
}

#[tokio::test]
async fn a_wrapped_call_reaches_its_function_with_all_it_says() {
    let door = wrapped("site/v1");
    let sent = envelope("POST", "https://app/site/v1/echo?a=b%20c", "bob", "hello");
    let (status, _, reply) = call(&door, "POST", "/echo", &sent).await;
    let expected = json!({
        "method": "POST", "group": null, "query": "a=b%20c", "known": "W/\"2\"", "user": "bob", "body": "hello",
    });
    assert_eq!((status, unwrapped(&reply)), (200, (200, expected)));
    let sent = envelope("DELETE", "https://app/site/v1/groups/geo%3AN%2FS", "bob", "");
    let (_, _, reply) = call(&door, "POST", "/groups", &sent).await;
    assert_eq!(unwrapped(&reply).1["group"], json!("geo:N/S"));
}

#[tokio::test]
async fn an_address_is_found_in_the_one_way_that_host_json_says() {
    let not_found = (404, "not_found".to_owned());
    for (door, path) in [
        (forwarded("api"), "/echo"),
        (forwarded("api"), "/api/echo/x"),
        (forwarded("api"), "/api%2Fecho"),
        (forwarded("api"), "/api/OnEvents"),
        (forwarded(""), "/api/echo"),
        (forwarded("site/v1"), "/api/echo"),
        (forwarded("site/v1"), "/v1/echo"),
        (wrapped("api"), "/api/echo"),
        (wrapped("api"), "/groups/all"),
        (wrapped(""), "/other"),
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(check(&door, method, path).await, not_found, "{method} {path} of {:?}", door.host);
        }
    }
}

#[tokio::test]
async fn an_unknown_address_is_answered_with_the_known_ones() {
    for (door, tried) in [
        (forwarded("api"), "try /api/echo or /api/groups/{group?}"),
        (forwarded(""), "try /echo or /groups/{group?}"),
        (forwarded("site/v1"), "try /site/v1/echo or /site/v1/groups/{group?}"),
        (wrapped("api"), "try /echo or /groups"),
    ] {
        let (_, _, said) = call(&door, "GET", "/nothing", "").await;
        assert_eq!(said["error"], json!(format!("there is no function at /nothing; {tried}")));
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_allowed() {
    for (door, method, path, allowed) in [
        (forwarded("api"), "DELETE", "/api/echo", "GET, POST"),
        (forwarded("api"), "HEAD", "/api/groups/all", "PUT, DELETE"),
        (forwarded(""), "GET", "/groups", "PUT, DELETE"),
        (forwarded("api"), "PUT", "/OnEvents", "POST"),
        (wrapped("api"), "GET", "/OnEvents", "POST"),
        (wrapped("api"), "GET", "/echo", "POST"),
    ] {
        let (status, allow, said) = call(&door, method, path, "").await;
        assert_eq!((status, allow.as_str()), (405, allowed), "{method} {path}");
        assert_eq!(said["error"], json!(format!("this function answers {allowed}")));
    }
    for method in ["PATCH", "no method"] {
        let sent = envelope(method, "https://app/api/echo", "bob", "");
        let (_, _, reply) = call(&wrapped("api"), "POST", "/echo", &sent).await;
        let (status, said) = unwrapped(&reply);
        assert_eq!((status, &said["error"]), (405, &json!("this function answers GET, POST")));
    }
}

#[tokio::test]
async fn head_is_answered_where_the_table_says_so() {
    assert_eq!(check(&forwarded("api"), "HEAD", "/api/echo").await.0, 200);
    let sent = envelope("HEAD", "https://app/api/echo", "bob", "");
    let (_, _, reply) = call(&wrapped("api"), "POST", "/echo", &sent).await;
    assert_eq!(unwrapped(&reply).0, 200);
}

/// A6: with an empty prefix, both kinds of calls would come to the same address.
#[tokio::test]
async fn a_forwarded_body_that_looks_like_an_envelope_is_only_a_body() {
    for (prefix, path) in [("", "/echo"), ("api", "/api/echo")] {
        let forged = envelope("GET", "https://app/echo?forged", "mallory", "forged");
        let (_, _, said) = call(&forwarded(prefix), "POST", path, &forged).await;
        assert_eq!((&said["user"], &said["body"]), (&json!("alice"), &json!(forged)), "{path}");
    }
}

#[tokio::test]
async fn a_wrapped_call_without_an_envelope_is_no_call() {
    let (status, _, said) = call(&wrapped(""), "POST", "/echo", "{}").await;
    assert_eq!((status, &said["code"]), (400, &json!("bad_envelope")));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_either_way() {
    let large = "x".repeat(LARGEST_CALL + 1);
    for (door, path) in [(forwarded("api"), "/api/echo"), (wrapped("api"), "/echo")] {
        let (status, _, said) = call(&door, "POST", path, &large).await;
        assert_eq!((status, &said["code"]), (413, &json!("too_large")));
    }
    let (status, _, _) = call(&forwarded("api"), "POST", "/OnEvents", &large).await;
    assert_eq!(status, 200, "a batch may be larger");
}

/// Even with an empty prefix and a route that would match every address.
#[tokio::test]
async fn the_address_of_a_trigger_is_never_that_of_a_function_for_clients() {
    for (calls, prefix) in [
        (Calls::Forwarded, ""),
        (Calls::Forwarded, "OnEvents"),
        (Calls::Forwarded, "api"),
        (Calls::Wrapped, ""),
    ] {
        let door = door(4, calls, prefix);
        let (status, _, said) = call(&door, "POST", "/OnEvents?a=b", "[]").await;
        assert_eq!((status, said), (200, json!({ "events": "[]" })), "{:?}", door.host);
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let refused = (405, "method_not_allowed".to_owned());
            assert_eq!(check(&door, method, "/OnEvents").await, refused, "{method} {:?}", door.host);
        }
    }
}

/// Spelt in another way it is another address, which only a function for clients can have.
#[tokio::test]
async fn no_other_spelling_leads_to_a_trigger() {
    let door = door(4, Calls::Forwarded, "");
    for path in [
        "/OnEvents/",
        "//OnEvents",
        "/onevents",
        "/%4FnEvents",
        "/OnEvents%20",
        "/./OnEvents",
        "/groups/../OnEvents",
        "/groups/..%2FOnEvents",
        "/groups/..%5COnEvents",
        "/OnEvents;a",
    ] {
        let (_, _, said) = call(&door, "POST", path, "[]").await;
        assert_eq!(said.get("events"), None, "{path}");
    }
}

/// A page in somebody's browser can post a text to any port of that machine, but no JSON and no header of its own.
#[tokio::test]
async fn a_trigger_takes_only_what_the_host_posts() {
    let door = forwarded("api");
    let post = async |headers: &[(&str, &str)]| {
        let request = http::Request::post("/OnEvents");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (status, _, body) = send(&door, request.body(Body::from("[]")).unwrap()).await;
        (status, body)
    };
    let invocation = ("X-Azure-Functions-InvocationId", "5f1d3c8e-0b57-4c0a-9a55-0d6f2f6b7a10");
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON ;a=b"] {
        let (status, said) = post(&[invocation, ("content-type", content_type)]).await;
        assert_eq!((status, said), (200, json!({ "events": "[]" })), "{content_type}");
    }
    for content_type in ["", "text/plain", "text/plain; application/json", "application/jsonp", "json"] {
        let (status, said) = post(&[invocation, ("content-type", content_type)]).await;
        assert_eq!((status, &said["code"]), (415, &json!("not_json")), "{content_type}");
    }
    let (status, said) = post(&[invocation]).await;
    assert_eq!((status, &said["code"]), (415, &json!("not_json")));
    for headers in
        [vec![], vec![("x-azure-functions-invocationid", "")], vec![("x-azure-functions-hostversion", "4")]]
    {
        let (status, said) = post(&[headers, vec![("content-type", "application/json")]].concat()).await;
        assert_eq!((status, &said["code"]), (400, &json!("no_invocation")));
        let sentence = said["error"].as_str().unwrap();
        assert!(sentence.contains("`Content-Type: application/json`"), "{sentence}");
        assert!(sentence.contains("`X-Azure-Functions-InvocationId: <any id>`"), "{sentence}");
    }
}

#[tokio::test]
async fn a_caller_whose_name_cannot_be_read_is_refused_and_not_nobody() {
    let principal = http::HeaderValue::from_bytes("ren\u{e9}e".as_bytes()).unwrap();
    let request = http::Request::get("/api/echo").header("x-ms-client-principal-id", &principal);
    let (status, _, said) = send(&forwarded("api"), request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, &said["code"]), (400, &json!("bad_principal")), "{said}");
    let sent = envelope("GET", "https://app/api/echo", "ren\u{e9}e", "");
    let (_, _, reply) = call(&wrapped("api"), "POST", "/echo", &sent).await;
    let (status, said) = unwrapped(&reply);
    assert_eq!((status, &said["code"]), (400, &json!("bad_principal")), "{said}");
}
