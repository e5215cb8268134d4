//! The operations on one table. Each takes a deadline and returns what the caller has to know next.

use std::sync::Arc;
use std::time::SystemTime;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use serde::Deserialize;

use crate::entity::Row;
use crate::exchange::{Reply, Request};
use crate::key::EntityPath;
use crate::trouble::{Effect, Trouble};
use crate::{
    Account, Continuation, Deadline, Entity, Error, Etag, Operation, Page, Query, Stored, key, transaction,
};

/// A table of a storage account. Cheap to clone.
///
/// Reads are repeated until they succeed or the deadline has passed. Writes are repeated only when it is
/// certain that nothing was applied: no connection could be made, or the service itself said that it is busy.
/// Dropping the future of a write leaves open, like [`Error::Unknown`], whether it is applied.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) account: Account,
    pub(crate) name: Arc<str>,
}

impl Table {
    /// The name of the table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the table. It is no error if it exists; while one of that name is being deleted, which takes the
    /// service half a minute or more, this is tried again until the deadline.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`].
    pub async fn create(&self, deadline: Deadline) -> Result<(), Error> {
        let body = serde_json::json!({ "TableName": &*self.name }).to_string();
        let request = Request::new(Method::POST, "Tables".to_owned(), Effect::Repeatable)
            .with_json(body)
            .with_header("prefer", "return-no-content");
        self.exchange(request, deadline, |reply| {
            let is_there = reply.status == 409 && reply.answer().code == "TableAlreadyExists";
            if is_there { Ok(()) } else { reply.expect(&[201, 204]) }
        })
        .await
    }

    /// Reads one row; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::MissingTable`], [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`],
    /// [`Error::Invalid`].
    pub async fn get(&self, partition: &str, row: &str, deadline: Deadline) -> Result<Option<Stored>, Error> {
        let request = Request::new(Method::GET, self.entity_path(partition, row)?, Effect::Repeatable);
        self.exchange(request, deadline, |reply| {
            if reply.status == 404 && reply.answer().is_missing_row() {
                return Ok(None);
            }
            reply.expect(&[200])?;
            let row = serde_json::from_slice(&reply.body).map_err(|_| NOT_A_ROW)?;
            stored(row, &reply.headers).map(Some)
        })
        .await
    }

    /// Adds a row that must not exist.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it exists, [`Error::Unknown`] if the answer was lost, or any other [`Error`].
    pub async fn insert(&self, entity: &Entity, deadline: Deadline) -> Result<Etag, Error> {
        let mut body = Vec::new();
        entity.write_json(&mut body)?;
        let request = Request::new(Method::POST, self.name.to_string(), Effect::Once)
            .with_json(body)
            .with_header("prefer", "return-no-content");
        self.exchange(request, deadline, written).await
    }

    /// Changes the properties that `entity` has, if the stored row still has this etag. The others stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row was changed or has gone, [`Error::Unknown`] if the answer was lost, or
    /// any other [`Error`].
    pub async fn merge(&self, entity: &Entity, etag: &Etag, deadline: Deadline) -> Result<Etag, Error> {
        let path = self.entity_path(&entity.partition, &entity.row)?;
        let mut body = Vec::new();
        entity.write_json(&mut body)?;
        let merge = Method::from_bytes(b"MERGE").expect("MERGE is a method name");
        let request = Request::new(merge, path, Effect::Once).with_json(body).with_etag(etag);
        self.exchange(request, deadline, written).await
    }

    /// Deletes a row, if it still has this etag.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row was changed or has gone, [`Error::Unknown`] if the answer was lost, or
    /// any other [`Error`].
    pub async fn delete(
        &self,
        partition: &str,
        row: &str,
        etag: &Etag,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let path = self.entity_path(partition, row)?;
        let request = Request::new(Method::DELETE, path, Effect::Once).with_etag(etag);
        self.exchange(request, deadline, |reply| reply.expect(&[204])).await
    }

    /// Reads one page, the first or the one that `from` leads to.
    ///
    /// # Errors
    /// [`Error::MissingTable`], [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`],
    /// [`Error::Invalid`].
    pub async fn query(
        &self,
        query: &Query,
        from: Option<&Continuation>,
        deadline: Deadline,
    ) -> Result<Page, Error> {
        let request = Request::new(Method::GET, format!("{}()", self.name), Effect::Repeatable)
            .with_query(query.render(from)?);
        self.exchange(request, deadline, |reply| {
            reply.expect(&[200])?;
            page(&reply)
        })
        .await
    }

