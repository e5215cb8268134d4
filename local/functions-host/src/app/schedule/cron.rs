//! NCRONTAB expressions as the host's library reads them (NCrontab, `CrontabSchedule` and `CrontabField`, under the
//! options of the WebJobs extensions' `CronSchedule`): six fields, or five without seconds.
//!
//! Other libraries read some expressions differently, so this is a reader of its own: a day must fit the day of the month
//! *and* the day of the week, a range that runs backwards is turned around, a name may be cut short, a step of zero is a
//! step of one, and `7`, `?`, `L` and `#` do not exist.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::Offset,
};

/// Times, to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    seconds: Values,
    minutes: Values,
    hours: Values,
    days: Values,
    months: Values,
    weekdays: Values,
}

/// The numbers that a field allows, a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Values(u64);

/// What a field may hold.
struct Kind {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const SECONDS: Kind = Kind { least: 0, most: 59, names: &[] };
const MINUTES: Kind = Kind { least: 0, most: 59, names: &[] };
const HOURS: Kind = Kind { least: 0, most: 23, names: &[] };
const DAYS: Kind = Kind { least: 1, most: 31, names: &[] };
const MONTHS: Kind = Kind {
    least: 1,
    most: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
};
const WEEKDAYS: Kind = Kind {
    least: 0,
    most: 6,
    names: &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"],
};

/// The most days that are looked at. 29 February comes on a given weekday after 40 years at the latest, because 2100 is no
/// leap year.
const MOST_DAYS: usize = 41 * 366;

impl Cron {
    /// `None` where the library would refuse the expression.
    pub(crate) fn parse(text: &str) -> Option<Cron> {
        let fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
        let (seconds, rest) = match fields.len() {
            5 => ("0", &fields[..]),
            6 => (fields[0], &fields[1..]),
            _ => return None,
        };
        Some(Cron {
            seconds: Values::parse(seconds, &SECONDS)?,
            minutes: Values::parse(rest[0], &MINUTES)?,
            hours: Values::parse(rest[1], &HOURS)?,
            days: Values::parse(rest[2], &DAYS)?,
            months: Values::parse(rest[3], &MONTHS)?,
            weekdays: Values::parse(rest[4], &WEEKDAYS)?,
        })
    }

    /// The first whole second after that of `moment` which fits; `None` where there is none.
    pub(crate) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let from = Offset::UTC.to_datetime(moment).with().subsec_nanosecond(0).build().ok()?;
        let from = from.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
        let found = self.on(from.date(), from).or_else(|| {
            let later = std::iter::successors(Some(from.date()), |date| date.tomorrow().ok()).skip(1);
            later
                .take(MOST_DAYS)
                .find_map(|date| self.on(date, date.to_datetime(jiff::civil::Time::midnight())))
        })?;
        Offset::UTC.to_timestamp(found).ok()
    }

    /// The first time on a date that is not before `from`.
    fn on(&self, date: Date, from: DateTime) -> Option<DateTime> {
        let weekday = Weekday::to_sunday_zero_offset(date.weekday());
        let fits =
            self.months.holds(date.month()) && self.days.holds(date.day()) && self.weekdays.holds(weekday);
        if !fits {
            return None;
        }
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let same_minute = self.hours.holds(hour).then(|| self.minutes.holds(minute));
        if same_minute == Some(true)
            && let Some(second) = self.seconds.first_from(second)
        {
            return date_at(date, hour, minute, second);
        }
        let first = self.seconds.first_from(0)?;
        if self.hours.holds(hour)
            && let Some(minute) = self.minutes.first_from(minute.saturating_add(1))
        {
            return date_at(date, hour, minute, first);
        }
        let hour = self.hours.first_from(hour.saturating_add(1))?;
        date_at(date, hour, self.minutes.first_from(0)?, first)
    }
}

fn date_at(date: Date, hour: i8, minute: i8, second: i8) -> Option<DateTime> {
    DateTime::new(date.year(), date.month(), date.day(), hour, minute, second, 0).ok()
}

impl Values {
    fn parse(text: &str, kind: &Kind) -> Option<Values> {
        // A comma at the very beginning does not make a list, and is then no number either.
        text.split(',')
            .try_fold(Values(0), |all, part| Some(Values(all.0 | Values::parse_part(part, kind)?.0)))
    }

    /// `*`, a value or a range, each with or without a step.
    fn parse_part(text: &str, kind: &Kind) -> Option<Values> {
        let (text, step) = match text.split_once('/') {
            Some((text, step)) if !text.is_empty() => (text, Some(step.parse::<i32>().ok()?)),
            _ => (text, None),
        };
        let (first, last) = match text.split_once('-') {
            _ if text == "*" => (kind.least, kind.most),
            Some((first, last)) if !first.is_empty() => (kind.value(first)?, kind.value(last)?),
            _ => {
                let value = kind.value(text)?;
                (value, if step.is_some() { kind.most } else { value })
            }
        };
        let (first, last) = (first.min(last), first.max(last));
        if first < kind.least || last > kind.most {
            return None;
        }
        let step = step.and_then(|step| usize::try_from(step).ok()).unwrap_or(1).max(1);
        Some(Values((first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value)))
    }

    fn holds(self, value: i8) -> bool {
        self.first_from(value) == Some(value)
    }

    /// The smallest allowed number that is not below `value`.
    fn first_from(self, value: i8) -> Option<i8> {
        let from = u32::try_from(value).ok().filter(|from| *from < u64::BITS)?;
        let rest = self.0 >> from;
        let found = from + rest.trailing_zeros();
        (rest != 0).then_some(found).and_then(|found| i8::try_from(found).ok())
    }
}

impl Kind {
    /// A number, or the begin of a name: the first name that begins so.
    fn value(&self, text: &str) -> Option<u32> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return text.parse().ok();
        }
        let begin = text.to_ascii_lowercase();
        let index = self.names.iter().position(|name| !begin.is_empty() && name.starts_with(&begin))?;
        Some(self.least + u32::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests;
