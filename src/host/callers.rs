//! Who calls. The only place that reads the principal headers of App Service Authentication. Pure.

/// Whether the platform has authenticated callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// App Service Authentication is on (`WEBSITE_AUTH_ENABLED`): it sets the principal headers and removes forged ones.
    Authenticated,
    /// It is off: anybody could send those headers, so they mean nothing.
    Anonymous,
}

/// The platform has named the caller in a way that cannot be read: the caller is somebody, and must not pass for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadPrincipal {
    /// A token for it could not be told from one for another name.
    #[error(
        "the id of the signed-in user (x-ms-client-principal-id) is not visible ASCII, and cannot be used"
    )]
    NotAscii,
    /// Nothing says which one is right.
    #[error("the id of the signed-in user (x-ms-client-principal-id) is there more than once")]
    Twice,
}

impl Callers {
    /// The caller's id as the platform states it; `headers` finds the values of a header by its name in lower case.
    pub(crate) fn user<'h, Values: Iterator<Item = &'h [u8]>>(
        self,
        headers: impl Fn(&'static str) -> Values,
    ) -> Result<Option<String>, BadPrincipal> {
        if self == Callers::Anonymous {
            return Ok(None);
        }
        let mut sent = headers("x-ms-client-principal-id").filter(|id| !id.is_empty());
        let Some(id) = sent.next() else { return Ok(None) };
        if sent.next().is_some() {
            return Err(BadPrincipal::Twice);
        }
        match std::str::from_utf8(id) {
            Ok(id) if id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => {
                Ok(Some(id.to_owned()))
            }
            _ => Err(BadPrincipal::NotAscii),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(callers: Callers, sent: &[&[u8]]) -> Result<Option<String>, BadPrincipal> {
        let sent = |name| sent.iter().copied().filter(move |_| name == "x-ms-client-principal-id");
        callers.user(sent)
    }

    #[test]
    fn a_principal_counts_only_where_the_platform_checks_it() {
        assert_eq!(user(Callers::Authenticated, &[b"alice"]), Ok(Some("alice".to_owned())));
        assert_eq!(user(Callers::Authenticated, &[b""]), Ok(None));
        assert_eq!(user(Callers::Authenticated, &[]), Ok(None));
        assert_eq!(user(Callers::Anonymous, &[b"alice"]), Ok(None));
        assert_eq!(user(Callers::Anonymous, &["ä".as_bytes(), b"b"]), Ok(None));
    }

    #[test]
    fn a_principal_that_cannot_be_read_is_not_taken_for_nobody() {
        for id in ["\u{e4}".as_bytes(), b"\xe4", b"a\tb", b"a\x7f"] {
            assert_eq!(user(Callers::Authenticated, &[id]), Err(BadPrincipal::NotAscii), "{id:?}");
        }
        assert_eq!(user(Callers::Authenticated, &[b"alice", b"bob"]), Err(BadPrincipal::Twice));
    }

    proptest! {
        #[test]
        fn whoever_is_named_is_that_one_or_refused(id in proptest::collection::vec(any::<u8>(), 1..20)) {
            if let Ok(user) = user(Callers::Authenticated, &[&id]) {
                prop_assert_eq!(user.map(String::into_bytes), Some(id));
            }
        }
    }
}
