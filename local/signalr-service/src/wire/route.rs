//! Which operation a REST method and path mean, from the v1 and the 2022-06-01 swagger files. Later versions keep the
//! routes of 2022-06-01. Of their additions, tokens, client results and lists of groups are emulated; filtered
//! commands and streams are not.

use crate::names::{ConnectionId, GroupName, UserId};
use crate::world::{Member, Subject, Target};
use axum::http::Method;
use percent_encoding::percent_decode_str;

/// The two families of paths. They differ in routes and in success codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/api/v1/…`
    V1,
    /// `/api/…?api-version=…`
    Dated,
}

/// The dated versions, oldest first.
pub(crate) const DATED_VERSIONS: [&str; 4] = ["2022-06-01", "2022-11-01", "2023-07-01", "2024-12-01"];

/// The route of a REST call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Whether the service is up; needs no token.
    Health,
    Call(RestCall),
}

/// An operation on a hub. The hub's name is checked later, when the application in the query is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RestCall {
    pub(crate) api: Api,
    pub(crate) hub: String,
    pub(crate) operation: Operation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Send(Target),
    /// Calls a method of one client and answers with what it returns.
    Invoke(ConnectionId),
    /// Creates a token for a client.
    GenerateToken,
    /// Lists the connections in a group.
    List(GroupName),
    Close(Target),
    Exists(Subject),
    Join(Member, GroupName),
    Leave(Member, GroupName),
    LeaveAll(Member),
}

impl Operation {
    /// The first dated version with this operation.
    pub(crate) fn since(&self) -> &'static str {
        match self {
            Operation::GenerateToken => "2022-11-01",
            Operation::Invoke(_) | Operation::List(_) => "2024-12-01",
            _ => "2022-06-01",
        }
    }
}

/// Why a path has no route.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RouteRefusal {
    NotFound,
    /// The path exists for these methods only.
    Method(Vec<Method>),
    /// The named part of the path is invalid.
    BadPart(&'static str),
}

/// Finds the route of a request. `path` is the encoded path of the request line.
pub(crate) fn parse(method: &Method, path: &str) -> Result<Route, RouteRefusal> {
    let path = path.strip_prefix("/api/").ok_or(RouteRefusal::NotFound)?;
    let (api, path) = match path.strip_prefix("v1/") {
        Some(path) => (Api::V1, path),
        None => (Api::Dated, path),
    };
    let decoded: Vec<String> = path.split('/').map(decode).collect::<Result<_, _>>()?;
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match segments.as_slice() {
        // GET as well as the documented HEAD, as in the official emulator, so that a browser can be used.
        ["health"] => choose(method, vec![(Method::GET, Route::Health), (Method::HEAD, Route::Health)]),
        ["hubs", hub, on_hub @ ..] => {
            let operations = match api {
                Api::V1 => v1(on_hub)?,
                Api::Dated => dated(on_hub)?,
            };
            let operation = choose(method, operations)?;
            Ok(Route::Call(RestCall { api, hub: (*hub).to_owned(), operation }))
        }
        _ => Err(RouteRefusal::NotFound),
    }
}

type Operations = Result<Vec<(Method, Operation)>, RouteRefusal>;

fn v1(path: &[&str]) -> Operations {
    use Operation::{Close, Exists, Join, Leave, LeaveAll, Send};
    let checked =
        |subject: Subject| [(Method::GET, Exists(subject.clone())), (Method::HEAD, Exists(subject))];
    let mut operations = Vec::new();
    match path {
        [] => operations.push((Method::POST, Send(Target::All))),
        ["users", id] => {
            operations.push((Method::POST, Send(Target::User(user(id)?))));
            operations.extend(checked(Subject::User(user(id)?)));
        }
        ["users", id, "groups"] => operations.push((Method::DELETE, LeaveAll(Member::User(user(id)?)))),
        ["connections", id] => {
            let id = connection(id)?;
            operations.push((Method::POST, Send(Target::Connection(id.clone()))));
            operations.push((Method::DELETE, Close(Target::Connection(id.clone()))));
            operations.extend(checked(Subject::Connection(id)));
        }
        ["groups", name] => {
            operations.push((Method::POST, Send(Target::Group(group(name)?))));
            operations.extend(checked(Subject::Group(group(name)?)));
        }
        ["groups", name, "connections", id] => {
            let member = Member::Connection(connection(id)?);
            operations.push((Method::PUT, Join(member.clone(), group(name)?)));
            operations.push((Method::DELETE, Leave(member, group(name)?)));
        }
        ["groups", name, "users", id] => {
            let member = Member::User(user(id)?);
            operations.push((Method::PUT, Join(member.clone(), group(name)?)));
            operations.push((Method::DELETE, Leave(member, group(name)?)));
            operations.extend(checked(Subject::UserInGroup(user(id)?, group(name)?)));
        }
        _ => return Err(RouteRefusal::NotFound),
    }
    Ok(operations)
}

