//! The read side for the Functions host stand-in: partitions and their events, in JSON and without keys. It takes the
//! place of AMQP and is this project's own, not Microsoft's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;

use crate::http::error_response::ErrorResponse;
use crate::http::gateway::Gateway;
use crate::http::query;
use crate::partition::{Partition, SequenceRange};
use crate::refusal::Refusal;

/// The most bytes of events in one answer, unless the first event alone is larger. The Event Hubs extension prefetches
/// as much when it is set to keep 32 MiB.
const ANSWER_BYTES: usize = 32 << 20;

/// Events in one answer when the request has no `max`.
const USUAL_MOST: usize = 100;

/// The longest a read may wait for an event.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// `GET /$events/{entity}/partitions`.
pub(super) async fn partitions(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, ErrorResponse> {
    let Path(entity) = path.map_err(|e| Refusal::Argument(e.body_text()))?;
    expect_entity(&gateway, &entity)?;
    let ids: Vec<String> = (0..gateway.intake.partitions.len()).map(|index| index.to_string()).collect();
    let body = json!({ "namespace": "fieldcast.local", "entity": gateway.entity, "partitions": ids });
    Ok(json_response(body.to_string().into()))
}

/// `GET /$events/{entity}/partitions/{id}?from=&max=&wait=`: at most `max` events from sequence number
/// `from` on, or from the first one still held. When there are none, waits up to `wait` milliseconds for one.
pub(super) async fn events(
    State(gateway): State<Arc<Gateway>>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, ErrorResponse> {
    let Path((entity, id)) = path.map_err(|e| Refusal::Argument(e.body_text()))?;
    expect_entity(&gateway, &entity)?;
    let partition = id.parse::<usize>().ok().and_then(|index| gateway.intake.partitions.get(index));
    let partition = partition.ok_or(Refusal::NoPartition(id))?;
    let request = ReadRequest::read(query.as_deref())?;
    if let Some(status) = gateway.intake.faults.next_read() {
        return Err(Refusal::Injected(status).into());
    }
    wait_for(&gateway, partition, &request).await;
    let events = read(Arc::clone(partition), request).await;
    let events = events.map_err(|e| Refusal::Internal(format!("the log cannot be read: {e}")))?;
    let held = *partition.watch().borrow();
    Ok(json_response(assemble(&events, held)))
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
struct ReadRequest {
    from: u64,
    most: usize,
    wait: Duration,
}

impl ReadRequest {
    fn read(query: Option<&str>) -> Result<ReadRequest, Refusal> {
        let number = |name: &str, usual: u64| match query::value(query, name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| Refusal::Argument(format!("'{name}' is not a number"))),
        };
        let most = usize::try_from(number("max", USUAL_MOST as u64)?).unwrap_or(usize::MAX);
        if most == 0 {
            return Err(Refusal::Argument("'max' is at least 1".to_owned()));
        }
        let wait = Duration::from_millis(number("wait", 0)?).min(LONGEST_WAIT);
        Ok(ReadRequest { from: number("from", 0)?, most, wait })
    }
}

/// Returns when there is an event for this reader, when its time is over, or when the hub stops.
async fn wait_for(gateway: &Gateway, partition: &Partition, request: &ReadRequest) {
    let mut held = partition.watch();
    let mut stop = gateway.stop.clone();
    let new_event = held.wait_for(|held| held.next > request.from && held.next > held.first);
    tokio::select! {
        _ = new_event => {}
        _ = stop.wait_for(|stopping| *stopping) => {}
        () = tokio::time::sleep(request.wait) => {}
    }
}

async fn read(partition: Arc<Partition>, request: ReadRequest) -> io::Result<Vec<Bytes>> {
    let read = move || partition.read(request.from, request.most, ANSWER_BYTES);
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|e| Err(io::Error::other(e)))
}

fn assemble(events: &[Bytes], held: SequenceRange) -> Bytes {
    let mut body = b"{\"events\":[".to_vec();
    body.reserve(events.iter().map(|event| event.len() + 1).sum());
    for (index, event) in events.iter().enumerate() {
        body.extend_from_slice(if index == 0 { b"" } else { b"," });
        body.extend_from_slice(event);
    }
    let (first, last) = match held.next > held.first {
        true => (held.first.to_string(), (held.next - 1).to_string()),
        false => ("null".to_owned(), "null".to_owned()),
    };
    body.extend_from_slice(format!("],\"first\":{first},\"last\":{last}}}").as_bytes());
    body.into()
}

/// Event Hubs ignores case in entity names.
fn expect_entity(gateway: &Gateway, entity: &str) -> Result<(), Refusal> {
    match gateway.entity.eq_ignore_ascii_case(entity) {
        true => Ok(()),
        false => Err(Refusal::NoRoute(format!("/$events/{entity}"))),
    }
}

fn json_response(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
