//! The identifiers the service speaks of. They are typed so that a user is never looked up as a group.

use std::sync::Arc;

/// A hub, in lower case: the service compares hub names without case. With an application it is
/// `{application}_{hub}`, which is also what the application's clients ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HubName(String);

impl HubName {
    /// The hub of a REST call, `None` when a part breaks the documented pattern
    /// ``^[A-Za-z][A-Za-z0-9_`,.[\]]{0,127}$``.
    pub(crate) fn of_call(application: Option<&str>, hub: &str) -> Option<HubName> {
        const LONGEST: usize = 128;
        let fits = |name: &str| name.len() <= LONGEST && has_hub_pattern(name);
        match application {
            _ if !fits(hub) => None,
            None => Some(HubName(hub.to_ascii_lowercase())),
            Some(application) if fits(application) => {
                Some(HubName(format!("{application}_{hub}").to_ascii_lowercase()))
            }
            Some(_) => None,
        }
    }

    /// The hub of a client's `hub` query item, where an application is already joined to it.
    pub(crate) fn of_client(hub: &str) -> Option<HubName> {
        // Two names of 128 and the underscore between them.
        const LONGEST: usize = 257;
        (hub.len() <= LONGEST && has_hub_pattern(hub)).then(|| HubName(hub.to_ascii_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_hub_pattern(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_`,.[]".contains(c))
}

/// What a client is known as to the application. Clients may learn each other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) Arc<str>);

/// The secret by which a client claims the connection it negotiated; no other client learns it.
/// It has no `Debug` so that it cannot be printed by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionToken(pub(crate) String);

/// A group, compared with case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GroupName(String);

impl GroupName {
    /// `None` for names the REST reference excludes: empty, over 1,024 characters, only white space.
    pub(crate) fn parse(text: &str) -> Option<GroupName> {
        const LONGEST: usize = 1024;
        (text.chars().count() <= LONGEST && !text.trim().is_empty()).then(|| GroupName(text.to_owned()))
    }
}

/// A user, compared with case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UserId(pub(crate) String);

#[cfg(test)]
mod tests {
    use super::*;

    fn call(application: Option<&str>, hub: &str) -> Option<String> {
        HubName::of_call(application, hub).map(|name| name.0)
    }

    #[test]
    fn hub_names_lose_their_case() {
        assert_eq!(call(None, "EnviroMon").as_deref(), Some("enviromon"));
    }

    #[test]
    fn an_application_is_a_prefix_that_clients_ask_for() {
        assert_eq!(call(Some("App"), "Chat").as_deref(), Some("app_chat"));
        assert_eq!(HubName::of_call(Some("app"), "chat"), HubName::of_client("APP_chat"));
    }

    #[test]
    fn hub_names_follow_the_documented_pattern() {
        let longest = format!("a{}", "b".repeat(127));
        for good in ["a", "A_b`c,d.e[f]", longest.as_str()] {
            assert!(call(None, good).is_some(), "{good}");
        }
        for bad in ["", "1a", "_a", "a b", "a-b", "å", "a\n", &format!("{longest}c")] {
            assert!(call(None, bad).is_none(), "{bad}");
            assert!(call(Some(bad), "chat").is_none(), "{bad} as application");
        }
    }

    #[test]
    fn group_names_must_show_something() {
        assert!(GroupName::parse(&"é".repeat(1024)).is_some());
        for bad in ["", "  ", "\t", &"a".repeat(1025)] {
            assert!(GroupName::parse(bad).is_none());
        }
    }
}
