//! Who calls. The only place that reads the principal headers of App Service Authentication. Pure.

/// Whether the platform has authenticated callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// App Service Authentication is on (`WEBSITE_AUTH_ENABLED`): it sets the principal headers and removes forged ones.
    Authenticated,
    /// It is off: anybody could send those headers, so they mean nothing.
    Anonymous,
}

impl Callers {
    /// The caller's id as the platform states it; `header` finds a header by its name in lower case.
    pub(crate) fn user(self, header: impl Fn(&str) -> Option<String>) -> Option<String> {
        match self {
            Callers::Authenticated => header("x-ms-client-principal-id").filter(|id| !id.is_empty()),
            Callers::Anonymous => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_counts_only_where_the_platform_checks_it() {
        let sent = |id: &str| {
            let id = id.to_owned();
            move |name: &str| (name == "x-ms-client-principal-id").then(|| id.clone())
        };
        assert_eq!(Callers::Authenticated.user(sent("alice")), Some("alice".to_owned()));
        assert_eq!(Callers::Authenticated.user(sent("")), None);
        assert_eq!(Callers::Authenticated.user(|_| None), None);
        assert_eq!(Callers::Anonymous.user(sent("alice")), None);
    }
}
