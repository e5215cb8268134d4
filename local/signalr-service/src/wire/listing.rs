//! The reply that lists a group's connections, one page of it, with a link to the next.

use crate::names::{ConnectionId, UserId};
use serde_json::{Value, json};

/// The part of a list that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// The most entries in this reply.
    pub(crate) size: usize,
    /// The most entries in this reply and those that follow it.
    pub(crate) top: Option<usize>,
    /// The last connection of the previous page.
    pub(crate) after: Option<String>,
}

impl PageRequest {
    pub(crate) const LARGEST: usize = 200;
}

/// The page of `members`, which are sorted by id. `url` is the URL of the request without its query.
pub(crate) fn reply(
    members: &[(ConnectionId, Option<UserId>)],
    page: &PageRequest,
    url: &str,
    query: &str,
) -> Value {
    let is_before = |id: &ConnectionId| page.after.as_deref().is_some_and(|after| *id.0 <= *after);
    let rest = &members[members.partition_point(|(id, _)| is_before(id))..];
    let count = page.size.min(page.top.unwrap_or(usize::MAX)).min(rest.len());
    let mut reply = json!({ "value": rest[..count].iter().map(entry).collect::<Vec<_>>() });
    let top = page.top.map(|top| top - count);
    if let Some((last, _)) = rest[..count].last().filter(|_| count < rest.len() && top != Some(0)) {
        reply["nextLink"] = format!("{url}?{}", next_query(query, top, last)).into();
    }
    reply
}

fn entry((id, user): &(ConnectionId, Option<UserId>)) -> Value {
    match user {
        Some(user) => json!({ "connectionId": *id.0, "userId": user.0 }),
        None => json!({ "connectionId": *id.0 }),
    }
}

/// Connection ids need no escaping in a query.
fn next_query(query: &str, top: Option<usize>, last: &ConnectionId) -> String {
    let replaced = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        name.eq_ignore_ascii_case("top") || name.eq_ignore_ascii_case("continuationToken")
    };
    let mut pairs: Vec<String> = query.split('&').filter(|pair| !replaced(pair)).map(str::to_owned).collect();
    pairs.extend(top.map(|top| format!("top={top}")));
    pairs.push(format!("continuationToken={}", last.0));
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids on the page, and the query of the next link.
    fn listed(size: usize, top: Option<usize>, after: Option<&str>) -> (String, Option<String>) {
        let members = ["a", "b", "c", "d", "e"].map(|id| (ConnectionId(id.into()), None));
        let page = PageRequest { size, top, after: after.map(Into::into) };
        let reply = reply(&members, &page, "http://h/p", "x=1&Top=9&continuationtoken=z");
        let ids =
            reply["value"].as_array().unwrap().iter().map(|entry| entry["connectionId"].as_str().unwrap());
        let next =
            reply["nextLink"].as_str().map(|link| link.strip_prefix("http://h/p?").unwrap().to_owned());
        (ids.collect(), next)
    }

    fn page(ids: &str, next: Option<&str>) -> (String, Option<String>) {
        (ids.into(), next.map(Into::into))
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        assert_eq!(listed(2, None, None), page("ab", Some("x=1&continuationToken=b")));
        assert_eq!(listed(2, None, Some("b")), page("cd", Some("x=1&continuationToken=d")));
        assert_eq!(listed(2, None, Some("d")), page("e", None));
        assert_eq!(listed(5, None, None), page("abcde", None));
        assert_eq!(listed(2, None, Some("bb")), page("cd", Some("x=1&continuationToken=d")), "it has left");
        assert_eq!(listed(2, None, Some("z")), page("", None));
    }

    #[test]
    fn a_limit_counts_over_all_pages() {
        assert_eq!(listed(2, Some(3), None), page("ab", Some("x=1&top=1&continuationToken=b")));
        assert_eq!(listed(2, Some(1), Some("b")), page("c", None));
        assert_eq!(listed(2, Some(2), None), page("ab", None));
    }

    #[test]
    fn a_user_is_named_where_there_is_one() {
        let members = [(ConnectionId("a".into()), Some(UserId("alice".into())))];
        let page = PageRequest { size: 1, top: None, after: None };
        let expected = json!({ "value": [{ "connectionId": "a", "userId": "alice" }] });
        assert_eq!(reply(&members, &page, "", ""), expected);
    }
}
