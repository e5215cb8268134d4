//! The recipients, members and subjects of REST calls.

use crate::names::{ConnectionId, GroupName, UserId};
use std::time::Duration;

/// The recipients of a send or a close. It is no error when there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    All,
    Group(GroupName),
    User(UserId),
    Connection(ConnectionId),
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Member {
    Connection(ConnectionId),
    User(UserId),
}

/// The subject of an existence check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Connection(ConnectionId),
    User(UserId),
    /// Exists while it has a connection in it.
    Group(GroupName),
    UserInGroup(UserId, GroupName),
}

/// How long a user stays in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinDuration {
    /// As long as the service remembers: a year, and the user's newest 100 such groups.
    Default,
    /// Only for the connections of the user that exist now, until they end.
    PresentConnections,
    For(Duration),
}
