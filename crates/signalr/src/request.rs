//! REST calls as data: method, path, query and body for API version 2022-06-01. What is sent is decided here.

use std::fmt::{self, Display};
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::health::Purpose;
use crate::message::{BODY_LIMIT, Message};
use crate::names::{HubName, InvalidName, NameKind, encoded, segment};
use crate::send_error::SendError;

const API_VERSION: &str = "api-version=2022-06-01";

/// Which clients of the hub are meant. The service does not say whether any client matched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target<'a> {
    /// Every client.
    All,
    /// Every client but these connections.
    AllExcept(&'a [&'a str]),
    /// The members of a group.
    Group(&'a str),
    /// The members of a group but these connections.
    GroupExcept(&'a str, &'a [&'a str]),
    /// Every connection of a user.
    User(&'a str),
    /// One connection.
    Connection(&'a str),
}

/// What to do when it is not known whether a message was delivered. Messages have no id, so the service cannot tell
/// a repeated one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resend {
    /// Report [`SendError::Unknown`]: clients must not see the message twice.
    Never,
    /// Send again: clients can take the message twice.
    Allowed,
}

/// How long a user stays in a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Membership {
    /// For present and future connections, until removed. The service keeps it for a year, and the newest hundred of
    /// a user.
    Kept,
    /// For present and future connections during this time, counted in whole seconds and at least one. Adding the
    /// user again starts it anew.
    For(Duration),
    /// Only for the connections that the user has now.
    CurrentConnections,
}

/// One thing in a hub that a call is about.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Connection(&'a str),
    ConnectionInGroup(&'a str, &'a str),
    GroupsOfConnection(&'a str),
    Group(&'a str),
    User(&'a str),
    UserInGroup(&'a str, &'a str),
    GroupsOfUser(&'a str),
}

/// A call that only lacks an endpoint.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// From the root, percent-encoded; also what the token is for.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Option<Bytes>,
    pub(crate) resend: Resend,
    pub(crate) access: Access,
}

/// Whether a call carries a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    Open,
    Signed,
}

impl Request {
    pub(crate) fn health() -> Request {
        let request = Request::repeatable(Method::HEAD, "/api/health".to_owned());
        Request { access: Access::Open, ..request }
    }

    pub(crate) fn send(
        hub: &HubName,
        to: Target<'_>,
        body: &Message,
        resend: Resend,
    ) -> Result<Request, SendError> {
        let body = body.body().clone();
        if body.len() > BODY_LIMIT {
            return Err(SendError::TooLarge { size: body.len() });
        }
        let path = format!("{}/:send", to.path(hub)?);
        let request = Request { resend, body: Some(body), ..Request::repeatable(Method::POST, path) };
        Ok(request.excluding(to))
    }

    pub(crate) fn close(
        hub: &HubName,
        whom: Target<'_>,
        reason: Option<&str>,
    ) -> Result<Request, InvalidName> {
        let path = whom.path(hub)?;
        let request = match whom {
            Target::Connection(_) => Request::repeatable(Method::DELETE, path),
            _ => Request::repeatable(Method::POST, format!("{path}/:closeConnections")),
        };
        let request = request.excluding(whom);
        Ok(reason.into_iter().fold(request, |request, reason| request.with("reason", encoded(reason))))
    }

    pub(crate) fn at(method: Method, hub: &HubName, place: Place<'_>) -> Result<Request, InvalidName> {
        Ok(Request::repeatable(method, place.path(hub)?))
    }

    pub(crate) fn lasting(self, membership: Membership) -> Request {
        match membership {
            Membership::Kept => self,
            Membership::CurrentConnections => self.with("ttl", 0),
            Membership::For(time) => self.with("ttl", whole_seconds(time)),
        }
    }

    pub(crate) fn purpose(&self) -> Purpose {
        if self.method == Method::POST { Purpose::Message } else { Purpose::Administration }
    }

    pub(crate) fn body_length(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }

    fn repeatable(method: Method, path: String) -> Request {
        Request {
            method,
            path,
            query: API_VERSION.to_owned(),
            body: None,
            resend: Resend::Allowed,
            access: Access::Signed,
        }
    }

    fn with(mut self, name: &str, value: impl Display) -> Request {
        self.query = format!("{}&{name}={value}", self.query);
        self
    }

    fn excluding(self, target: Target<'_>) -> Request {
        let (Target::AllExcept(excluded) | Target::GroupExcept(_, excluded)) = target else {
            return self;
        };
        excluded.iter().fold(self, |request, id| request.with("excluded", encoded(id)))
    }
}

/// Rounded up and never zero, because zero means something else to the service.
fn whole_seconds(time: Duration) -> u64 {
    let started = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(started).max(1)
}

impl Target<'_> {
    fn path(self, hub: &HubName) -> Result<String, InvalidName> {
        match self {
            Target::All | Target::AllExcept(_) => Ok(Root(hub).to_string()),
            Target::Group(group) | Target::GroupExcept(group, _) => Place::Group(group).path(hub),
            Target::User(user) => Place::User(user).path(hub),
            Target::Connection(connection) => Place::Connection(connection).path(hub),
        }
    }
}

impl Place<'_> {
    fn path(self, hub: &HubName) -> Result<String, InvalidName> {
        let root = Root(hub);
        let group = |name| segment(NameKind::Group, name);
        let user = |name| segment(NameKind::User, name);
        let connection = |id| segment(NameKind::Connection, id);
        Ok(match self {
            Place::Connection(id) => format!("{root}/connections/{}", connection(id)?),
            Place::ConnectionInGroup(id, name) => {
                format!("{root}/groups/{}/connections/{}", group(name)?, connection(id)?)
            }
            Place::GroupsOfConnection(id) => format!("{root}/connections/{}/groups", connection(id)?),
            Place::Group(name) => format!("{root}/groups/{}", group(name)?),
            Place::User(id) => format!("{root}/users/{}", user(id)?),
            Place::UserInGroup(id, name) => format!("{root}/users/{}/groups/{}", user(id)?, group(name)?),
            Place::GroupsOfUser(id) => format!("{root}/users/{}/groups", user(id)?),
        })
    }
}

struct Root<'a>(&'a HubName);

