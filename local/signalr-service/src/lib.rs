//! Stand-in for Azure SignalR Service on one loopback listener: REST calls in, SignalR clients out.
//!
//! It behaves as the service does, not as its official emulator: it checks audience and expiry of tokens, has the
//! success codes of the service, and passes arguments on byte for byte. It shares no code with the client under test.
//!
//! It has the REST operations of v1 and 2022-06-01, client results, lists of groups, and tokens. Clients use the hub
//! protocol in JSON or MessagePack over WebSockets, server-sent events or long polling, and their calls go to
//! upstreams. Deliberate differences from the service:
//!
//! - A client's call without a configured upstream is answered with an error that says so. The service's
//!   documentation contradicts itself here, and its emulator never answers.
//! - A connection does not end when an upstream refuses it or does not answer, as in the official emulator.
//! - A request from a web page that is not on this machine (by its `Origin`) gets 403: the development key is
//!   public, so any site could sign tokens against a service on its visitor's laptop.
//! - A close by REST allows automatic reconnection, as the official emulator does; the service's own reply is
//!   not documented.
//! - A client is closed with an error when a message cannot be expressed in its protocol: MessagePack cannot express
//!   a number outside the range of doubles, and a send in frames (`application/octet-stream`) may leave out a
//!   protocol. Otherwise the client would miss the message without notice, and the mistake would be found only in the
//!   cloud.
//! - When `:invoke` gets no result from the client, it is answered with 500 and a code of this stand-in; the
//!   service's response is not documented.
//!
//! The stand-in logs nothing, so it cannot log tokens or keys. A refusal names its reason in the response.

mod service;

mod client;
mod connection;
mod counts;
mod faults;
mod identity;
mod listener;
mod names;
mod origin;
mod outbox;
mod rest;
mod shared;
mod timings;
mod token;
mod transport;
mod upstream;
mod wire;
mod world;

pub use counts::Counts;
pub use faults::Faults;
pub use service::{DEVELOPMENT_KEY, Service, ServiceConfig, ServiceError};
pub use timings::Timings;
pub use upstream::Upstream;
