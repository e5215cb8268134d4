//! What a read does with each kind of answer.

use std::time::{Duration, Instant};

use fieldcast_tables::{CredentialKind, Deadline, Error, Failure, Invalid, Query, Retry, StoreTime, Value};

use crate::script::{
    ACCOUNT_KEY, ClosedPort, Script, Step, answer, cut, quick, refusal, server_busy, soon, without_waiting,
};

const ROW: &str = r#"{"odata.metadata":"http://x/$metadata#Devices/@Element","odata.etag":"W/\"1\"",
    "PartitionKey":"Sydney","RowKey":"sensor-1","Timestamp":"2026-11-21T03:00:00.1234567Z","Slope":2}"#;

fn row() -> Step {
    answer("200 OK", &["Content-Type: application/json"], ROW)
}

fn page(headers: &[&str], rows: &[u32]) -> Step {
    let row = |n: &u32| format!(r#"{{"odata.etag":"W/\"{n}\"","PartitionKey":"p","RowKey":"{n}"}}"#);
    let rows = rows.iter().map(row).collect::<Vec<_>>().join(",");
    answer("200 OK", headers, &format!(r#"{{"odata.metadata":"x","value":[{rows}]}}"#))
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, Error>) -> (u32, Failure) {
    match result {
        Err(Error::Unavailable { attempts, last, .. }) => (attempts, last),
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn row_is_read_with_etag_and_time() {
    let script = Script::of([row()]).await;
    let stored = script.table().get("Sydney", "sensor-1", soon()).await.unwrap().unwrap();
    assert_eq!(stored.etag.as_str(), "W/\"1\"");
    assert_eq!(stored.timestamp.as_deref(), Some("2026-11-21T03:00:00.1234567Z"));
    assert_eq!(stored.entity.get("Slope"), Some(&Value::Int32(2)));
}

#[tokio::test]
async fn etag_of_a_point_read_may_be_in_the_header_only() {
    let body = r#"{"PartitionKey":"Sydney","RowKey":"sensor-1"}"#;
    let script = Script::of([answer("200 OK", &["ETag: W/\"7\""], body)]).await;
    let stored = script.table().get("Sydney", "sensor-1", soon()).await.unwrap().unwrap();
    assert_eq!(stored.etag.as_str(), "W/\"7\"");
}

#[tokio::test]
async fn request_is_signed_and_asks_for_json() {
    let script = Script::of([row()]).await;
    script.table().get("Sydney", "O'Brien", soon()).await.unwrap();
    let request = script.requests().remove(0).to_ascii_lowercase();
    let expected = [
        "get /devices(partitionkey='sydney',rowkey='o%27%27brien') http/1.1\r\n",
        "\r\naccept: application/json;odata=minimalmetadata\r\n",
        "\r\ndataserviceversion: 3.0\r\n",
        "\r\nx-ms-version: 2019-02-02\r\n",
        "\r\nx-ms-date: ",
        "\r\nauthorization: sharedkeylite fieldcast1:",
    ];
    for text in expected {
        assert!(request.contains(text), "{text:?} is not in {request}");
    }
}

#[tokio::test]
async fn shared_access_signature_goes_into_the_query_and_into_no_error() {
    let script = Script::of([page(&[], &[]), cut()]).await;
    let signature = "SharedAccessSignature=sv=2019-02-02&sig=secret%3D";
    let table = script.table_with(signature, without_waiting());
    table.query(&Query::partition("p").top(5), None, soon()).await.unwrap();
    let line =
        "GET /Devices()?$filter=PartitionKey%20eq%20%27p%27&$top=5&sv=2019-02-02&sig=secret%3D HTTP/1.1";
    assert!(script.requests()[0].starts_with(line), "{}", script.requests()[0]);
    assert!(!script.requests()[0].to_ascii_lowercase().contains("authorization:"));

    let error = table.get("p", "r", Deadline::after(Duration::from_secs(5))).await.unwrap_err();
    let text = format!("{error:?} {table:?}");
    assert!(matches!(error, Error::Unavailable { source: Some(_), .. }), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn missing_row_is_none_but_a_missing_address_is_not() {
    let page = "<html>no such page</html>";
    let script = Script::of([
        refusal("404 Not Found", "ResourceNotFound", "The specified resource does not exist."),
        answer("404 Not Found", &[], page),
    ])
    .await;
    assert_eq!(script.table().get("p", "r", soon()).await.unwrap(), None);
    let error = script.table().get("p", "r", soon()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: Some(404), .. }), "{error:?}");
}

#[tokio::test]
async fn missing_table_is_named() {
    let missing = || refusal("404 Not Found", "TableNotFound", "The table specified does not exist.");
    let script = Script::of([missing(), missing()]).await;
    let errors = [
        script.table().get("p", "r", soon()).await.unwrap_err(),
        script.table().query(&Query::everything(), None, soon()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, Error::MissingTable { table } if table == "Devices"), "{error:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>no</Message></Error>";
    let script = Script::of([answer("403 Forbidden", &[], xml)]).await;
    let error = script.table().get("p", "r", soon()).await.unwrap_err();
    let Error::Denied { status: 403, code, credential: CredentialKind::AccountKey } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(code, "AuthenticationFailed");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn read_is_repeated_whatever_went_wrong() {
    let script = Script::of([
        server_busy(),
        cut(),
        refusal("500 Internal Server Error", "OperationTimedOut", "The operation could not be completed."),
        answer("502 Bad Gateway", &[], "<html></html>"),
        answer("429 Too Many Requests", &[], ""),
        answer("408 Request Timeout", &[], ""),
        Step::Send("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"Partition".to_owned()),
        row(),
    ])
    .await;
    assert!(script.table().get("Sydney", "sensor-1", soon()).await.unwrap().is_some());
    assert_eq!(script.requests().len(), 8);
}

#[tokio::test]
async fn silent_attempt_is_given_up_and_repeated() {
    // The later attempts have the same limit, so it must leave time for a busy machine.
    let script = Script::of([Step::Silence, row(), row(), row()]).await;
    let impatient = Retry { attempt_timeout: Duration::from_secs(2), ..quick() };
    let table = script.table_with(ACCOUNT_KEY, impatient);
    assert!(table.get("Sydney", "sensor-1", soon()).await.unwrap().is_some());
}

#[tokio::test]
async fn delay_beyond_the_deadline_is_not_slept_and_the_last_error_reported() {
    let script = Script::of([server_busy()]).await;
    let table = script.table_with(ACCOUNT_KEY, without_waiting());
    let begun = Instant::now();
    let (attempts, last) = unavailable(table.get("p", "r", soon()).await);
    let busy = Failure::Answered { status: 503, code: "ServerBusy".to_owned() };
    assert_eq!((attempts, last), (1, busy));
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn deadline_ends_the_repeating() {
    let script = Script::of(std::iter::repeat_with(server_busy).take(10_000)).await;
    let deadline = Deadline::after(Duration::from_secs(2));
    let (attempts, _) = unavailable(script.table().get("p", "r", deadline).await);
    assert!(attempts > 0);
    assert!(script.requests().len() <= attempts as usize);
}

#[tokio::test]
async fn nothing_is_sent_after_the_deadline() {
    let script = Script::of([]).await;
    let past = Deadline::after(Duration::ZERO);
    assert_eq!(unavailable(script.table().get("p", "r", past).await), (0, Failure::NotTried));
    assert_eq!(script.requests().len(), 0);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let busy = answer("503 Server Busy", &["Retry-After: 1", "x-ms-error-code: ServerBusy"], "");
    let script = Script::of([busy, row()]).await;
    let begun = Instant::now();
    script.table().get("Sydney", "sensor-1", soon()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "only {:?}", begun.elapsed());
}

#[tokio::test]
async fn retry_after_beyond_the_deadline_is_not_waited_for() {
    let script = Script::of([answer("503 Server Busy", &["Retry-After: 3600"], "")]).await;
    let (attempts, last) = unavailable(script.table().get("p", "r", soon()).await);
    assert_eq!((attempts, last), (1, Failure::Answered { status: 503, code: String::new() }));
}

#[tokio::test]
async fn refused_connection_is_tried_again_at_once_and_then_slowly() {
    let port = ClosedPort::new();
    let table = port.table();
    assert_eq!(unavailable(table.get("p", "r", soon()).await), (2, Failure::NotConnected));
}

#[tokio::test]
async fn pages_are_followed_through_an_empty_one_to_the_end() {
    let script = Script::of([
        page(
            &["x-ms-continuation-NextPartitionKey: 1!8!cA--", "x-ms-continuation-NextRowKey: 1!4!MQ--"],
            &[1, 2],
        ),
        page(&["x-ms-continuation-NextPartitionKey: a b&c"], &[]),
        page(&[], &[3]),
    ])
    .await;
    let rows = script.table().query_all(&Query::partition("p"), soon()).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|row| row.entity.row.as_str()).collect();
    assert_eq!(keys, ["1", "2", "3"]);
    let requests = script.requests();
    assert!(
        requests[1].contains("&NextPartitionKey=1%218%21cA--&NextRowKey=1%214%21MQ-- HTTP"),
        "{}",
        requests[1]
    );
    assert!(requests[2].contains("&NextPartitionKey=a%20b%26c HTTP"), "{}", requests[2]);
}

#[tokio::test]
async fn continuation_that_the_service_does_not_know_is_invalid_and_a_refused_query_is_not() {
    let refused = || refusal("400 Bad Request", "InvalidInput", "One of the request inputs is not valid.");
    let script =
        Script::of([page(&["x-ms-continuation-NextPartitionKey: 1!8!cA--"], &[1]), refused(), refused()])
            .await;
    let (table, query) = (script.table(), Query::partition("p"));
    let next = table.query(&query, None, soon()).await.unwrap().next.unwrap();
    let error = table.query(&query, Some(&next), soon()).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { reason: Invalid::Continuation, .. }), "{error:?}");
    let error = table.query(&query, None, soon()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: Some(400), .. }), "{error:?}");
}

#[tokio::test]
async fn page_says_where_the_next_one_starts() {
    let script = Script::of([page(&["x-ms-continuation-NextPartitionKey: next"], &[1])]).await;
    let page = script.table().query(&Query::everything(), None, soon()).await.unwrap();
    assert!(page.next.is_some());
    assert_eq!(page.rows[0].etag.as_str(), "W/\"1\"");
}

#[tokio::test]
async fn every_answer_tells_the_services_clock_if_it_is_dated() {
    const DATE: &str = "Date: Sat, 21 Nov 2026 03:00:10 GMT";
    let clock = StoreTime { earliest: 1_795_230_010_000, latest: 1_795_230_011_000 };
    let dated = answer("200 OK", &[DATE], ROW);
    let script = Script::of([dated, row(), page(&[DATE], &[]), page(&[], &[])]).await;
    let table = script.table();
    let (store, name) = (table.store(), table.name());
    let clocks = [
        store.get(name, "Sydney", "sensor-1", soon()).await.unwrap().clock,
        store.get(name, "Sydney", "sensor-1", soon()).await.unwrap().clock,
    ];
    assert_eq!(clocks, [Some(clock), None]);
    let query = Query::partition("p");
    let answered = store.query(name, &query, None, soon()).await.unwrap();
    assert_eq!((answered.clock, answered.value.as_of.as_str()), (Some(clock), "2026-11-21T03:00:00.000Z"));
    // A moment that names no time is followed by everything.
    let undated = store.query(name, &query, None, soon()).await.unwrap();
    assert_eq!((undated.clock, undated.value.as_of.as_str()), (None, ""));
}
