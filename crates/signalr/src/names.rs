//! Names that end up in request paths: hubs, groups, users and connections, checked and percent-encoded.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 is escaped.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// From the service's published REST description (swagger): `^[A-Za-z][A-Za-z0-9_`,.[\]]{0,127}$`.
const HUB_CHARACTERS: usize = 128;

/// From the same description. Counted as .NET counts, in UTF-16 units, which is never fewer than characters.
const GROUP_CHARACTERS: usize = 1024;

/// What a name names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameKind {
    /// A hub.
    Hub,
    /// A group of clients.
    Group,
    /// A user.
    User,
    /// A client connection.
    Connection,
}

/// Why a name is refused before any request is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NameProblem {
    /// Nothing, or only white space where that is not allowed.
    Blank,
    /// More characters than the service takes.
    TooLong {
        /// The most characters allowed.
        limit: usize,
    },
    /// A character that the service refuses in such a name.
    Character,
    /// `.` and `..` change the path they stand in, even escaped: `groups/../:send` would reach every client.
    DotSegment,
}

/// A name that the service would refuse, or that no URL can carry. The fix is in the caller's data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{kind} name {problem}")]
pub struct InvalidName {
    /// What was to be named.
    pub kind: NameKind,
    /// What is wrong with the name.
    pub problem: NameProblem,
}

/// The name of a hub, in lower case as the service keeps it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HubName(String);

impl HubName {
    /// Checks and lower-cases a hub name.
    ///
    /// # Errors
    /// [`InvalidName`] unless it is a letter followed by at most 127 letters, digits or ``_`,.[]``.
    pub fn new(name: &str) -> Result<HubName, InvalidName> {
        let refuse = |problem| Err(InvalidName { kind: NameKind::Hub, problem });
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_`,.[]".contains(c);
        match name {
            "" => refuse(NameProblem::Blank),
            _ if name.chars().count() > HUB_CHARACTERS => {
                refuse(NameProblem::TooLong { limit: HUB_CHARACTERS })
            }
            _ if !name.starts_with(|c: char| c.is_ascii_alphabetic()) => refuse(NameProblem::Character),
            _ if !name.chars().all(allowed) => refuse(NameProblem::Character),
            _ => Ok(HubName(name.to_ascii_lowercase())),
        }
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn encoded(&self) -> PercentEncode<'_> {
        encoded(&self.0)
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A checked path segment for a group, user or connection.
pub(crate) fn segment(kind: NameKind, name: &str) -> Result<PercentEncode<'_>, InvalidName> {
    check(kind, name).map_err(|problem| InvalidName { kind, problem })?;
    Ok(encoded(name))
}

pub(crate) fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, STRICT)
}

fn check(kind: NameKind, name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        return Err(NameProblem::Blank);
    }
    if matches!(name, "." | "..") {
        return Err(NameProblem::DotSegment);
    }
    if kind == NameKind::Group { check_group(name) } else { Ok(()) }
}

fn check_group(name: &str) -> Result<(), NameProblem> {
    if name.chars().all(char::is_whitespace) {
        return Err(NameProblem::Blank);
    }
    if name.contains('\n') {
        return Err(NameProblem::Character);
    }
    if name.encode_utf16().count() > GROUP_CHARACTERS {
        return Err(NameProblem::TooLong { limit: GROUP_CHARACTERS });
    }
    Ok(())
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameKind::Hub => "hub",
            NameKind::Group => "group",
            NameKind::User => "user",
            NameKind::Connection => "connection",
        })
    }
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameProblem::Blank => f.write_str("is blank"),
            NameProblem::TooLong { limit } => write!(f, "has more than {limit} characters"),
            NameProblem::Character => f.write_str("has a character that is not allowed"),
            NameProblem::DotSegment => f.write_str("is a dot segment, which no path can carry"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(kind: NameKind, name: &str) -> Option<NameProblem> {
        segment(kind, name).err().map(|error| error.problem)
    }

    #[test]
    fn hub_names_follow_the_service_pattern_and_are_lower_cased() {
        assert_eq!(HubName::new("EnviroMon").expect("a good name").as_str(), "enviromon");
        assert_eq!(
            HubName::new("a[b].`c`,_1").expect("a good name").encoded().to_string(),
            "a%5Bb%5D.%60c%60%2C_1"
        );
        assert!(HubName::new(&"h".repeat(128)).is_ok());
        for name in ["", "1a", "_a", "a-b", "a b", "ä", "a/b", &"h".repeat(129)] {
            assert!(HubName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn segments_escape_everything_reserved() {
        for (name, expected) in [
            ("room #1", "room%20%231"),
            ("a/b", "a%2Fb"),
            ("ü", "%C3%BC"),
            ("a'b%?", "a%27b%25%3F"),
            ("-._~", "-._~"),
        ] {
            assert_eq!(segment(NameKind::Group, name).expect("a good name").to_string(), expected);
        }
    }

    #[test]
    fn dot_segments_are_refused_everywhere() {
        for kind in [NameKind::Group, NameKind::User, NameKind::Connection] {
            assert_eq!(problem(kind, "."), Some(NameProblem::DotSegment));
            assert_eq!(problem(kind, ".."), Some(NameProblem::DotSegment));
            assert_eq!(problem(kind, "..."), None);
        }
    }

    #[test]
    fn groups_are_neither_blank_nor_over_long() {
        assert_eq!(problem(NameKind::Group, " \t"), Some(NameProblem::Blank));
        assert_eq!(problem(NameKind::Group, "a\nb"), Some(NameProblem::Character));
        assert_eq!(problem(NameKind::Group, &"g".repeat(1024)), None);
        assert_eq!(problem(NameKind::Group, &"g".repeat(1025)), Some(NameProblem::TooLong { limit: 1024 }));
        assert_eq!(problem(NameKind::User, " "), None);
        assert_eq!(problem(NameKind::User, ""), Some(NameProblem::Blank));
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_exactly_one_path_segment(name in any::<String>()) {
            let Ok(encoded) = segment(NameKind::User, &name) else { return Ok(()) };
            let url = format!("http://h/users/{encoded}/:send");
            let parsed = reqwest::Url::parse(&url).expect("a good address");
            prop_assert_eq!(parsed.as_str(), url);
            prop_assert_eq!(parsed.path_segments().map(Iterator::count), Some(3));
        }
    }
}
