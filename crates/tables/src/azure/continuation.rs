//! Continuations: two opaque texts of the service as one of ours. Pure.

use reqwest::header::{HeaderMap, HeaderValue};

use crate::azure::trouble::Trouble;
use crate::{Continuation, Invalid};

/// Marks a continuation of the service.
const MARK: &str = "azure ";
/// Stands between the two texts. Header values hold no such character.
const BETWEEN: char = '\n';

/// Where a page starts, as the service calls it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// `NextPartitionKey`
    pub(super) partition: &'a str,
    /// `NextRowKey`
    pub(super) row: Option<&'a str>,
}

/// The place that a continuation names. Whether the service has ever named it, it says itself.
pub(super) fn place(from: &Continuation) -> Result<Place<'_>, Invalid> {
    let text = from.as_str().strip_prefix(MARK).ok_or(Invalid::Continuation)?;
    let (partition, row) =
        text.split_once(BETWEEN).map_or((text, None), |(partition, row)| (partition, Some(row)));
    Ok(Place { partition, row })
}

/// The continuation of a reply. One that cannot be read must not look like the end.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Continuation>, Trouble> {
    let text = |name: &str| match headers.get(name).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(Trouble::Unreadable("the continuation is not plain text")),
    };
    let row = text("x-ms-continuation-nextrowkey")?;
    let partition = text("x-ms-continuation-nextpartitionkey")?;
    Ok(partition.map(|partition| {
        let row = row.map(|row| format!("{BETWEEN}{row}")).unwrap_or_default();
        Continuation::from_text(format!("{MARK}{partition}{row}"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(texts: &[(&'static str, &'static str)]) -> HeaderMap {
        let header = |(name, text): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(text))
        };
        texts.iter().map(header).collect()
    }

    #[test]
    fn what_the_service_names_is_handed_back() {
        let both =
            [("x-ms-continuation-nextpartitionkey", "1!8!U3lk"), ("x-ms-continuation-nextrowkey", "a b")];
        let next = of(&headers(&both)).unwrap().unwrap();
        assert_eq!(place(&next), Ok(Place { partition: "1!8!U3lk", row: Some("a b") }));
        let next = of(&headers(&both[..1])).unwrap().unwrap();
        assert_eq!(place(&next), Ok(Place { partition: "1!8!U3lk", row: None }));
        assert_eq!(of(&headers(&[])).unwrap(), None);
    }

    #[test]
    fn what_another_store_names_is_refused() {
        for text in ["", "7", "after p\nr"] {
            assert_eq!(place(&Continuation::from_text(text)), Err(Invalid::Continuation), "{text:?}");
        }
    }
}