fn dated(path: &[&str]) -> Operations {
    use Operation::{Close, Exists, GenerateToken, Invoke, Join, Leave, LeaveAll, List, Send};
    Ok(match path {
        [":send"] => vec![(Method::POST, Send(Target::All))],
        [":generateToken"] => vec![(Method::POST, GenerateToken)],
        [":closeConnections"] => vec![(Method::POST, Close(Target::All))],
        ["users", id] => vec![(Method::HEAD, Exists(Subject::User(user(id)?)))],
        ["users", id, ":send"] => vec![(Method::POST, Send(Target::User(user(id)?)))],
        ["users", id, ":closeConnections"] => vec![(Method::POST, Close(Target::User(user(id)?)))],
        ["users", id, "groups"] => vec![(Method::DELETE, LeaveAll(Member::User(user(id)?)))],
        ["users", id, "groups", name] => vec![
            (Method::HEAD, Exists(Subject::UserInGroup(user(id)?, group(name)?))),
            (Method::PUT, Join(Member::User(user(id)?), group(name)?)),
            (Method::DELETE, Leave(Member::User(user(id)?), group(name)?)),
        ],
        ["connections", id] => vec![
            (Method::HEAD, Exists(Subject::Connection(connection(id)?))),
            (Method::DELETE, Close(Target::Connection(connection(id)?))),
        ],
        ["connections", id, ":send"] => vec![(Method::POST, Send(Target::Connection(connection(id)?)))],
        ["connections", id, ":invoke"] => vec![(Method::POST, Invoke(connection(id)?))],
        ["connections", id, "groups"] => {
            vec![(Method::DELETE, LeaveAll(Member::Connection(connection(id)?)))]
        }
        ["groups", name] => vec![(Method::HEAD, Exists(Subject::Group(group(name)?)))],
        ["groups", name, ":send"] => vec![(Method::POST, Send(Target::Group(group(name)?)))],
        ["groups", name, ":closeConnections"] => vec![(Method::POST, Close(Target::Group(group(name)?)))],
        ["groups", name, "connections"] => vec![(Method::GET, List(group(name)?))],
        ["groups", name, "connections", id] => vec![
            (Method::PUT, Join(Member::Connection(connection(id)?), group(name)?)),
            (Method::DELETE, Leave(Member::Connection(connection(id)?), group(name)?)),
        ],
        _ => return Err(RouteRefusal::NotFound),
    })
}

fn choose<T>(method: &Method, offered: Vec<(Method, T)>) -> Result<T, RouteRefusal> {
    let methods = offered.iter().map(|(method, _)| method.clone()).collect();
    let chosen = offered.into_iter().find(|(offered, _)| offered == method);
    chosen.map(|(_, what)| what).ok_or(RouteRefusal::Method(methods))
}

fn decode(segment: &str) -> Result<String, RouteRefusal> {
    let text = percent_decode_str(segment).decode_utf8();
    text.map(Into::into).map_err(|_| RouteRefusal::BadPart("path"))
}

fn user(text: &str) -> Result<UserId, RouteRefusal> {
    (!text.is_empty()).then(|| UserId(text.to_owned())).ok_or(RouteRefusal::BadPart("user"))
}

fn connection(text: &str) -> Result<ConnectionId, RouteRefusal> {
    (!text.is_empty()).then(|| ConnectionId(text.into())).ok_or(RouteRefusal::BadPart("connectionId"))
}

