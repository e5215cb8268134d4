//! The hub over its wire: every test talks HTTP to a hub of its own.

mod auth;
mod batch;
mod crash;
mod faults;
mod log;
mod read;
mod send;
mod support;
