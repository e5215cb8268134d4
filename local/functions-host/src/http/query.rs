//! Query strings as ASP.NET Core keeps them: values of repeated names are joined with a comma, and names match in any
//! case.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Names and values, decoded, in the order of their first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// What .NET's default URL encoder escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'$')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b'-')
    .remove(b'.')
    .remove(b';')
    .remove(b'@')
    .remove(b'_')
    .remove(b'~');

impl Query {
    pub(crate) fn parse(text: &str) -> Query {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name), decode(value));
            match pairs.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, joined)) => *joined = format!("{joined},{value}"),
                None => pairs.push((name, value)),
            }
        }
        Query(pairs)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The query as it is forwarded, encoded again.
    pub(crate) fn encode(&self) -> String {
        let pair = |(name, value): &(String, String)| {
            format!("{}={}", utf8_percent_encode(name, ESCAPED), utf8_percent_encode(value, ESCAPED))
        };
        self.0.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_names_are_joined_with_a_comma_and_encoded_anew() {
        assert_eq!(
            Query::parse("a=1&b=x+y&A=2&flag&&c=%C3%A9%2F").encode(),
            "a=1,2&b=x%20y&flag=&c=%C3%A9%2F"
        );
        assert_eq!(Query::parse("").encode(), "");
        assert_eq!(Query::parse("Code=k").get("code"), Some("k"));
    }
}
