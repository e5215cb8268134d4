//! The identity of a connection: its names, its claims, and the query it connected with.

use crate::names::{ConnectionId, ConnectionToken, HubName, UserId};

/// The identity of a connection.
pub(crate) struct Identity {
    pub(crate) hub: HubName,
    pub(crate) token: ConnectionToken,
    pub(crate) id: ConnectionId,
    pub(crate) user: Option<UserId>,
    /// The claims of its token about the client.
    pub(crate) claims: Vec<(String, String)>,
    /// The query of its first request.
    pub(crate) query: String,
}
