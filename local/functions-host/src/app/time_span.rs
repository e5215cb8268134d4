//! .NET time spans as they are written in the JSON files: `[d.]hh:mm[:ss[.fffffff]]` or whole days.

use std::time::Duration;

/// Parses a time span that is not negative; `None` for any other text.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if !text.contains(':') {
        return number(text, u64::from(u32::MAX)).map(|days| Duration::from_secs(days * 86_400));
    }
    let (days, clock) = match text.split_once('.') {
        Some((days, rest)) if !days.contains(':') => (number(days, u64::from(u32::MAX))?, rest),
        _ => (0, text),
    };
    let mut parts = clock.split(':');
    let hours = number(parts.next()?, 23)?;
    let minutes = number(parts.next()?, 59)?;
    let seconds = parts.next().map_or(Some(Duration::ZERO), parse_seconds)?;
    if parts.next().is_some() {
        return None;
    }
    Some(Duration::from_secs(days * 86_400 + hours * 3_600 + minutes * 60) + seconds)
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = number(whole, 59)?;
    // .NET counts in ticks of 100 ns: seven digits at most.
    if fraction.len() > 7 || text.ends_with('.') {
        return None;
    }
    let nanos = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<9}"), 999_999_999)? };
    Some(Duration::from_secs(whole) + Duration::from_nanos(nanos))
}

fn number(text: &str, limit: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| digits && *value <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_dotnet_is_understood() {
        let seconds = |text| parse(text).map(|span| span.as_secs_f64());
        assert_eq!(seconds("00:05:00"), Some(300.0));
        assert_eq!(seconds("00:00:00.25"), Some(0.25));
        assert_eq!(seconds("1.02:03:04.5"), Some(93_784.5));
        assert_eq!(seconds("01:30"), Some(5_400.0));
        assert_eq!(seconds("2"), Some(172_800.0));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "-1",
            "-00:00:01",
            "5s",
            "24:00:00",
            "00:60:00",
            "00:00:60",
            "1:2:3:4",
            "00:00:01.",
            "00:00:01.12345678",
            "::",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
