//! The query of a URL. Case of names is ignored, because the service's swagger files and its SDK differ in it.

use percent_encoding::percent_decode_str;

/// Decoded name and value pairs in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// The query is not percent-encoded UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotText;

/// A parameter that is allowed once was given more often.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

impl Query {
    pub(crate) fn parse(raw: &str) -> Result<Query, NotText> {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Query)
    }

    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let named = self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    pub(crate) fn one<'q>(&'q self, name: &'q str) -> Result<Option<&'q str>, Repeated> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Repeated),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Percent-decodes one component; `+` is a space, as in a form.
fn decode(text: &str) -> Result<String, NotText> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(Into::into).map_err(|_| NotText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_without_case_and_values_keep_theirs() {
        let query = Query::parse("Excluded=A&excluded=b%26c&API-Version=1&&flag").unwrap();
        assert_eq!(query.all("excluded").collect::<Vec<_>>(), ["A", "b&c"]);
        assert_eq!(query.one("api-version"), Ok(Some("1")));
        assert_eq!(query.one("flag"), Ok(Some("")));
        assert_eq!(query.one("ttl"), Ok(None));
        assert_eq!(query.one("excluded"), Err(Repeated));
    }

    #[test]
    fn plus_and_escapes_are_decoded_once() {
        let query = Query::parse("reason=so+long%2B%2520").unwrap();
        assert_eq!(query.one("reason"), Ok(Some("so long+%20")));
        assert_eq!(Query::parse("a=%FF"), Err(NotText));
    }
}
