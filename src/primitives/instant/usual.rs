//! The forms in which nearly all times come and go, without the generality of a calendar library. What is not one of them
//! is left to the library, and a property test holds the two together.

const DAY: i64 = 24 * 60 * 60;
/// Days from 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end.
const EPOCH: i64 = 719_468;
/// Days in 400 years.
const ERA: i64 = 146_097;
/// The first moment that is not written here: year 9999.
const END: i64 = 253_370_764_800_000;

/// Reads `YYYY-MM-DDTHH:MM:SS`, with or without up to nine fraction digits, then `Z`, an offset or nothing (which
/// means UTC), from 1970 to 9998; gives milliseconds since 1970.
pub(super) fn parse(text: &[u8]) -> Option<i64> {
    let (fixed, rest) = text.split_at_checked(19)?;
    let separators = [fixed[4], fixed[7], fixed[10], fixed[13], fixed[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month) = (number(&fixed[..4])?, number(&fixed[5..7])?);
    let (day, hour) = (number(&fixed[8..10])?, number(&fixed[11..13])?);
    let (minute, second) = (number(&fixed[14..16])?, number(&fixed[17..])?);
    let is_date = (1970..9999).contains(&year) && (1..=12).contains(&month);
    if !is_date || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, zone) = fraction(rest)?;
    let seconds = days_since_epoch(year, month, day) * DAY + hour * 3_600 + minute * 60 + second;
    let millis = (seconds - offset(zone)?) * 1_000 + fraction;
    (millis >= 0).then_some(millis)
}

/// RFC 3339 in UTC with three fraction digits, from 1970 to 9998.
pub(super) fn to_text(millis: i64) -> Option<String> {
    if !(0..END).contains(&millis) {
        return None;
    }
    let (seconds, fraction) = (millis / 1_000, millis % 1_000);
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [year, month, day, hour, minute, second, fraction];
    for (place, part) in [0..4, 5..7, 8..10, 11..13, 14..16, 17..19, 20..23].into_iter().zip(parts) {
        write_digits(&mut text[place], part);
    }
    String::from_utf8(text.to_vec()).ok()
}

fn write_digits(place: &mut [u8], number: i64) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    let add = |number, &byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
    digits.iter().try_fold(0, add)
}

/// Whole milliseconds of the fraction, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after) = text.strip_prefix(b".") else { return Some((0, text)) };
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = after.split_at(digits);
    match digits.len() {
        1..=9 => {
            let kept = &digits[..digits.len().min(3)];
            let scale = [100, 10, 1][kept.len() - 1];
            Some((number(kept)? * scale, rest))
        }
        _ => None,
    }
}

/// Seconds east of Greenwich.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"" | b"Z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let (hours, minutes) = (number(hours)?, number(&[*tens, *ones])?);
            let east = if *sign == b'+' { 1 } else { -1 };
            (hours <= 23 && minutes <= 59).then_some(east * (hours * 3_600 + minutes * 60))
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant, "chrono-compatible low-level date algorithms": months counted from March have 153 days in five.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1 - EPOCH
}

/// The same backwards: year, month and day.
fn date(days_since_epoch: i64) -> (i64, i64, i64) {
    let days = days_since_epoch + EPOCH;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
