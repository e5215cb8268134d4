//! Points in time as the wire states them: milliseconds since 1970, read from and written as text. No clock is read here.

mod usual;

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// Reads the forms in which the Functions host hands over times: with `Z` or an offset, or with neither, which
    /// means UTC (`EnqueuedTimeUtcArray` has no `Z`).
    pub fn parse(text: &str) -> Option<Millis> {
        usual::parse(text.as_bytes()).map(Millis).or_else(|| Millis::parse_any(text))
    }

    fn parse_any(text: &str) -> Option<Millis> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(Millis(instant.as_millisecond()));
        }
        let civil: DateTime = text.parse().ok()?;
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Millis(zoned.timestamp().as_millisecond()))
    }

    /// The same point in time from the system's clock type; times before 1970 become 1970.
    pub fn from_system(time: SystemTime) -> Millis {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// RFC 3339 in UTC with exactly three fraction digits, so that text order is time order.
    pub fn to_text(self) -> String {
        usual::to_text(self.0).unwrap_or_else(|| self.to_any_text())
    }

    fn to_any_text(self) -> String {
        let instant = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        format!("{instant:.3}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Millis;

    #[test]
    fn times_are_read_with_and_without_zone() {
        let expected = Millis(1_732_150_631_123);
        for text in ["2024-11-21T00:57:11.123", "2024-11-21T00:57:11.123Z", "2024-11-21T01:57:11.123+01:00"] {
            assert_eq!(Millis::parse(text), Some(expected), "{text}");
        }
        assert_eq!(Millis::parse("2024-11-21T00:57:11"), Some(Millis(1_732_150_631_000)));
        assert_eq!(Millis::parse("yesterday"), None);
    }

    #[test]
    fn text_has_three_fraction_digits() {
        assert_eq!(Millis(1_732_150_631_000).to_text(), "2024-11-21T00:57:11.000Z");
        assert_eq!(Millis(1_732_150_631_120).to_text(), "2024-11-21T00:57:11.120Z");
    }

    #[test]
    fn every_year_has_its_days() {
        for year in 1970..9999 {
            for day in ["01-01", "02-28", "02-29", "03-01", "12-31"] {
                let text = format!("{year}-{day}T23:59:59.999Z");
                let time = Millis::parse(&text);
                assert_eq!(time, Millis::parse_any(&text), "{text}");
                assert!(time.is_none_or(|time| time.to_text() == text), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_usual_forms_are_read_as_jiff_reads_them(
            text in "(19[67]|20[0-9]|999)[0-9]-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.][0-9]{0,10})?(Z|z|[+-][012][0-9]:?[0-6][0-9])?x?"
        ) {
            prop_assert_eq!(Millis::parse(&text), Millis::parse_any(&text));
        }

        #[test]
        fn times_are_written_as_jiff_writes_them(time in -100_000_000_000_000_i64..400_000_000_000_000) {
            prop_assert_eq!(Millis(time).to_text(), Millis(time).to_any_text());
        }

        #[test]
        fn a_written_time_is_read_as_itself(time in 0..253_000_000_000_000_i64) {
            prop_assert_eq!(Millis::parse(&Millis(time).to_text()), Some(Millis(time)));
        }
    }
}
