//! Promises about pages.

use std::sync::Arc;

use crate::limits::MOST_PAGE_ROWS;
use crate::suite::desk::{fresh, invalid, keys, numbered, row, soon, write};
use crate::{Comparison, Continuation, Error, Invalid, Page, Query, Table, TableStore};

/// All rows of a query, and the size of its largest page.
async fn paged(table: &Table, query: &Query) -> (Vec<String>, usize) {
    let (mut keys, mut largest, mut from) = (Vec::new(), 0, None);
    loop {
        let Page { rows, next, .. } = table.query(query, from.as_ref(), soon()).await.unwrap();
        largest = largest.max(rows.len());
        keys.extend(rows.into_iter().map(|stored| stored.entity.row));
        from = next;
        if from.is_none() {
            return (keys, largest);
        }
    }
}

/// More than a thousand rows take more than one page, and none is lost or doubled on the way.
pub async fn a_page_has_at_most_a_thousand_rows(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    for start in (0..1_100).step_by(100) {
        write(&table, numbered("p", start..start + 100)).await;
    }
    let (keys, largest) = paged(&table, &Query::partition("p")).await;
    assert_eq!(keys, (0..1_100).map(|n| format!("{n:04}")).collect::<Vec<_>>());
    assert!(largest <= MOST_PAGE_ROWS.into(), "a page of {largest} rows");
}

/// `top` bounds a page, not the query.
pub async fn top_makes_pages_smaller_and_loses_nothing(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    for partition in ["p", "q"] {
        write(&table, numbered(partition, 0..10)).await;
    }
    let (keys, largest) = paged(&table, &Query::everything().top(3)).await;
    assert_eq!(keys.len(), 20);
    assert!(largest <= 3, "a page of {largest} rows");
    let odd = Query::partition("q").filter("N", Comparison::Greater, 4.0).top(2);
    let (keys, largest) = paged(&table, &odd).await;
    assert_eq!(keys, ["0005", "0006", "0007", "0008", "0009"]);
    assert!(largest <= 2, "a page of {largest} rows");
}

/// Rows before and behind the place where a query stands may come and go without moving the others.
pub async fn what_stays_is_returned_once_while_others_change(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etags = write(&table, numbered("p", 10..30)).await;
    let query = Query::partition("p").top(5);
    let (mut found, mut from, mut round) = (Vec::new(), None, 0);
    loop {
        let page = table.query(&query, from.as_ref(), soon()).await.unwrap();
        found.extend(page.rows.into_iter().map(|stored| stored.entity.row));
        // One row goes, of those that the query has passed, and one comes before all.
        if let Some(etag) = etags.get(round).filter(|_| round < 3) {
            table.delete("p", &format!("{:04}", 10 + round), etag, soon()).await.unwrap();
            table.insert(&row(&format!("{round:04}")), soon()).await.unwrap();
        }
        (from, round) = (page.next, round + 1);
        if from.is_none() {
            break;
        }
    }
    for n in 13..30 {
        let times = found.iter().filter(|key| **key == format!("{n:04}")).count();
        assert_eq!(times, 1, "row {n} came {times} times");
    }
}

/// Whatever text comes as a continuation, also one that the store named with something changed in it: there is an answer.
pub async fn any_continuation_has_an_answer(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let since = table.query(&Query::partition("p"), None, soon()).await.unwrap().as_of;
    write(&table, numbered("p", 0..6)).await;
    let everything = [Query::partition("p").top(2), Query::partition("p").changed_since(&since).top(2)];
    for query in &everything {
        let mut named = Vec::new();
        while let Some(next) = table.query(query, named.last(), soon()).await.unwrap().next {
            named.push(next);
        }
        for text in named.iter().flat_map(|next| changed(next.as_str())) {
            let from = Continuation::from_text(text);
            for query in &everything {
                match table.query(query, Some(&from), soon()).await {
                    Ok(page) => assert!(page.rows.len() <= 2, "{from:?}"),
                    Err(Error::Invalid { reason: Invalid::Continuation, .. }) => {}
                    Err(error) => panic!("{from:?} led to {error:?}"),
                }
            }
        }
    }
}

/// A text with each of its characters left out or replaced, and with the ends of number ranges and longer texts for
/// numbers in it.
fn changed(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (at, old) in text.char_indices() {
        let (before, behind) = (&text[..at], &text[at + old.len_utf8()..]);
        for new in [
            "",
            "0",
            "9",
            "-",
            " ",
            "\n",
            "\u{0}",
            "\u{1f600}",
            "18446744073709551615",
            "9223372036854775808",
        ] {
            all.push(format!("{before}{new}{behind}"));
        }
        all.push(format!("{before}18446744073709551615"));
        all.push(before.to_owned());
    }
    all
}

/// What no store named, or another one, does not lead anywhere and breaks nothing.
pub async fn a_continuation_of_nobody_is_invalid(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    write(&table, numbered("p", 0..3)).await;
    let since = table.query(&Query::partition("p"), None, soon()).await.unwrap().as_of;
    let texts = [
        "",
        "x",
        "0000",
        "0.row p\n0000",
        "0.change 18446744073709551615",
        "#18446744073709551615",
        "azure",
        "\u{0}",
        "ü",
    ];
    for text in texts {
        let from = Continuation::from_text(text);
        for query in [Query::partition("p"), Query::everything(), Query::partition("p").changed_since(&since)]
        {
            let refused = invalid(table.query(&query, Some(&from), soon()).await);
            assert_eq!(refused, (None, Invalid::Continuation), "{text:?}");
        }
    }
}

/// Pages without rows, of a query that finds little, are passed over.
pub async fn first_finds_a_row_behind_empty_pages(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    write(&table, numbered("p", 0..60)).await;
    let last = Query::partition("p").filter("N", Comparison::Equal, 59.0);
    let found = table.first(&last, soon()).await.unwrap().unwrap();
    assert_eq!(found.entity.row, "0059");
    assert_eq!(keys(&table, &last).await, ["0059"]);
    let none = Query::partition("p").filter("N", Comparison::Equal, 60.0);
    assert_eq!(table.first(&none, soon()).await.unwrap(), None);
}
