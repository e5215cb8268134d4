//! What is known of each device: its state, how readings become the next one, and the row that keeps it.

pub mod fold;
pub(crate) mod row;
pub mod state;
pub mod verdicts;
