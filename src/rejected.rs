//! Rejected readings: why, how they are kept, and how people get to see them.

pub mod body;
pub mod elements;
pub(crate) mod function;
mod key;
pub mod reading;
pub mod row;
pub mod rows;
