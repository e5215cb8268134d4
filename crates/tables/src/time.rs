//! Points in time: milliseconds since 1970, and the text that the data model has for them. Pure.

use std::time::{Duration, SystemTime};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Milliseconds since 1970, negative before.
pub(crate) fn millis_of(time: SystemTime) -> i64 {
    let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

/// RFC 3339 text in UTC, such as `2026-11-21T03:00:00.123Z`.
pub(crate) fn text_of(millis: i64) -> String {
    let (year, month, day) = date_of(millis.div_euclid(DAY));
    let rest = millis.rem_euclid(DAY);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    let mut text = String::with_capacity("2026-11-21T03:00:00.123Z".len());
    for (number, digits, sign) in [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, '.'),
        (milli, 3, 'Z'),
    ] {
        push_digits(&mut text, number, digits);
        text.push(sign);
    }
    text
}

/// Every row that is read has its time written, so this is not left to the formatting machinery.
fn push_digits(text: &mut String, number: i64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        text.push(char::from_digit(digit.unsigned_abs() as u32, 10).unwrap_or('0'));
    }
}

/// Year, month and day of a day that is counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the day that leap years have more is their last one (Hinnant, "chrono-compatible
/// low-level date algorithms").
fn date_of(day: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    const FROM_MARCH_OF_YEAR_0: i64 = 719_468;
    let day = day + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (day.div_euclid(DAYS_IN_400_YEARS), day.rem_euclid(DAYS_IN_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_are_written() {
        let check = |millis, text: &str| assert_eq!(text_of(millis), text);
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(951_868_799_999, "2000-02-29T23:59:59.999Z");
        check(1_795_230_000_123, "2026-11-21T03:00:00.123Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn system_times_are_counted_on_both_sides_of_1970() {
        let second = Duration::from_secs(1);
        assert_eq!(millis_of(SystemTime::UNIX_EPOCH + second), 1_000);
        assert_eq!(millis_of(SystemTime::UNIX_EPOCH - second), -1_000);
    }

    /// `httpdate` writes the same dates in another form.
    #[test]
    fn every_day_of_four_centuries_is_right() {
        for day in 0..146_097 {
            let millis = day * DAY;
            let (year, month, day) = date_of(day);
            let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
                [usize::try_from(month - 1).unwrap()];
            let time = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap());
            let written = httpdate::fmt_http_date(time);
            assert!(written.contains(&format!("{day:02} {name} {year:04}")), "{written}");
        }
    }
}
