//! What callers learn when something is wrong: what to do, and nothing about files, settings or the store.

use fieldcast_tables::{
    Continuation, CredentialKind, Deadline, Error, Etag, Failure, Invalid, Operation, Page, Query, Reply,
    Stored, TableName, TableStore,
};

use super::*;

/// What only the operator may read, in every error of the store below.
const SECRET: &str = "/srv/fieldcast/rows.redb";

/// Parts of sentences about files, settings and the store.
const TELLTALE: [&str; 14] = [
    SECRET,
    "/srv",
    "Partition",
    "Shards",
    "Connection",
    "SignalRHub",
    "setting",
    "AccountKey",
    "TableN",
    "DeviceState table",
    "etag",
    "redb",
    "attempts",
    "denied",
];

/// A store that fails in one way, and says why in full.
#[derive(Debug)]
struct Telling(fn() -> Error);

impl Telling {
    fn fail<'a, T: Send + 'a>(&'a self) -> Reply<'a, T> {
        Box::pin(async move { Err((self.0)()) })
    }
}

impl TableStore for Telling {
    fn create_table<'a>(&'a self, _: &'a TableName, _: Deadline) -> Reply<'a, ()> {
        self.fail()
    }

    fn get<'a>(&'a self, _: &'a TableName, _: &'a str, _: &'a str, _: Deadline) -> Reply<'a, Option<Stored>> {
        self.fail()
    }

    fn query<'a>(
        &'a self,
        _: &'a TableName,
        _: &'a Query,
        _: Option<&'a Continuation>,
        _: Deadline,
    ) -> Reply<'a, Page> {
        self.fail()
    }

    fn transact<'a>(
        &'a self,
        _: &'a TableName,
        _: Vec<Operation>,
        _: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.fail()
    }
}

fn cause() -> Option<Box<dyn std::error::Error + Send + Sync>> {
    Some(SECRET.into())
}

const ERRORS: [fn() -> Error; 7] = [
    || Error::Conflict { index: Some(0), code: SECRET.to_owned() },
    || Error::Unknown { last: Failure::Disk, source: cause() },
    || Error::Unavailable {
        attempts: 3,
        last: Failure::Answered { status: 503, code: SECRET.to_owned() },
        source: cause(),
    },
    || Error::Refused {
        status: None,
        code: SECRET.to_owned(),
        index: None,
        message: SECRET.to_owned(),
        source: cause(),
    },
    || Error::Denied { status: 403, code: SECRET.to_owned(), credential: CredentialKind::AccountKey },
    || Error::MissingTable { table: "DeviceState table".to_owned() },
    || Error::Invalid { index: None, reason: Invalid::Continuation },
];

/// What is sent to every function: it answers with the store's error, its own, or in success.
fn calls() -> Vec<(&'static str, String, String)> {
    let events = json!({ "Data": { "events": json!([r#"{"temperature":20}"#]).to_string() }, "Metadata": {
        "SystemPropertiesArray": json!([{ "iothub-connection-device-id": "a" }]).to_string() } });
    let mut calls = vec![("POST", "/EnvironmentEventTrigger".to_owned(), events.to_string())];
    for path in [
        "getdevicestate",
        "getdevicestate?deviceId=a",
        "rejectedtelemetry",
        "negotiate",
        "nothing",
        "subscriptions",
    ] {
        for (method, body) in
            [("GET", ""), ("POST", r#"{"connectionId":"c"}"#), ("PUT", ""), ("DELETE", "nonsense")]
        {
            calls.push((method, format!("/api/{path}"), body.to_owned()));
        }
    }
    let group = "/api/subscriptions?group=all&connectionId=c".to_owned();
    calls.extend([("PUT", group.clone(), String::new()), ("DELETE", group, String::new())]);
    calls
}

#[tokio::test(start_paused = true)]
async fn no_answer_says_where_or_how_anything_is_kept() {
    for error in ERRORS {
        let bench = Bench::over(Arc::new(Telling(error)));
        for (method, path, body) in calls() {
            let (status, said) = bench.call(method, &path, &[], body).await;
            let text = said.to_string();
            let told: Vec<_> = TELLTALE.iter().filter(|told| text.contains(**told)).collect();
            assert!(told.is_empty(), "{method} {path} says {told:?}: {status} {text}");
        }
        for path in ["/api/getdevicestate", "/api/rejectedtelemetry"] {
            let (status, said) = bench.call("GET", path, &[], "").await;
            assert!(status.is_server_error() || said["code"] == json!("bad_continuation"), "{path}: {said}");
        }
    }
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_sent_is_not_explained_to_strangers() {
    let bench = Bench::new(Callers::Anonymous);
    bench.send(1, "a", r#"{"temperature":20}"#).await;
    bench.publisher.fail_next(1);
    let (status, said) = bench.call("POST", "/api/getdevicestate", &[], r#"{"connectionId":"c"}"#).await;
    assert_eq!((status, &said["code"]), (StatusCode::BAD_GATEWAY, &json!("push_failed")));
    assert_eq!(said["error"], json!("the snapshot could not be sent through SignalR; try again in a moment"));
}

/// Answers of every kind, forwarded and wrapped: nothing is taken for what it is not, or kept for others.
#[tokio::test]
async fn every_answer_is_what_it_says_and_for_its_caller_alone() {
    use tower::ServiceExt;
    let bench = Bench::new(Callers::Anonymous);
    for (method, path) in [
        ("GET", "/"),
        ("POST", "/"),
        ("GET", "/api/getdevicestate"),
        ("HEAD", "/api/getdevicestate"),
        ("GET", "/api/negotiate"),
        ("GET", "/api/rejectedtelemetry"),
        ("PUT", "/api/subscriptions"),
        ("GET", "/api/nothing"),
        ("PUT", "/EnvironmentEventTrigger"),
        ("POST", "/EnvironmentEventTrigger"),
    ] {
        let request = axum::http::Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router(Arc::clone(&bench.app)).oneshot(request).await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{method} {path}");
        if path != "/" {
            let kept = header("cache-control").unwrap();
            assert!(["no-store", "private, no-cache"].contains(&kept.as_str()), "{method} {path}: {kept}");
        }
    }
    let host = HostJson { calls: Calls::Wrapped, prefix: "api".to_owned() };
    let wrapped = json!({ "Data": { "req": { "Url": "https://app/api/getdevicestate", "Method": "GET" } } });
    let (_, reply) =
        Bench::with(host, Callers::Anonymous).call("POST", "/getdevicestate", &[], wrapped.to_string()).await;
    let headers = &reply["Outputs"]["res"]["headers"];
    assert_eq!(headers["x-content-type-options"], json!("nosniff"));
    assert_eq!(headers["cache-control"], json!("private, no-cache"));
}
