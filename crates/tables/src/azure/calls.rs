//! The calls of a store as requests, and what their answers mean.

use reqwest::Method;
use serde::Deserialize;

use crate::azure::address::EntityPath;
use crate::azure::client::Client;
use crate::azure::json::{Row, write_entity};
use crate::azure::request::Request;
use crate::azure::response::Response;
use crate::azure::trouble::{Effect, Trouble};
use crate::azure::{batch, continuation, dates, odata};
use crate::limits::{check_keys, check_query, check_transaction};
use crate::{
    Answered, Continuation, Deadline, Error, Etag, Invalid, Operation, Page, Query, Stored, TableName,
};

const NOT_A_ROW: Trouble = Trouble::Unreadable("the body is not an entity");
const NOT_A_LIST: Trouble = Trouble::Unreadable("the body is not a list of entities");
const NO_ETAG: Trouble = Trouble::Unreadable("there is no etag");

/// Creates a table. While one of that name is being deleted, which takes the service half a minute or more, this is tried
/// again until the deadline. A signature that may not create tables is enough for a table that is there.
pub(super) async fn create_table(
    client: &Client,
    table: &TableName,
    deadline: Deadline,
) -> Result<Answered<()>, Error> {
    let body = format!("{{\"TableName\":\"{table}\"}}");
    let request = Request::new(Method::POST, "Tables".to_owned(), Effect::Repeatable)
        .with_json(body)
        .with_header("prefer", "return-no-content");
    let created = client.exchange(table, &request, deadline, |response| {
        let is_there = response.status == 409 && response.answer().code == "TableAlreadyExists";
        if is_there { Ok(()) } else { response.require_status(&[201, 204]) }
    });
    match created.await {
        Err(denied @ Error::Denied { .. }) => {
            let any_row = Query::everything().top(1);
            let probed = query(client, table, &any_row, None, deadline).await;
            probed.map(|answered| answered.map(drop)).map_err(|_| denied)
        }
        other => other,
    }
}

pub(super) async fn get(
    client: &Client,
    table: &TableName,
    partition: &str,
    row: &str,
    deadline: Deadline,
) -> Result<Answered<Option<Stored>>, Error> {
    check_keys(partition, row)?;
    let path = EntityPath { table, partition, row }.to_string();
    let request = Request::new(Method::GET, path, Effect::Repeatable);
    let read = |response: Response| {
        if response.status == 404 && response.answer().is_missing_row() {
            return Ok(None);
        }
        response.require_status(&[200])?;
        let row = serde_json::from_slice(&response.body).map_err(|_| NOT_A_ROW)?;
        stored(row, response.etag()).map(Some)
    };
    client.exchange(table, &request, deadline, read).await
}

pub(super) async fn query(
    client: &Client,
    table: &TableName,
    query: &Query,
    from: Option<&Continuation>,
    deadline: Deadline,
) -> Result<Answered<Page>, Error> {
    check_query(query)?;
    let place = from.map(continuation::place).transpose()?;
    let request = Request::new(Method::GET, format!("{table}()"), Effect::Repeatable)
        .with_query(odata::query_string(query, place.as_ref()));
    let read = |response: Response| {
        response.require_status(&[200])?;
        page(&response)
    };
    match client.exchange(table, &request, deadline, read).await {
        // The query alone would have been fine, as it was checked.
        Err(Error::Refused { status: Some(400), .. }) if from.is_some() => Err(Invalid::Continuation.into()),
        other => other,
    }
}

pub(super) async fn transact(
    client: &Client,
    table: &TableName,
    operations: Vec<Operation>,
    deadline: Deadline,
) -> Result<Answered<Vec<Option<Etag>>>, Error> {
    check_transaction(&operations)?;
    match operations.as_slice() {
        [] => Ok(Answered { value: Vec::new(), clock: None }),
        [operation] => {
            let written = write(client, table, operation, deadline).await;
            written.map(|etag| etag.map(|etag| vec![etag])).map_err(of_first)
        }
        _ => transact_many(client, table, operations, deadline).await,
    }
}

/// A request for one operation, which is smaller than a transaction and says the same.
async fn write(
    client: &Client,
    table: &TableName,
    operation: &Operation,
    deadline: Deadline,
) -> Result<Answered<Option<Etag>>, Error> {
    let (partition, row) = operation.keys();
    let path = || EntityPath { table, partition, row }.to_string();
    let request = match operation {
        Operation::Insert(_) => Request::new(Method::POST, table.to_string(), Effect::Once)
            .with_header("prefer", "return-no-content"),
        Operation::Merge(_, etag) => Request::new(batch::merge(), path(), Effect::Once).with_etag(etag)?,
        Operation::Replace(_, etag) => Request::new(Method::PUT, path(), Effect::Once).with_etag(etag)?,
        Operation::Delete { etag, .. } => {
            let request = Request::new(Method::DELETE, path(), Effect::Once).with_etag(etag)?;
            let deleted = |response: Response| response.require_status(&[204]).map(|()| None);
            return client.exchange(table, &request, deadline, deleted).await;
        }
    };
    let mut body = Vec::new();
    if let Some(entity) = operation.entity() {
        write_entity(entity, &mut body);
    }
    let written = |response: Response| {
        response.require_status(&[201, 204])?;
        response.etag().map(Some).ok_or(NO_ETAG)
    };
    client.exchange(table, &request.with_json(body), deadline, written).await
}

/// Where there is one operation, an error is about that.
fn of_first(mut error: Error) -> Error {
    if let Error::Conflict { index, .. } | Error::Refused { index, .. } | Error::Invalid { index, .. } =
        &mut error
    {
        *index = Some(0);
    }
    error
}

async fn transact_many(
    client: &Client,
    table: &TableName,
    operations: Vec<Operation>,
    deadline: Deadline,
) -> Result<Answered<Vec<Option<Etag>>>, Error> {
    let leaves_row: Vec<bool> = operations.iter().map(|operation| operation.entity().is_some()).collect();
    let body = batch::body(client.endpoint(), table, &operations)?;
    // A hundred rows with their texts, which nobody needs while the service is at work.
    drop(operations);
    let request =
        Request::new(Method::POST, "$batch".to_owned(), Effect::Once).with_body(body, batch::CONTENT_TYPE);
    let read = |response: Response| {
        response.require_status(&[202])?;
        batch::read(response.content_type(), &response.body, &leaves_row)
    };
    client.exchange(table, &request, deadline, read).await
}

/// A point read has the etag as a header in any case, and in the body at most metadata levels.
fn stored(row: Row, header: Option<Etag>) -> Result<Stored, Trouble> {
    let in_body = row.etag.and_then(|etag| Etag::new(etag).ok());
    let etag = in_body.or(header).ok_or(NO_ETAG)?;
    Ok(Stored { etag, entity: row.entity, timestamp: row.timestamp })
}

fn page(response: &Response) -> Result<Page, Trouble> {
    #[derive(Deserialize)]
    struct Rows {
        value: Vec<Row>,
    }
    let Rows { value } = serde_json::from_slice(&response.body).map_err(|_| NOT_A_LIST)?;
    let rows = value.into_iter().map(|row| stored(row, None)).collect::<Result<_, _>>()?;
    let next = continuation::of(&response.headers)?;
    Ok(Page { rows, next, as_of: dates::moment(response.date()) })
}
