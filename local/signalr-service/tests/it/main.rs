//! The stand-in with all its users: REST callers over HTTP, clients over every transport, the npm client in Node and
//! in a browser.

#![expect(clippy::unwrap_used, reason = "in a test a failed unwrap is the finding")]

mod browser;
mod client_results;
mod connections;
mod deadline;
mod delivery;
mod events;
mod faults;
mod frames;
mod http_client;
mod membership;
mod negotiation;
mod newer_versions;
mod npm;
mod npm_client;
mod pages;
mod polling;
mod raw;
mod rest;
mod support;
mod tokens;
mod unauthorized;
mod upstream;
