//! What a write does with each kind of answer: above all, when it must not be sent again.

use std::time::Duration;

use fieldcast_tables::{Entity, Error, Etag, Failure, Invalid, Operation, Retry};

use crate::script::{
    ACCOUNT_KEY, ClosedPort, Script, Step, answer, cut, quick, refusal, server_busy, soon, without_waiting,
};

fn entity() -> Entity {
    Entity::new("Sydney", "sensor-1").with("Celsius", 25.0)
}

fn etag() -> Etag {
    Etag::new("W/\"1\"").unwrap()
}

fn written() -> Step {
    answer("204 No Content", &["ETag: W/\"2\""], "")
}

fn stale() -> Step {
    refusal(
        "412 Precondition Failed",
        "UpdateConditionNotSatisfied",
        "The update condition was not satisfied.",
    )
}

fn operations(count: usize) -> Vec<Operation> {
    (0..count).map(|n| Operation::Merge(Entity::new("p", n.to_string()), etag())).collect()
}

fn batch(parts: &[&str]) -> Step {
    let part = |text: &&str| {
        format!(
            "--changesetresponse_2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n{text}\r\n"
        )
    };
    let parts = parts.iter().map(part).collect::<String>();
    let head = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n";
    let body = format!("{head}{parts}--changesetresponse_2--\r\n--batchresponse_1--\r\n");
    answer("202 Accepted", &["Content-Type: multipart/mixed; boundary=batchresponse_1"], &body)
}