    /// Reads all pages, one after the other, so that rows written meanwhile may or may not be among them.
    ///
    /// # Errors
    /// As [`Table::query`]; the deadline is for all pages together.
    pub async fn query_all(&self, query: &Query, deadline: Deadline) -> Result<Vec<Stored>, Error> {
        let Page { mut rows, mut next, .. } = self.query(query, None, deadline).await?;
        while let Some(from) = next {
            let page = self.query(query, Some(&from), deadline).await?;
            rows.extend(page.rows);
            next = page.next;
        }
        Ok(rows)
    }

    /// Applies all operations or none: at most 100, on different rows of one partition, at most 4 MiB.
    ///
    /// The etags are in the order of the operations, with `None` for a delete.
    ///
    /// # Errors
    /// As for the single operations, with the index of the one it failed at where the service says so. No
    /// operation was applied then, other than after [`Error::Unknown`], when all or none were.
    pub async fn transact(
        &self,
        operations: impl AsRef<[Operation]>,
        deadline: Deadline,
    ) -> Result<Vec<Option<Etag>>, Error> {
        let leaves_row: Vec<bool> = operations.as_ref().iter().map(Operation::leaves_row).collect();
        if leaves_row.is_empty() {
            return Ok(Vec::new());
        }
        let body = transaction::body(&self.account.endpoint, &self.name, operations.as_ref())?;
        // A hundred rows with their texts, which nobody needs while the service is at work.
        drop(operations);
        let request = Request::new(Method::POST, "$batch".to_owned(), Effect::Once)
            .with_body(body, HeaderValue::from_static(transaction::CONTENT_TYPE));
        self.exchange(request, deadline, |reply| {
            reply.expect(&[202])?;
            let content_type = reply.headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
            transaction::read(content_type.unwrap_or_default(), &reply.body, &leaves_row)
        })
        .await
    }

    async fn exchange<T>(
        &self,
        request: Request,
        deadline: Deadline,
        read: impl Fn(Reply) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        self.account.exchange(&self.name, request, deadline, read).await
    }

    fn entity_path(&self, partition: &str, row: &str) -> Result<String, Error> {
        key::check_keys(partition, row)?;
        Ok(EntityPath { table: &self.name, partition, row }.to_string())
    }
}

const NOT_A_ROW: Trouble = Trouble::Unreadable("the body is not an entity");
const NO_ETAG: Trouble = Trouble::Unreadable("there is no etag");

/// The etag of a row that was written.
fn written(reply: Reply) -> Result<Etag, Trouble> {
    reply.expect(&[201, 204])?;
    etag_header(&reply.headers).ok_or(NO_ETAG)
}

fn etag_header(headers: &HeaderMap) -> Option<Etag> {
    Etag::new(headers.get("etag")?.to_str().ok()?).ok()
}

/// A point read has the etag as a header in any case, and in the body at most metadata levels.
fn stored(row: Row, headers: &HeaderMap) -> Result<Stored, Trouble> {
    let in_body = row.etag.and_then(|etag| Etag::new(etag).ok());
    let etag = in_body.or_else(|| etag_header(headers)).ok_or(NO_ETAG)?;
    Ok(Stored { etag, entity: row.entity, timestamp: row.timestamp })
}

fn page(reply: &Reply) -> Result<Page, Trouble> {
    #[derive(Deserialize)]
    struct Rows {
        value: Vec<Row>,
    }
    let Rows { value } = serde_json::from_slice(&reply.body)
        .map_err(|_| Trouble::Unreadable("the body is not a list of entities"))?;
    let none = HeaderMap::new();
    let rows = value.into_iter().map(|row| stored(row, &none)).collect::<Result<_, _>>()?;
    Ok(Page { rows, next: continuation(&reply.headers)?, answered_at: date(&reply.headers) })
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// A continuation that cannot be read must not look like the end.
fn continuation(headers: &HeaderMap) -> Result<Option<Continuation>, Trouble> {
    let text = |name: &str| match headers.get(name).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(Trouble::Unreadable("the continuation is not plain text")),
    };
    let row = text("x-ms-continuation-nextrowkey")?;
    let partition = text("x-ms-continuation-nextpartitionkey")?;
    Ok(partition.map(|partition| Continuation { partition, row }))
}
