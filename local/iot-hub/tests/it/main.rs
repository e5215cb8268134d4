//! The hub over HTTP: every test has a hub of its own.

mod auth;
mod batch;
mod crash;
mod faults;
mod log;
mod read;
mod send;
mod support;
