//! SignalR Service as handlers and screens meet it: REST calls of the former, connections of the latter. Messages travel to
//! each connection on their own, and may overtake each other.

mod call;
mod hub;
mod service;
mod wire;

pub(crate) use self::service::{Connection, SignalR};
pub(crate) use self::wire::Wire;
