//! Expressions and the times that they give, and every time compared with a search second by second.

use super::*;

fn next(expression: &str, after: &str) -> String {
    let cron = Cron::parse(expression).unwrap_or_else(|| panic!("{expression} is not read"));
    cron.next_after(after.parse().unwrap()).map_or("never".to_owned(), |time| time.to_string())
}

#[test]
fn the_next_time_is_found() {
    // 2026-11-29 is a Sunday.
    for (expression, after, expected) in [
        ("* * * * * *", "2026-11-29T07:00:00Z", "2026-11-29T07:00:01Z"),
        ("* * * * * *", "2026-11-29T07:00:00.999Z", "2026-11-29T07:00:01Z"),
        ("0 17 3 * * *", "2026-11-29T03:16:59.999Z", "2026-11-29T03:17:00Z"),
        ("0 17 3 * * *", "2026-11-29T03:17:00Z", "2026-11-30T03:17:00Z"),
        ("17 3 * * *", "2026-11-29T03:17:00Z", "2026-11-30T03:17:00Z"),
        ("0 */5 * * * *", "2026-11-29T07:57:30Z", "2026-11-29T08:00:00Z"),
        ("0 0 0 1 1 *", "2026-11-29T07:00:00Z", "2027-01-01T00:00:00Z"),
        ("30 10-20/5 8,20 * * *", "2026-11-29T08:15:30Z", "2026-11-29T08:20:30Z"),
        ("30 10-20/5 8,20 * * *", "2026-11-29T08:20:30Z", "2026-11-29T20:10:30Z"),
        ("0 0 9 * * Mon-Fri", "2026-11-28T00:00:00Z", "2026-11-30T09:00:00Z"),
        ("0 0 9 * * fri-mon", "2026-11-28T00:00:00Z", "2026-11-30T09:00:00Z"),
        ("0 0 9 * JANUARY,jul *", "2026-11-28T00:00:00Z", "2027-01-01T09:00:00Z"),
        ("0 0 9 * ju *", "2026-11-28T00:00:00Z", "2027-06-01T09:00:00Z"),
        // Both days must fit.
        ("0 0 0 13 * Fri", "2026-11-14T00:00:00Z", "2027-08-13T00:00:00Z"),
        ("0 0 0 29 2 *", "2026-11-29T07:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 0 29 2 Mon", "2096-03-01T00:00:00Z", "2112-02-29T00:00:00Z"),
        ("0 0 0 31 2 *", "2026-11-29T07:00:00Z", "never"),
        ("0 0 0 31 * *", "2026-11-30T07:00:00Z", "2026-12-31T00:00:00Z"),
        ("5/20 * * * * *", "2026-11-29T07:00:45Z", "2026-11-29T07:01:05Z"),
        ("40-10/10 0 0 * * *", "2026-11-29T00:00:31Z", "2026-11-29T00:00:40Z"),
        ("*/0 0 0 * * *", "2026-11-29T00:00:31Z", "2026-11-29T00:00:32Z"),
        ("  0   0 0 * * * ", "2026-11-29T00:00:31Z", "2026-11-30T00:00:00Z"),
    ] {
        assert_eq!(next(expression, after), expected, "{expression} after {after}");
    }
}

#[test]
fn what_the_library_refuses_is_refused() {
    for expression in [
        "60 * * * * *",
        "* 60 * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "* * * * * 1-7",
        "* * * ? * *",
        "* * * L * *",
        "* * * * * 5#2",
        "* * * * foo *",
        "mon * * * * *",
        "1, * * * * *",
        ",1 * * * * *",
        "1- * * * * *",
        "-1 * * * * *",
        "*-5 * * * * *",
        "/5 * * * * *",
        "*/ * * * * *",
        "*/x * * * * *",
        "99999999999 * * * * *",
        "* * * *",
        "* * * * * * *",
        "",
    ] {
        assert_eq!(Cron::parse(expression), None, "{expression}");
    }
}

#[test]
fn every_next_time_fits_and_none_is_passed_over() {
    // A fixed walk through many masks and moments; numbers of a small generator, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..300 {
        let (second, step, minute) = (draw(60), draw(40), draw(60));
        let expression = format!("{second}/{step} {minute},{} * * * *", draw(60));
        let cron = Cron::parse(&expression).unwrap();
        let moment = Timestamp::from_second(1_790_000_000 + i64::try_from(draw(86_400)).unwrap()).unwrap();
        let fits = |time: &Timestamp| {
            let civil = Offset::UTC.to_datetime(*time);
            cron.seconds.holds(civil.second()) && cron.minutes.holds(civil.minute())
        };
        let later = (1..=7_200).map(|seconds| moment + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(cron.next_after(moment), later.into_iter().find(fits), "{expression} after {moment}");
    }
}
