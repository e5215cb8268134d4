//! Which webhook gets an event: the first template whose patterns match.

use axum::http::Uri;
use axum::http::uri::Scheme;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All characters except the unreserved ones of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One webhook, as in the settings of the Azure portal. A pattern is `*`, a name, or names separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// An `http://` URL; `{hub}`, `{category}` and `{event}` in it are replaced.
    pub url_template: String,
    /// The pattern of hubs.
    pub hubs: String,
    /// The pattern of categories: `connections`, `messages`, or both.
    pub categories: String,
    /// The pattern of events: `connected`, `disconnected`, and the methods that clients call.
    pub events: String,
}

impl Upstream {
    /// A webhook for every event of every hub.
    pub fn for_all(url_template: impl Into<String>) -> Upstream {
        let any = || "*".to_owned();
        Upstream { url_template: url_template.into(), hubs: any(), categories: any(), events: any() }
    }

    pub(crate) fn is_usable(&self) -> bool {
        let url: Result<Uri, _> = self.fill("hub", "category", "event").parse();
        url.is_ok_and(|url| url.scheme() == Some(&Scheme::HTTP))
    }

    /// The URL for an event, if the template matches it.
    pub(super) fn url(&self, hub: &str, category: &str, event: &str) -> Option<String> {
        let is_for = fits(&self.hubs, hub) && fits(&self.categories, category) && fits(&self.events, event);
        is_for.then(|| self.fill(hub, category, event))
    }

    fn fill(&self, hub: &str, category: &str, event: &str) -> String {
        let parts = [("{hub}", hub), ("{category}", category), ("{event}", event)];
        // Escaped values contain no braces, so none is taken for a placeholder.
        parts.into_iter().fold(self.url_template.clone(), |url, (placeholder, value)| {
            url.replace(placeholder, &utf8_percent_encode(value, ESCAPED).to_string())
        })
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    pattern.split(',').map(str::trim).any(|one| one == "*" || one.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_any_or_names() {
        for (pattern, name, fit) in [
            ("*", "chat", true),
            ("chat", "chat", true),
            ("Chat, other", "chat", true),
            ("chat,other", "other", true),
            ("chat", "chats", false),
            ("", "chat", false),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern:?} {name}");
        }
    }

    #[test]
    fn placeholders_are_filled_with_escaped_names() {
        let upstream = Upstream::for_all("http://localhost/{hub}/{category}/{event}?e={event}");
        let url = upstream.url("chat", "messages", "a/{hub} #ä");
        let expected = "http://localhost/chat/messages/a%2F%7Bhub%7D%20%23%C3%A4?e=a%2F%7Bhub%7D%20%23%C3%A4";
        assert_eq!(url.as_deref(), Some(expected));
    }

    #[test]
    fn a_template_is_for_what_all_its_patterns_fit() {
        let upstream = Upstream {
            hubs: "chat".into(),
            categories: "connections".into(),
            events: "connected".into(),
            ..Upstream::for_all("http://localhost/")
        };
        assert!(upstream.url("chat", "connections", "connected").is_some());
        for (hub, category, event) in [
            ("other", "connections", "connected"),
            ("chat", "messages", "connected"),
            ("chat", "connections", "disconnected"),
        ] {
            assert_eq!(upstream.url(hub, category, event), None);
        }
    }

    #[test]
    fn only_urls_that_can_be_called_are_usable() {
        for (url, usable) in [
            ("http://localhost:7071/{hub}?code=x", true),
            ("https://localhost/", false),
            ("/path", false),
            ("localhost:80", false),
            ("http://", false),
            ("http://a b/", false),
        ] {
            assert_eq!(Upstream::for_all(url).is_usable(), usable, "{url}");
        }
    }
}