fn failed_part(status: &str, code: &str, message: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n\
         {{\"odata.error\":{{\"code\":\"{code}\",\"message\":{{\"value\":\"{message}\\nRequestId:1\"}}}}}}"
    )
}

fn conflict<T: std::fmt::Debug>(result: Result<T, Error>) -> (Option<usize>, String) {
    match result {
        Err(Error::Conflict { index, code }) => (index, code),
        other => panic!("no conflict: {other:?}"),
    }
}

fn unknown<T: std::fmt::Debug>(result: Result<T, Error>) -> Failure {
    match result {
        Err(Error::Unknown { last, .. }) => last,
        other => panic!("not unknown: {other:?}"),
    }
}

#[tokio::test]
async fn insert_asks_for_no_echo_and_returns_the_etag() {
    let script = Script::of([written()]).await;
    assert_eq!(script.table().insert(&entity(), soon()).await.unwrap().as_str(), "W/\"2\"");
    let request = script.requests().remove(0);
    assert!(request.starts_with("POST /Devices HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("prefer: return-no-content\r\n"), "{request}");
    assert!(request.ends_with(r#""Celsius@odata.type":"Edm.Double","Celsius":25.0}"#), "{request}");
}

#[tokio::test]
async fn merge_and_delete_carry_the_etag() {
    let script = Script::of([written(), answer("204 No Content", &[], "")]).await;
    script.table().merge(&entity(), &etag(), soon()).await.unwrap();
    script.table().delete("Sydney", "sensor-1", &etag(), soon()).await.unwrap();
    for (request, verb) in script.requests().iter().zip(["MERGE", "DELETE"]) {
        assert!(
            request.starts_with(&format!("{verb} /Devices(PartitionKey='Sydney',RowKey='sensor-1') HTTP"))
        );
        assert!(request.contains("if-match: W/\"1\"\r\n"), "{request}");
    }
}

#[tokio::test]
async fn replace_puts_the_whole_row() {
    let script = Script::of([written()]).await;
    script.table().replace(&entity(), &etag(), soon()).await.unwrap();
    let request = script.requests().remove(0);
    assert!(request.starts_with("PUT /Devices(PartitionKey='Sydney',RowKey='sensor-1') HTTP"), "{request}");
    assert!(request.contains("if-match: W/\"1\"\r\n"), "{request}");
}

#[tokio::test]
async fn writes_tell_the_services_clock_too() {
    const DATE: &str = "Date: Sat, 21 Nov 2026 03:00:10 GMT";
    let dated = answer("204 No Content", &["ETag: W/\"2\"", DATE], "");
    let script = Script::of([dated]).await;
    let table = script.table();
    let insert = vec![Operation::Insert(entity())];
    let answered = table.store().transact(table.name(), insert, soon()).await.unwrap();
    assert_eq!(answered.clock.map(|clock| clock.earliest), Some(1_795_230_010_000));
}

#[tokio::test]
async fn limit_that_only_the_service_can_check_is_invalid() {
    for (code, reason) in
        [("EntityTooLarge", Invalid::EntityTooLarge), ("TooManyProperties", Invalid::TooManyProperties(253))]
    {
        let script = Script::of([refusal("400 Bad Request", code, "Too much.")]).await;
        let error = script.table().merge(&entity(), &etag(), soon()).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid { index: None, reason: r } if *r == reason), "{error:?}");
    }
}

#[tokio::test]
async fn transaction_of_one_is_a_plain_request_and_its_error_names_it() {
    let script = Script::of([written(), stale()]).await;
    let etags = script.table().transact(operations(1), soon()).await.unwrap();
    assert_eq!(etags[0].as_ref().unwrap().as_str(), "W/\"2\"");
    assert!(script.requests()[0].starts_with("MERGE /Devices("), "{}", script.requests()[0]);
    let found = conflict(script.table().transact(operations(1), soon()).await);
    assert_eq!(found, (Some(0), "UpdateConditionNotSatisfied".to_owned()));
}

#[tokio::test]
async fn existing_changed_and_deleted_rows_are_conflicts() {
    let gone = || refusal("404 Not Found", "ResourceNotFound", "The specified resource does not exist.");
    let script = Script::of([
        refusal("409 Conflict", "EntityAlreadyExists", "The specified entity already exists."),
        stale(),
        gone(),
        stale(),
        gone(),
    ])
    .await;
    let (table, etag) = (script.table(), etag());
    let codes = [
        conflict(table.insert(&entity(), soon()).await).1,
        conflict(table.merge(&entity(), &etag, soon()).await).1,
        conflict(table.merge(&entity(), &etag, soon()).await).1,
        conflict(table.delete("p", "r", &etag, soon()).await).1,
        conflict(table.delete("p", "r", &etag, soon()).await).1,
    ];
    let (changed, gone) = ("UpdateConditionNotSatisfied", "ResourceNotFound");
    assert_eq!(codes, ["EntityAlreadyExists", changed, gone, changed, gone]);
}

#[tokio::test]
async fn lost_answer_is_unknown_and_never_sent_again() {
    let losses = || {
        [
            (cut(), Failure::CutOff),
            (Step::Send("HTTP/1.1 204 No Con".to_owned()), Failure::CutOff),
            (Step::Send("garbage\r\n\r\n".to_owned()), Failure::CutOff),
            (answer("204 No Content", &[], ""), Failure::Unreadable("there is no etag")),
            (
                answer("200 OK", &[], "<html>sign in</html>"),
                Failure::Unreadable("the status is not one that this request has"),
            ),
            (answer("504 Gateway Timeout", &[], ""), Failure::Answered { status: 504, code: String::new() }),
            (
                answer("503 Unavailable", &[], "<html>"),
                Failure::Answered { status: 503, code: String::new() },
            ),
            (
                refusal("500 Internal Server Error", "OperationTimedOut", "Perhaps."),
                Failure::Answered { status: 500, code: "OperationTimedOut".to_owned() },
            ),
        ]
    };
    for (step, expected) in losses() {
        let script = Script::of([step]).await;
        assert_eq!(unknown(script.table().merge(&entity(), &etag(), soon()).await), expected);
        assert_eq!(script.requests().len(), 1, "after {expected:?}");
    }
    for (step, expected) in losses() {
        let script = Script::of([step]).await;
        let lost = unknown(script.table().transact(operations(2), soon()).await);
        assert!(lost == expected || matches!(lost, Failure::Unreadable(_)), "{lost:?}");
        assert_eq!(script.requests().len(), 1, "after {expected:?}");
    }
}

#[tokio::test]
async fn answer_lost_on_a_kept_connection_is_unknown_too() {
    let kept = Step::SendAndKeep("HTTP/1.1 204 No Content\r\nETag: W/\"2\"\r\n\r\n".to_owned());
    let script = Script::of([kept, cut()]).await;
    let table = script.table();
    let etag = table.insert(&entity(), soon()).await.unwrap();
    assert_eq!(unknown(table.merge(&entity(), &etag, soon()).await), Failure::CutOff);
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn silence_is_unknown() {
    let script = Script::of([Step::Silence]).await;
    let impatient = Retry { attempt_timeout: Duration::from_secs(3), ..quick() };
    let table = script.table_with(ACCOUNT_KEY, impatient);
    assert_eq!(unknown(table.insert(&entity(), soon()).await), Failure::TimedOut);
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn write_is_repeated_when_the_service_says_that_it_did_nothing() {
    let throttled = refusal("429 Too Many Requests", "TooManyRequests", "Slow down.");
    let script = Script::of([server_busy(), throttled, server_busy(), written()]).await;
    script.table().merge(&entity(), &etag(), soon()).await.unwrap();
    assert_eq!(script.requests().len(), 4);
}

#[tokio::test]
async fn busy_service_is_unavailable_as_nothing_was_applied() {
    let script = Script::of([server_busy()]).await;
    let table = script.table_with(ACCOUNT_KEY, without_waiting());
    let error = table.transact(operations(2), soon()).await.unwrap_err();
    let busy = Failure::Answered { status: 503, code: "ServerBusy".to_owned() };
    assert!(matches!(&error, Error::Unavailable { last, .. } if *last == busy), "{error:?}");
}

#[tokio::test]
async fn unreachable_service_is_unavailable_as_nothing_was_sent() {
    let port = ClosedPort::new();
    let error = port.table().insert(&entity(), soon()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { attempts: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn refused_request_says_why_and_is_not_repeated() {
    let script =
        Script::of([refusal("400 Bad Request", "PropertyValueTooLarge", "The value is too large.")]).await;
    let error = script.table().insert(&entity(), soon()).await.unwrap_err();
    let expected = "the store refused with 400 PropertyValueTooLarge: The value is too large.";
    assert_eq!(error.to_string(), expected);
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn table_that_exists_is_created() {
    let script = Script::of([
        answer("204 No Content", &[], ""),
        refusal("409 Conflict", "TableAlreadyExists", "The table specified already exists."),
    ])
    .await;
    script.table().create(soon()).await.unwrap();
    script.table().create(soon()).await.unwrap();
    assert!(script.requests()[0].ends_with(r#"{"TableName":"Devices"}"#), "{}", script.requests()[0]);
}

#[tokio::test]
async fn table_being_deleted_is_waited_for() {
    let deleting = || refusal("409 Conflict", "TableBeingDeleted", "The specified table is being deleted.");
    let script = Script::of([deleting(), deleting(), cut(), answer("201 Created", &[], "{}")]).await;
    script.table().create(soon()).await.unwrap();
    assert_eq!(script.requests().len(), 4);
}

#[tokio::test]
async fn row_of_a_table_being_deleted_has_no_table() {
    let deleting = refusal("409 Conflict", "TableBeingDeleted", "The specified table is being deleted.");
    let script = Script::of([deleting]).await;
    let error = script.table().insert(&entity(), soon()).await.unwrap_err();
    assert!(matches!(error, Error::MissingTable { .. }), "{error:?}");
}

#[tokio::test]
async fn stale_etag_in_a_transaction_is_named_by_index_and_code() {
    let message = "3:The update condition specified in the request was not satisfied.";
    let part = failed_part("412 Precondition Failed", "UpdateConditionNotSatisfied", message);
    let script = Script::of([batch(&[&part])]).await;
    let found = conflict(script.table().transact(operations(5), soon()).await);
    assert_eq!(found, (Some(3), "UpdateConditionNotSatisfied".to_owned()));
}

#[tokio::test]
async fn each_code_in_a_transaction_asks_for_its_own_reaction() {
    let run = async |status: &str, code: &str| {
        let part = failed_part(status, code, "1:Because.");
        let script = Script::of([batch(&[&part])]).await;
        script.table().transact(operations(5), soon()).await.unwrap_err()
    };
    let exists = run("409 Conflict", "EntityAlreadyExists").await;
    assert!(matches!(exists, Error::Conflict { index: Some(1), .. }), "{exists:?}");
    let gone = run("404 Not Found", "ResourceNotFound").await;
    assert!(matches!(gone, Error::Conflict { index: Some(1), .. }), "{gone:?}");
    let no_table = run("404 Not Found", "TableNotFound").await;
    assert!(matches!(no_table, Error::MissingTable { .. }), "{no_table:?}");
    let refused = run("400 Bad Request", "InvalidInput").await;
    assert!(matches!(refused, Error::Refused { status: Some(400), index: Some(1), .. }), "{refused:?}");
    let broken = run("500 Internal Server Error", "InternalError").await;
    assert!(matches!(broken, Error::Unknown { .. }), "{broken:?}");
}

#[tokio::test]
async fn busy_transaction_is_repeated_even_if_a_part_says_so() {
    let busy = failed_part("503 Server Busy", "ServerBusy", "0:The server is busy.");
    let done = "HTTP/1.1 204 No Content\r\nETag: W/\"2\"\r\n\r\n";
    let script = Script::of([server_busy(), batch(&[&busy]), batch(&[done, done])]).await;
    let etags = script.table().transact(operations(2), soon()).await.unwrap();
    assert_eq!(etags[0].as_ref().unwrap().as_str(), "W/\"2\"");
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn transaction_that_breaks_a_rule_is_not_sent() {
    let script = Script::of([]).await;
    let error = script.table().transact(operations(101), soon()).await.unwrap_err();
    let rule = Invalid::TooManyOperations(101);
    assert!(matches!(&error, Error::Invalid { reason, .. } if *reason == rule), "{error:?}");
    assert_eq!(script.table().transact(Vec::new(), soon()).await.unwrap(), []);
    assert_eq!(script.requests().len(), 0);
}

#[tokio::test]
async fn invalid_entity_is_not_sent() {
    let script = Script::of([]).await;
    let entity = Entity::new("Sydney", "sensor-1").with("Celsius", f64::NAN);
    let error = script.table().insert(&entity, soon()).await.unwrap_err();
    assert_eq!(error.to_string(), "the request breaks a rule: property Celsius is not a finite number");
    assert!(script.table().get("Sydney", "a#b", soon()).await.is_err());
    assert_eq!(script.requests().len(), 0);
}
