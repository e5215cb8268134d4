//! Answers that are legal but unusual, and such as are not.

use fieldcast_tables::{Entity, Error, Failure, Query};

use crate::script::{Script, Step, answer, soon};

const ROW: &str = r#"{"odata.etag":"W/\"1\"","PartitionKey":"p","RowKey":"r"}"#;

#[tokio::test]
async fn bare_answer_without_server_date_and_content_type_is_enough() {
    let length = ROW.len();
    let bare = Step::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{ROW}"));
    let written = Step::Send("HTTP/1.1 204 No Content\r\nETag: W/\"2\"\r\n\r\n".to_owned());
    let script = Script::of([bare, written]).await;
    let stored = script.table().get("p", "r", soon()).await.unwrap().unwrap();
    let etag = script.table().merge(&Entity::new("p", "r"), &stored.etag, soon()).await.unwrap();
    assert_eq!(etag.as_str(), "W/\"2\"");
}

#[tokio::test]
async fn row_in_an_unknown_shape_is_reported_and_not_asked_for_again() {
    for body in
        ["", "null", "[]", "<html></html>", r#"{"RowKey":"r"}"#, r#"{"PartitionKey":"p","RowKey":"r"}"#]
    {
        let script = Script::of([answer("200 OK", &[], body)]).await;
        let error = script.table().get("p", "r", soon()).await.unwrap_err();
        let Error::Unavailable { attempts: 1, last: Failure::Unreadable(_), .. } = error else {
            panic!("{body:?} led to {error:?}")
        };
    }
}

#[tokio::test]
async fn continuation_that_cannot_be_read_is_not_the_end() {
    let header = "x-ms-continuation-NextPartitionKey: \u{e9}";
    let script = Script::of([answer("200 OK", &[header], r#"{"value":[]}"#)]).await;
    let error = script.table().query_all(&Query::everything(), soon()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { last: Failure::Unreadable(_), .. }), "{error:?}");
}

#[tokio::test]
async fn chunked_answer_is_read() {
    let (first, second) = ROW.split_at(10);
    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
    let script =
        Script::of([Step::Send(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))])
            .await;
    assert!(script.table().get("p", "r", soon()).await.unwrap().is_some());
}

#[tokio::test]
async fn wildcard_from_the_server_is_not_taken_for_an_etag() {
    let body = r#"{"odata.etag":"*","PartitionKey":"p","RowKey":"r"}"#;
    let script = Script::of([answer("200 OK", &["ETag: *"], body)]).await;
    let error = script.table().get("p", "r", soon()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { last: Failure::Unreadable(_), .. }), "{error:?}");
}

#[tokio::test]
async fn long_explanation_is_cut_and_stripped_of_control_characters() {
    let message = format!("\\u001b[31m{}", "x".repeat(10_000));
    let body = format!(r#"{{"odata.error":{{"code":"InvalidInput","message":{{"value":"{message}"}}}}}}"#);
    let script = Script::of([answer("400 Bad Request", &[], &body)]).await;
    let text = script.table().get("p", "r", soon()).await.unwrap_err().to_string();
    assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
}

/// A body of 65 MiB, with its length or without.
fn enormous(head: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\n{head}\r\n{}", " ".repeat(65 * 1024 * 1024)))
}

#[tokio::test]
async fn enormous_answer_is_not_taken_in() {
    let announced = format!("Content-Length: {}\r\n", 65 * 1024 * 1024);
    let script = Script::of([enormous(&announced), enormous("")]).await;
    for _ in 0..2 {
        let error = script.table().get("p", "r", soon()).await.unwrap_err();
        let Error::Unavailable { attempts: 1, last: Failure::Unreadable(what), .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(what, "the body is larger than 64 MiB");
    }
}