fn group(text: &str) -> Result<GroupName, RouteRefusal> {
    GroupName::parse(text).ok_or(RouteRefusal::BadPart("group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Result<Route, RouteRefusal> {
        parse(&method.parse().unwrap(), path)
    }

    fn operation(method: &str, path: &str) -> Operation {
        match route(method, path) {
            Ok(Route::Call(call)) if call.hub == "Chat" => call.operation,
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    fn room() -> GroupName {
        GroupName::parse("room #1/a").unwrap()
    }

    #[test]
    fn both_families_know_the_same_operations_by_their_own_paths() {
        let (ann, conn) = (UserId("ann".into()), ConnectionId("c".into()));
        let (user, connection) = (Member::User(ann.clone()), Member::Connection(conn.clone()));
        for (v1, dated, expected) in [
            ("POST ", "POST /:send", Operation::Send(Target::All)),
            ("POST /users/ann", "POST /users/ann/:send", Operation::Send(Target::User(ann.clone()))),
            (
                "POST /connections/c",
                "POST /connections/c/:send",
                Operation::Send(Target::Connection(conn.clone())),
            ),
            (
                "POST /groups/room%20%231%2Fa",
                "POST /groups/room%20%231%2Fa/:send",
                Operation::Send(Target::Group(room())),
            ),
            ("HEAD /users/ann", "HEAD /users/ann", Operation::Exists(Subject::User(ann.clone()))),
            (
                "HEAD /connections/c",
                "HEAD /connections/c",
                Operation::Exists(Subject::Connection(conn.clone())),
            ),
            (
                "DELETE /connections/c",
                "DELETE /connections/c",
                Operation::Close(Target::Connection(conn.clone())),
            ),
            (
                "HEAD /groups/room%20%231%2Fa/users/ann",
                "HEAD /users/ann/groups/room%20%231%2Fa",
                Operation::Exists(Subject::UserInGroup(ann.clone(), room())),
            ),
            (
                "PUT /groups/room%20%231%2Fa/users/ann",
                "PUT /users/ann/groups/room%20%231%2Fa",
                Operation::Join(user.clone(), room()),
            ),
            (
                "DELETE /groups/room%20%231%2Fa/connections/c",
                "DELETE /groups/room%20%231%2Fa/connections/c",
                Operation::Leave(connection, room()),
            ),
            ("DELETE /users/ann/groups", "DELETE /users/ann/groups", Operation::LeaveAll(user)),
        ] {
            let (method, path) = v1.split_once(' ').unwrap();
            assert_eq!(operation(method, &format!("/api/v1/hubs/Chat{path}")), expected);
            let (method, path) = dated.split_once(' ').unwrap();
            assert_eq!(operation(method, &format!("/api/hubs/Chat{path}")), expected);
        }
    }

    #[test]
    fn health_has_no_hub() {
        assert_eq!(route("HEAD", "/api/v1/health"), Ok(Route::Health));
        assert_eq!(route("HEAD", "/api/health"), Ok(Route::Health));
    }

    #[test]
    fn a_known_path_names_its_methods() {
        let refusal = route("GET", "/api/hubs/chat/connections/c");
        assert_eq!(refusal, Err(RouteRefusal::Method(vec![Method::HEAD, Method::DELETE])));
    }

    #[test]
    fn paths_of_one_family_are_unknown_to_the_other() {
        for (method, path) in [
            ("POST", "/api/v1/hubs/chat/:send"),
            ("POST", "/api/v1/hubs/chat/connections/c/:invoke"),
            ("POST", "/api/hubs/chat"),
            ("HEAD", "/api/hubs/chat/groups/g/users/u"),
            ("HEAD", "/api/v1/hubs/chat/users/u/groups/g"),
            ("POST", "/api/hubs/chat/:send/"),
            ("POST", "/client/negotiate"),
        ] {
            assert_eq!(route(method, path), Err(RouteRefusal::NotFound), "{path}");
        }
    }

    #[test]
    fn parts_that_break_their_rule_are_named() {
        for (path, part) in [
            ("users//:send", "user"),
            ("connections//:send", "connectionId"),
            ("groups/%20/:send", "group"),
            ("groups/%FF/:send", "path"),
        ] {
            let refusal = route("POST", &format!("/api/hubs/chat/{path}"));
            assert_eq!(refusal, Err(RouteRefusal::BadPart(part)), "{path}");
        }
    }
}
