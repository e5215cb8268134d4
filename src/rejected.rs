//! Rejected readings: why, how they are kept and for how long, and how people get to see them.

pub mod body;
pub mod elements;
pub(crate) mod function;
mod key;
pub mod reading;
pub mod retention;
pub mod row;
pub mod rows;
