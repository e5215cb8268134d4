//! The contract of [`TableStore`] as tests: each function is one promise, and every store and decorator runs all of them.
//!
//! A promise ends in a panic if it is not kept. It makes tables of its own, so that a store can be used more than once.

#![expect(clippy::unwrap_used, reason = "a test may end where something unexpected happens")]

mod changes;
mod clock;
mod filters;
mod keys;
pub mod kill;
mod limits;
mod merged;
mod missing;
mod pages;
mod race;
mod rows;
mod tables;
mod transactions;

mod desk;

use std::pin::Pin;
use std::sync::Arc;

pub use changes::*;
pub use clock::*;
pub use filters::*;
pub use keys::*;
pub use limits::*;
pub use merged::*;
pub use missing::*;
pub use pages::*;
pub use race::*;
pub use rows::*;
pub use tables::*;
pub use transactions::*;

use crate::TableStore;

/// A promise by its name, to be checked on a store.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// What is promised.
    pub name: &'static str,
    check: fn(Arc<dyn TableStore>) -> Checking,
}

type Checking = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Promise {
    /// Checks it.
    ///
    /// # Panics
    /// If it is not kept.
    pub async fn check(&self, store: Arc<dyn TableStore>) {
        (self.check)(store).await;
    }
}

macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        /// All promises, in the order in which a new store is best made to keep them.
        pub const PROMISES: &[Promise] = &[
            $(Promise { name: stringify!($name), check: |store| Box::pin($name(store)) }),*
        ];
    };
}

promises![
    a_missing_table_is_said_by_every_call,
    creating_a_table_again_changes_nothing,
    a_missing_row_is_none,
    every_type_of_value_comes_back_as_it_was,
    an_insert_needs_absence,
    a_merge_changes_what_it_names_and_a_replace_leaves_nothing_else,
    every_write_needs_the_current_etag,
    an_etag_is_never_given_again,
    odd_keys_name_the_row_they_look_like,
    rows_come_in_the_order_of_utf16,
    a_page_has_at_most_a_thousand_rows,
    top_makes_pages_smaller_and_loses_nothing,
    what_stays_is_returned_once_while_others_change,
    a_continuation_of_nobody_is_invalid,
    any_continuation_has_an_answer,
    queries_narrow_by_keys,
    queries_narrow_by_values_of_every_type,
    selected_properties_are_all_that_comes,
    first_finds_a_row_behind_empty_pages,
    a_transaction_applies_every_kind_of_operation,
    a_failed_transaction_names_the_operation_and_changes_nothing,
    no_operations_are_no_error,
    what_was_written_since_a_moment_is_found,
    changes_come_in_pages_too,
    an_unreadable_moment_finds_everything,
    rows_that_are_gone_do_not_disturb_what_changed,
    a_deadline_that_has_passed_does_nothing,
    every_answer_carries_the_clock,
    missing_rows_are_inserted_and_others_left_alone,
    at_most_100_operations,
    at_most_4_mib_in_a_transaction,
    one_operation_for_a_row,
    one_partition_in_a_transaction,
    keys_have_their_limits,
    property_names_have_their_limits,
    property_values_have_their_limits,
    at_most_252_properties,
    at_most_1_mib_in_a_row,
    queries_have_their_limits,
    a_merged_row_has_at_most_252_properties,
    a_merged_row_has_at_most_1_mib,
    counters_that_four_tasks_increment_lose_nothing,
];

/// Checks every promise on a store, one after the other.
///
/// # Panics
/// If one is not kept.
pub async fn all(store: Arc<dyn TableStore>) {
    all_but(store, &[]).await;
}

/// Checks every promise but these, for an emulator that is known not to keep them.
///
/// # Panics
/// If one is not kept, or there is none of such a name.
pub async fn all_but(store: Arc<dyn TableStore>, exceptions: &[&str]) {
    for exception in exceptions {
        assert!(PROMISES.iter().any(|promise| promise.name == *exception), "nobody promises {exception}");
    }
    for promise in PROMISES.iter().filter(|promise| !exceptions.contains(&promise.name)) {
        // What is printed last names the promise that is not kept.
        eprintln!("{}", promise.name);
        promise.check(Arc::clone(&store)).await;
    }
}
