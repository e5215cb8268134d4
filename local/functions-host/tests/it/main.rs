//! The host against a real handler process and a hub that is only a list of events.

#![expect(clippy::unwrap_used, reason = "a broken expectation of a helper fails its test")]

mod deadline;
mod director;
mod events;
mod faults;
mod http;
mod hub;
mod launch;
mod replies;
mod restarts;
mod test_app;
mod timers;
mod web;
