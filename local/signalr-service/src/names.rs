//! The identifiers of the service. Each has its own type, so that a user is never looked up as a group.

use std::sync::Arc;

/// A hub, in lower case, because the service ignores case in hub names. With an application it is
/// `{application}_{hub}`, which is also the name that the application's clients use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HubName(String);

impl HubName {
    /// The hub of a REST call; `None` when a part does not match the documented pattern
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

    /// The hub of a client's `hub` query parameter, which includes the application.
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

/// The id of a client for the application. It is not secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(crate) Arc<str>);

/// The secret with which a client claims the connection it negotiated. It has no `Debug` so that it cannot be printed
/// by accident.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionToken(pub(crate) String);

/// A group. Its name is case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GroupName(String);

impl GroupName {
    /// `None` for names that the REST reference excludes: empty ones, longer ones than 1,024 characters, and white
    /// space.
    pub(crate) fn parse(text: &str) -> Option<GroupName> {
        const LONGEST: usize = 1024;
        (text.chars().count() <= LONGEST && !text.trim().is_empty()).then(|| GroupName(text.to_owned()))
    }
}

/// A user. Its id is case-sensitive.
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
