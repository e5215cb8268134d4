//! A store whose pages are as the contract allows and as tests seldom see them: empty or short, with more behind them.

use std::fmt;
use std::sync::Arc;

use crate::{
    Answered, Continuation, Deadline, Error, Etag, Invalid, Operation, Page, Query, Reply, Stored, TableName,
    TableStore,
};

/// Marks the continuation of an empty page. Behind it stands where that page started.
const MARK: &str = "sparse ";

/// Rows of the page behind an empty one.
const FEW: u16 = 2;

/// A store that answers a query with an empty page first, then with a short one, and so on in turn.
///
/// The service may end a page whenever it likes: at a limit of time, or where one of its machines ends. So what one page
/// does not hold may well be there.
#[derive(Clone)]
pub struct Sparse {
    store: Arc<dyn TableStore>,
    is_sparse: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Sparse {
    /// A store whose every second page is empty.
    #[must_use]
    pub fn new(store: Arc<dyn TableStore>) -> Sparse {
        Sparse::when(store, || true)
    }

    /// A store that is asked for each page whether it comes empty. None comes empty twice.
    #[must_use]
    pub fn when(store: Arc<dyn TableStore>, is_sparse: impl Fn() -> bool + Send + Sync + 'static) -> Sparse {
        Sparse { store, is_sparse: Arc::new(is_sparse) }
    }

    async fn page(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
        deadline: Deadline,
    ) -> Result<Answered<Page>, Error> {
        let behind = from.and_then(|from| from.as_str().strip_prefix(MARK));
        if let Some(behind) = behind {
            // What stands behind the mark is what the store named, with a sign before it, or nothing.
            let from = match behind.strip_prefix('+') {
                Some(text) => Some(Continuation::from_text(text)),
                None if behind.is_empty() => None,
                None => return Err(Invalid::Continuation.into()),
            };
            let few = FEW.min(query.page_size.unwrap_or(FEW));
            return self.store.query(table, &query.clone().top(few), from.as_ref(), deadline).await;
        }
        let answered = self.store.query(table, query, from, deadline).await?;
        if !(self.is_sparse)() {
            return Ok(answered);
        }
        let place = from.map(|from| format!("+{}", from.as_str())).unwrap_or_default();
        let next = Some(Continuation::from_text(format!("{MARK}{place}")));
        Ok(answered.map(|page| Page { rows: Vec::new(), next, ..page }))
    }
}

impl fmt::Debug for Sparse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sparse").field("store", &self.store).finish_non_exhaustive()
    }
}

impl TableStore for Sparse {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.store.create_table(table, deadline)
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.store.get(table, partition, row, deadline)
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        Box::pin(self.page(table, query, from, deadline))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.store.transact(table, operations, deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Entity, MemoryStore, Table};

    #[tokio::test]
    async fn pages_are_empty_and_short_in_turn_and_lose_nothing() {
        let table = Table::new(
            Arc::new(Sparse::new(Arc::new(MemoryStore::new()))),
            TableName::new("Devices").unwrap(),
        );
        let soon = Deadline::after(Duration::from_secs(60));
        table.create(soon).await.unwrap();
        for row in ["a", "b", "c"] {
            table.insert(&Entity::new("p", row), soon).await.unwrap();
        }
        let (mut sizes, mut from) = (Vec::new(), None);
        loop {
            let page = table.query(&Query::partition("p"), from.as_ref(), soon).await.unwrap();
            sizes.push(page.rows.len());
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [0, 2, 0, 1]);
        for text in ["sparse -", "sparse +x", "sparse ü"] {
            let forged = Continuation::from_text(text);
            let refused = table.query(&Query::partition("p"), Some(&forged), soon).await.unwrap_err();
            assert!(
                matches!(refused, Error::Invalid { reason: Invalid::Continuation, .. }),
                "{text}: {refused:?}"
            );
        }
    }
}
