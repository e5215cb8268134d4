//! The suite on every store and every decorator.

use std::sync::Arc;
use std::time::Duration;

use fieldcast_tables::{
    Delayed, EmbeddedStore, Faulty, MemoryStore, Pause, Recorded, Sparse, TableStore, suite,
};

fn memory() -> Arc<dyn TableStore> {
    Arc::new(MemoryStore::new())
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    suite::all(memory()).await;
}

#[tokio::test]
async fn memory_with_small_pages_keeps_the_contract() {
    suite::all(Arc::new(MemoryStore::new().with_page_size(7))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    suite::all(Arc::new(EmbeddedStore::new(folder.path()))).await;
}

#[tokio::test]
async fn a_store_that_does_not_fail_keeps_the_contract() {
    suite::all(Arc::new(Faulty::new(memory()))).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_far_away_keeps_the_contract() {
    let pause = Pause { before: Duration::from_millis(8), after: Duration::from_millis(8) };
    suite::all(Arc::new(Delayed::new(memory(), pause))).await;
}

#[tokio::test]
async fn a_store_that_remembers_keeps_the_contract() {
    suite::all(Arc::new(Recorded::new(memory()))).await;
}

#[tokio::test]
async fn a_store_whose_pages_are_empty_or_short_keeps_the_contract() {
    suite::all(Arc::new(Sparse::new(memory()))).await;
    suite::all(Arc::new(Sparse::new(Arc::new(MemoryStore::new().with_page_size(7))))).await;
}
