//! One table of a store: the calls of everyday use, without the store's clock.

use std::sync::Arc;

use crate::{
    Continuation, Deadline, Entity, Error, Etag, Failure, Operation, Page, Query, Stored, TableName,
    TableStore,
};

/// A table of a store. Cheap to clone.
///
/// Every method is one call of [`TableStore`], or several of them, and fails as that does.
#[derive(Clone, Debug)]
pub struct Table {
    store: Arc<dyn TableStore>,
    name: TableName,
}

impl Table {
    /// This table of this store, whether it exists or not.
    #[must_use]
    pub fn new(store: Arc<dyn TableStore>, name: TableName) -> Table {
        Table { store, name }
    }

    /// The name of the table.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The store, for the answers that carry its clock.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn TableStore> {
        &self.store
    }

    /// Creates the table. It is no error if it exists.
    ///
    /// # Errors
    /// As [`TableStore::create_table`].
    pub async fn create(&self, deadline: Deadline) -> Result<(), Error> {
        self.store.create_table(&self.name, deadline).await.map(|answered| answered.value)
    }

    /// Reads one row; `None` if there is none.
    ///
    /// # Errors
    /// As [`TableStore::get`].
    pub async fn get(&self, partition: &str, row: &str, deadline: Deadline) -> Result<Option<Stored>, Error> {
        self.store.get(&self.name, partition, row, deadline).await.map(|answered| answered.value)
    }

    /// Adds a row that must not exist.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it exists; as [`TableStore::transact`].
    pub async fn insert(&self, entity: &Entity, deadline: Deadline) -> Result<Etag, Error> {
        self.write(Operation::Insert(entity.clone()), deadline).await
    }

    /// Changes the properties that `entity` has, if the stored row still has this etag. The others stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row was changed or is gone; as [`TableStore::transact`].
    pub async fn merge(&self, entity: &Entity, etag: &Etag, deadline: Deadline) -> Result<Etag, Error> {
        self.write(Operation::Merge(entity.clone(), etag.clone()), deadline).await
    }

    /// Puts `entity` in place of the stored row, if that still has this etag.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row was changed or is gone; as [`TableStore::transact`].
    pub async fn replace(&self, entity: &Entity, etag: &Etag, deadline: Deadline) -> Result<Etag, Error> {
        self.write(Operation::Replace(entity.clone(), etag.clone()), deadline).await
    }

    /// Deletes a row, if it still has this etag.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the row was changed or is gone; as [`TableStore::transact`].
    pub async fn delete(
        &self,
        partition: &str,
        row: &str,
        etag: &Etag,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let (partition, row, etag) = (partition.to_owned(), row.to_owned(), etag.clone());
        self.single(Operation::Delete { partition, row, etag }, deadline).await.map(drop)
    }

    /// Applies all operations or none.
    ///
    /// # Errors
    /// As [`TableStore::transact`].
    pub async fn transact(
        &self,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Result<Vec<Option<Etag>>, Error> {
        self.store.transact(&self.name, operations, deadline).await.map(|answered| answered.value)
    }

    /// Reads one page, the first or the one that `from` leads to.
    ///
    /// # Errors
    /// As [`TableStore::query`].
    pub async fn query(
        &self,
        query: &Query,
        from: Option<&Continuation>,
        deadline: Deadline,
    ) -> Result<Page, Error> {
        self.store.query(&self.name, query, from, deadline).await.map(|answered| answered.value)
    }

    /// Reads all pages, one after the other, so that rows written meanwhile may or may not be among them.
    ///
    /// # Errors
    /// As [`TableStore::query`]; the deadline is for all pages together.
    pub async fn query_all(&self, query: &Query, deadline: Deadline) -> Result<Vec<Stored>, Error> {
        let Page { mut rows, mut next, .. } = self.query(query, None, deadline).await?;
        while let Some(from) = next {
            let page = self.query(query, Some(&from), deadline).await?;
            rows.extend(page.rows);
            next = page.next;
        }
        Ok(rows)
    }

    /// The first row that a query finds, however many empty pages come before it.
    ///
    /// # Errors
    /// As [`TableStore::query`]; the deadline is for all pages together.
    pub async fn first(&self, query: &Query, deadline: Deadline) -> Result<Option<Stored>, Error> {
        let query = query.clone().top(1);
        let mut from = None;
        loop {
            let page = self.query(&query, from.as_ref(), deadline).await?;
            match (page.rows.into_iter().next(), page.next) {
                (Some(row), _) => return Ok(Some(row)),
                (None, Some(next)) => from = Some(next),
                (None, None) => return Ok(None),
            }
        }
    }

    async fn write(&self, operation: Operation, deadline: Deadline) -> Result<Etag, Error> {
        let etag = self.single(operation, deadline).await?;
        // A store that breaks its contract leaves open whether it has written.
        etag.ok_or(Error::Unknown { last: Failure::Unreadable("there is no etag"), source: None })
    }

    async fn single(&self, operation: Operation, deadline: Deadline) -> Result<Option<Etag>, Error> {
        let etags = self.transact(vec![operation], deadline).await.map_err(Error::of_single)?;
        Ok(etags.into_iter().next().flatten())
    }
}
