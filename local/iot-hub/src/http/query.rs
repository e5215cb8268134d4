//! Reads single values from a query string.

use percent_encoding::percent_decode_str;

/// The first value of `name`, decoded; `None` when it is missing or not UTF-8.
pub(super) fn value(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    percent_decode_str(value).decode_utf8().ok().map(|value| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_and_decoded() {
        let query = Some("a=1&api-version=2020%2D03-13&a=2&flag");
        assert_eq!(value(query, "api-version").as_deref(), Some("2020-03-13"));
        assert_eq!(value(query, "a").as_deref(), Some("1"));
        assert_eq!(value(query, "flag").as_deref(), Some(""));
        assert_eq!(value(query, "b"), None);
        assert_eq!(value(None, "a"), None);
    }
}
