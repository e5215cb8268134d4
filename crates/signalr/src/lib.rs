//! Azure SignalR Service data plane: connection strings, tokens and REST.
//!
//! For serverless applications that sign their clients in and push messages to them without an app server.
//! [`Endpoint`] reads a connection string, [`client_access`] answers a negotiate request, and [`HubClient`] sends to
//! the clients of one hub and manages their groups.
//!
//! Everything but [`HubClient`] is data in, data out: no clock, no environment, no network. `HubClient` uses the
//! [`reqwest::Client`] it is given, so connections, proxies and TLS are the caller's choice. Give that client a
//! `connect_timeout`: a connection that was never made is then known as "not delivered", whereas any other time-out
//! leaves open whether the message went out.
//!
//! [`Transport`] is the whole of the network that `HubClient` sees, and all its waiting is in tokio's time: a test or a
//! simulation can put a service of its own there and let time stand still.

mod connection_string;
mod endpoint;
mod settings;

mod names;

mod client_access;
mod token;
mod upstream;

mod message;

mod hub_client;
mod route;

mod answer;
mod health;
mod request;
mod retry;
mod send_error;
mod transport;

pub use client_access::{ClientAccess, ClientClaims, client_access};
pub use connection_string::ConnectionStringError;
pub use endpoint::Endpoint;
pub use hub_client::{HubClient, Presence};
pub use message::{BODY_LIMIT, Frame, Frames, Message, MessageError, OversizedElement};
pub use names::{HubName, InvalidName, NameKind, NameProblem};
pub use request::{Membership, Resend, Target};
pub use send_error::{EndpointFailure, EndpointFailures, SendError};
pub use settings::{DEFAULT_SETTING, Endpoints, NamedEndpoint, Role, SettingError};
pub use token::TokenError;
pub use transport::{Transport, TransportError};
pub use upstream::InvalidSignature;

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
