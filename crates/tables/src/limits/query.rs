//! Queries.

use std::ops::Bound;

use crate::limits::row::check_value;
use crate::limits::text::check_property_name;
use crate::limits::{MOST_COMPARISONS, MOST_PAGE_ROWS};
use crate::query::TIMESTAMP;
use crate::{Invalid, Query};

/// Checks names, values, the number of comparisons and the size of a page.
pub(crate) fn check_query(query: &Query) -> Result<(), Invalid> {
    for condition in &query.conditions {
        check_name(&condition.name)?;
        check_value(&condition.name, &condition.value)?;
    }
    for name in &query.columns {
        check_name(name)?;
    }
    match query.page_size {
        Some(rows) if !(1..=MOST_PAGE_ROWS).contains(&rows) => return Err(Invalid::PageSize(rows)),
        _ => {}
    }
    match comparisons(query) {
        many if many > MOST_COMPARISONS => Err(Invalid::TooManyComparisons(many)),
        _ => Ok(()),
    }
}

/// Of the properties that a store sets itself, this one can be asked for.
fn check_name(name: &str) -> Result<(), Invalid> {
    if name == TIMESTAMP { Ok(()) } else { check_property_name(name) }
}

fn comparisons(query: &Query) -> usize {
    let bounds = [&query.rows.0, &query.rows.1].into_iter();
    let bounds = bounds.filter(|bound| !matches!(bound, Bound::Unbounded)).count();
    let keys = [query.partition.is_some(), query.behind.is_some(), query.since.is_some()];
    query.conditions.len() + bounds + keys.into_iter().filter(|is_there| *is_there).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Comparison, Moment, Value};

    #[test]
    fn a_filter_has_at_most_15_comparisons() {
        let many = |count| (0..count).fold(Query::partition("p"), |q, n| q.filter("a", Comparison::Less, n));
        assert_eq!(check_query(&many(14)), Ok(()));
        assert_eq!(check_query(&many(15)), Err(Invalid::TooManyComparisons(16)));
        let all = many(11).behind_partition("o").rows("a".."b");
        assert_eq!(check_query(&all), Ok(()));
        let since = all.changed_since(&Moment::from_text("7"));
        assert_eq!(check_query(&since), Err(Invalid::TooManyComparisons(16)));
    }

    #[test]
    fn a_page_has_1_to_1000_rows() {
        assert_eq!(check_query(&Query::everything().top(1_000)), Ok(()));
        for rows in [0, 1_001] {
            assert_eq!(check_query(&Query::everything().top(rows)), Err(Invalid::PageSize(rows)));
        }
    }

    #[test]
    fn nothing_can_be_injected() {
        let compare = |name: &str, value: Value| {
            check_query(&Query::everything().filter(name, Comparison::Equal, value))
        };
        let name = |name: &str| Err(Invalid::PropertyName(name.to_owned()));
        assert_eq!(compare("a eq 1 or b", Value::Int32(1)), name("a eq 1 or b"));
        for text in ["' or true or '", ""] {
            let literal = Err(Invalid::Literal("a".to_owned()));
            assert_eq!(compare("a", Value::DateTime(text.to_owned())), literal);
            assert_eq!(compare("a", Value::Guid(text.to_owned())), literal);
        }
        assert_eq!(compare("a", Value::Double(f64::NAN)), Err(Invalid::NotFinite("a".to_owned())));
        assert_eq!(check_query(&Query::everything().select(["a&$filter=true"])), name("a&$filter=true"));
    }
}
