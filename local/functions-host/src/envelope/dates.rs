//! Dates as .NET and Json.NET write them: without trailing zeros in the fraction, with or without the time zone.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// UTC with its `Z`: `2024-11-21T00:57:11.12Z`.
pub(crate) fn utc(time: Timestamp) -> String {
    format!("{}Z", unspecified(time))
}

/// UTC without a time zone, as a `DateTime` of unspecified kind: `2024-11-21T00:57:11.12`.
pub(crate) fn unspecified(time: Timestamp) -> String {
    iso(Offset::UTC.to_datetime(time))
}

/// A `DateTimeOffset` of UTC: `2024-11-21T00:57:11.12+00:00`.
pub(crate) fn with_offset(time: Timestamp) -> String {
    format!("{}+00:00", unspecified(time))
}

/// A `DateTime` that was converted to text and back: whole seconds, no time zone.
pub(crate) fn whole_seconds(time: Timestamp) -> String {
    Offset::UTC.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn iso(date: DateTime) -> String {
    let whole = date.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    // .NET counts in ticks of 100 ns.
    let ticks = date.subsec_nanosecond() / 100;
    let fraction = format!("{ticks:07}");
    match fraction.trim_end_matches('0') {
        "" => whole,
        digits => format!("{whole}.{digits}"),
    }
}

/// A text that Json.NET parses as a date: `yyyy-MM-ddTHH:mm:ss`, up to seven fraction digits, `Z` or an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DotnetDate {
    /// In UTC if the text had an offset, because hosts in Azure run in UTC.
    date: DateTime,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unspecified,
    Utc,
    Local,
}

impl DotnetDate {
    pub(crate) fn parse(text: &str) -> Option<DotnetDate> {
        let looks_right = text.is_ascii() && (19..=40).contains(&text.len()) && text.as_bytes()[10] == b'T';
        let clock = looks_right.then(|| parse_clock(&text[..19]))??;
        let (fraction, zone) = parse_fraction(&text[19..])?;
        let date = clock.with().subsec_nanosecond(fraction).build().ok()?;
        let (kind, offset) = match zone {
            "" => (Kind::Unspecified, 0),
            "Z" | "z" => (Kind::Utc, 0),
            other => (Kind::Local, parse_offset(other)?),
        };
        let date = date.checked_sub(jiff::SignedDuration::from_mins(offset)).ok()?;
        Some(DotnetDate { date, kind })
    }

    /// The date as Json.NET writes it.
    pub(crate) fn iso(self) -> String {
        let zone = match self.kind {
            Kind::Unspecified => "",
            Kind::Utc => "Z",
            Kind::Local => "+00:00",
        };
        format!("{}{zone}", iso(self.date))
    }

    /// As `ToString` with the invariant culture: `11/21/2024 00:57:11`.
    pub(crate) fn general(self) -> String {
        self.date.strftime("%m/%d/%Y %H:%M:%S").to_string()
    }
}

fn parse_clock(text: &str) -> Option<DateTime> {
    let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if punctuation.iter().any(|(index, mark)| text.as_bytes()[*index] != *mark) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits(&text[range]);
    DateTime::new(
        i16::try_from(number(0..4)?).ok()?,
        i8::try_from(number(5..7)?).ok()?,
        i8::try_from(number(8..10)?).ok()?,
        i8::try_from(number(11..13)?).ok()?,
        i8::try_from(number(14..16)?).ok()?,
        i8::try_from(number(17..19)?).ok()?,
        0,
    )
    .ok()
}

/// Splits `.123Z` into nanoseconds and the rest.
fn parse_fraction(text: &str) -> Option<(i32, &str)> {
    let Some(fraction) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = fraction.find(|character: char| !character.is_ascii_digit()).unwrap_or(fraction.len());
    if end == 0 || end > 7 {
        return None;
    }
    let nanos = digits(&format!("{:0<9}", &fraction[..end]))?;
    Some((i32::try_from(nanos).ok()?, &fraction[end..]))
}

/// `+hh:mm`, `+hhmm` or `+hh` in minutes.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest = &text[1..];
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at(2),
        5 => rest.split_once(':')?,
        _ => return None,
    };
    Some(sign * (i64::from(digits(hours)?) * 60 + i64::from(digits(minutes)?)))
}

fn digits(text: &str) -> Option<u32> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fraction_zeros_are_cut() {
        let time = |text: &str| unspecified(text.parse().unwrap());
        assert_eq!(time("2024-11-21T00:57:11.120Z"), "2024-11-21T00:57:11.12");
        assert_eq!(time("2024-11-21T00:57:11Z"), "2024-11-21T00:57:11");
        assert_eq!(time("2024-11-21T00:57:11.123456789Z"), "2024-11-21T00:57:11.1234567");
        assert_eq!(whole_seconds("2024-11-21T00:57:11.999Z".parse().unwrap()), "2024-11-21T00:57:11");
    }

    #[test]
    fn json_net_dates_are_recognised_and_respelled() {
        let iso = |text| DotnetDate::parse(text).map(DotnetDate::iso);
        assert_eq!(iso("2024-11-21T00:57:11.120Z").as_deref(), Some("2024-11-21T00:57:11.12Z"));
        assert_eq!(iso("2024-11-21T00:57:11").as_deref(), Some("2024-11-21T00:57:11"));
        assert_eq!(iso("2024-11-21T02:57:11.5+02:00").as_deref(), Some("2024-11-21T00:57:11.5+00:00"));
        assert_eq!(iso("2024-11-20T23:57:11-0100").as_deref(), Some("2024-11-21T00:57:11+00:00"));
        assert_eq!(DotnetDate::parse("2024-11-21T00:57:11Z").unwrap().general(), "11/21/2024 00:57:11");
    }

    #[test]
    fn everything_else_stays_a_text() {
        for text in [
            "2024-11-21",
            "2024-13-21T00:57:11Z",
            "2024-11-21 00:57:11Z",
            "2024-11-21T00:57:11.Z",
            "2024-11-21T00:57:11.12345678Z",
            "2024-11-21T00:57:11X",
            "2024-11-21T0a:57:11Z",
            "2024-11-21T00:57:1é",
        ] {
            assert_eq!(DotnetDate::parse(text), None, "{text}");
        }
    }
}