impl Display for Root<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/api/hubs/{}", self.0.encoded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> HubName {
        HubName::new("Chat").expect("a good name")
    }

    fn message() -> Message {
        Message::new("t", &[1]).expect("an array")
    }

    fn line(request: &Request) -> String {
        format!("{} {}?{}", request.method, request.path, request.query)
    }

    #[test]
    fn sends_follow_the_published_routes() {
        for (target, expected) in [
            (Target::All, "POST /api/hubs/chat/:send?api-version=2022-06-01"),
            (
                Target::AllExcept(&["a b", "c"]),
                "POST /api/hubs/chat/:send?api-version=2022-06-01&excluded=a%20b&excluded=c",
            ),
            (Target::Group("room #1"), "POST /api/hubs/chat/groups/room%20%231/:send?api-version=2022-06-01"),
            (
                Target::GroupExcept("g", &["x&y"]),
                "POST /api/hubs/chat/groups/g/:send?api-version=2022-06-01&excluded=x%26y",
            ),
            (Target::User("a/b"), "POST /api/hubs/chat/users/a%2Fb/:send?api-version=2022-06-01"),
            (Target::Connection("ü"), "POST /api/hubs/chat/connections/%C3%BC/:send?api-version=2022-06-01"),
        ] {
            let request = Request::send(&hub(), target, &message(), Resend::Never).expect("good names");
            assert_eq!(line(&request), expected);
            assert_eq!(request.resend, Resend::Never);
        }
    }

    #[test]
    fn closes_follow_the_published_routes() {
        for (target, expected) in [
            (Target::All, "POST /api/hubs/chat/:closeConnections?api-version=2022-06-01&reason=so%20long"),
            (
                Target::GroupExcept("g", &["c"]),
                "POST /api/hubs/chat/groups/g/:closeConnections?api-version=2022-06-01&excluded=c&reason=so%20long",
            ),
            (
                Target::User("u"),
                "POST /api/hubs/chat/users/u/:closeConnections?api-version=2022-06-01&reason=so%20long",
            ),
            (
                Target::Connection("c"),
                "DELETE /api/hubs/chat/connections/c?api-version=2022-06-01&reason=so%20long",
            ),
        ] {
            assert_eq!(line(&Request::close(&hub(), target, Some("so long")).expect("good names")), expected);
        }
    }

    #[test]
    fn places_follow_the_published_routes() {
        for (place, expected) in [
            (Place::Connection("c"), "/api/hubs/chat/connections/c"),
            (Place::ConnectionInGroup("c", "g"), "/api/hubs/chat/groups/g/connections/c"),
            (Place::GroupsOfConnection("c"), "/api/hubs/chat/connections/c/groups"),
            (Place::Group("g"), "/api/hubs/chat/groups/g"),
            (Place::User("u"), "/api/hubs/chat/users/u"),
            (Place::UserInGroup("u", "g"), "/api/hubs/chat/users/u/groups/g"),
            (Place::GroupsOfUser("u"), "/api/hubs/chat/users/u/groups"),
        ] {
            assert_eq!(Request::at(Method::PUT, &hub(), place).expect("good names").path, expected);
        }
    }

    #[test]
    fn a_short_membership_never_becomes_one_for_current_connections_only() {
        for (membership, expected) in [
            (Membership::Kept, "api-version=2022-06-01"),
            (Membership::CurrentConnections, "api-version=2022-06-01&ttl=0"),
            (Membership::For(Duration::ZERO), "api-version=2022-06-01&ttl=1"),
            (Membership::For(Duration::from_millis(2001)), "api-version=2022-06-01&ttl=3"),
        ] {
            let request = Request::at(Method::PUT, &hub(), Place::UserInGroup("u", "g")).expect("good names");
            assert_eq!(request.lasting(membership).query, expected);
        }
    }

    #[test]
    fn a_group_that_would_escape_its_path_is_refused() {
        let refused = Request::send(&hub(), Target::Group(".."), &message(), Resend::Never);
        assert!(matches!(refused, Err(SendError::InvalidName(_))), "{refused:?}");
    }

    #[test]
    fn a_body_over_the_limit_is_refused_with_its_size() {
        let large = Message::new("t", &["x".repeat(BODY_LIMIT)]).expect("an array");
        let size = large.body().len();
        let refused = Request::send(&hub(), Target::All, &large, Resend::Never);
        assert!(matches!(refused, Err(SendError::TooLarge { size: told }) if told == size), "{refused:?}");
    }
}
