//! What is known of each device: its state, how readings become the next one, and the row that keeps it.

pub mod fold;
mod ledger;
mod rarely_changed;
pub mod row;
pub mod rows;
pub mod state;
mod streams;
pub mod verdicts;
