//! Stand-in for Azure SignalR Service on one loopback listener: REST calls in, SignalR clients out.
//!
//! It is held to what the service itself does, not to its official emulator: audiences and expiry of tokens
//! are checked, success codes are the service's, arguments are passed on byte for byte. It shares no code
//! with the client under test.
//!
//! Built: the v1 and 2022-06-01 REST operations, client results, lists of groups and tokens, and clients that speak the hub protocol in JSON or
//! MessagePack over WebSockets, server-sent events or long polling, and whose calls go to upstreams. Deliberate differences from the service:
//!
//! - A client's call that no upstream is configured for is answered with an error that says so. The service's
//!   documentation contradicts itself here, and its emulator never answers.
//! - An upstream that refuses a connection or fails to answer for it does not end it, as in the official emulator.
//! - A request from a web page that is not on this machine (by its `Origin`) gets 403: the development key is
//!   public, so any site could sign tokens against a service on its visitor's laptop.
//! - A close by REST allows automatic reconnection, as the official emulator does; the service's own reply is
//!   not documented.
//! - A client is closed with an error when a message has no form in its protocol: MessagePack has none for a
//!   number beyond every double, and a send in frames (`application/octet-stream`) may leave a protocol out. It would
//!   miss the message without knowing, and the mistake would show up in the cloud.
//! - A call of a client by `:invoke` that brings no result is answered with 500 and a code of our own; the service's
//!   answer is not documented.
//!
//! The service logs nothing, so it cannot log tokens or keys; refusals say their reason in the reply.

mod service;

mod client;
mod connection;
mod counts;
mod faults;
mod listener;
mod names;
mod origin;
mod outbox;
mod rest;
mod token;
mod transport;
mod upstream;
mod wire;
mod world;

pub use counts::Counts;
pub use faults::Faults;
pub use service::{DEVELOPMENT_KEY, Service, ServiceConfig, ServiceError, Timings};
pub use upstream::Upstream;
