//! Replies to transactions as services and emulators write them, and damaged ones.

use proptest::prelude::*;

use super::*;

const OUTER: &str = "multipart/mixed; boundary=batchresponse_1";

/// As many merges.
fn merges(count: usize) -> Vec<bool> {
    vec![true; count]
}

/// A reply as the service writes it, around these embedded responses.
fn reply(responses: &[&str]) -> String {
    let mut text =
        "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n".to_owned();
    for response in responses {
        text.push_str("--changesetresponse_2\r\nContent-Type: application/http\r\n");
        text.push_str("Content-Transfer-Encoding: binary\r\n\r\n");
        text.push_str(response);
        text.push_str("\r\n");
    }
    text.push_str("--changesetresponse_2--\r\n--batchresponse_1--\r\n");
    text
}

const MERGED: &str = "HTTP/1.1 204 No Content\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-cache\r\n\
                      DataServiceVersion: 1.0;\r\nETag: W/\"datetime'2026-11-21T03%3A00%3A00.1234567Z'\"\r\n\r\n";
const STALE: &str = "HTTP/1.1 412 Precondition Failed\r\n\
    Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r\n\r\n\
    {\"odata.error\":{\"code\":\"UpdateConditionNotSatisfied\",\"message\":{\"lang\":\"en-US\",\
    \"value\":\"3:The update condition specified in the request was not satisfied.\\nRequestId:1\\nTime:2\"}}}";

fn etags(text: &str, count: usize) -> Vec<Option<Etag>> {
    read(OUTER, text.as_bytes(), &merges(count)).unwrap()
}

fn answer(text: &str, count: usize) -> Answer {
    match read(OUTER, text.as_bytes(), &merges(count)) {
        Err(Trouble::Answered(answer)) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

fn assert_unreadable(content_type: &str, text: &str, count: usize) {
    let result = read(content_type, text.as_bytes(), &merges(count));
    assert!(matches!(result, Err(Trouble::Unreadable(_))), "{result:?}");
}

#[test]
fn each_operation_has_its_etag() {
    let etag = Etag::new("W/\"datetime'2026-11-21T03%3A00%3A00.1234567Z'\"").unwrap();
    assert_eq!(etags(&reply(&[MERGED, MERGED]), 2), [Some(etag.clone()), Some(etag)]);
}

#[test]
fn delete_has_no_etag() {
    let text = reply(&["HTTP/1.1 204 No Content\r\n\r\n"]);
    assert_eq!(read(OUTER, text.as_bytes(), &[false]).unwrap(), [None]);
}

#[test]
fn line_ends_quotes_and_a_missing_close_do_not_matter() {
    let usual = reply(&[MERGED, MERGED]);
    let expected = etags(&usual, 2);
    assert_eq!(etags(&usual.replace("\r\n", "\n"), 2), expected);
    assert_eq!(etags(&usual.replace("--batchresponse_1--\r\n", ""), 2), expected);
    assert_eq!(etags(usual.split("--changesetresponse_2--").next().unwrap(), 2), expected);
    let quoted = "Multipart/Mixed; charset=utf-8; Boundary=\"batchresponse_1\"";
    assert_eq!(read(quoted, usual.as_bytes(), &merges(2)).unwrap(), expected);
    assert_eq!(etags(&format!("preamble\r\n{usual}epilogue"), 2), expected);
}

#[test]
fn boundary_that_begins_like_another_is_not_mistaken() {
    let text = reply(&[MERGED, MERGED]).replace("changesetresponse_2", "batchresponse_12");
    assert_eq!(etags(&text, 2), etags(&reply(&[MERGED, MERGED]), 2));
}

#[test]
fn stale_etag_is_reported_with_code_and_index() {
    for text in [reply(&[STALE]), reply(&[STALE]).replace("\r\n", "\n")] {
        let answer = answer(&text, 100);
        assert_eq!((answer.status, answer.index), (412, Some(3)));
        assert_eq!(answer.code, "UpdateConditionNotSatisfied");
        assert_eq!(answer.message, "The update condition specified in the request was not satisfied.");
    }
}

#[test]
fn index_is_taken_from_the_position_only_in_a_full_set() {
    let unnumbered = STALE.replace("3:", "");
    assert_eq!(answer(&reply(&[&unnumbered]), 100).index, None);
    assert_eq!(answer(&reply(&[MERGED, &unnumbered]), 2).index, Some(1));
    assert_eq!(answer(&reply(&[STALE]), 2).index, None, "there is no operation 3");
}

#[test]
fn failure_of_the_whole_set_can_come_without_a_changeset() {
    let text =
        format!("--batchresponse_1\r\nContent-Type: application/http\r\n\r\n{STALE}\r\n--batchresponse_1--");
    assert_eq!(answer(&text, 100).index, Some(3));
}

#[test]
fn anything_else_is_unreadable_rather_than_success() {
    assert_unreadable("text/html", "<html>fine</html>", 1);
    assert_unreadable(OUTER, "", 1);
    assert_unreadable(OUTER, &reply(&[]), 1);
    assert_unreadable(OUTER, &reply(&[MERGED]), 2);
    assert_unreadable(OUTER, &reply(&["HTTP/1.1 204 No Content\r\n\r\n"]), 1);
    assert_unreadable(OUTER, &reply(&["204\r\n\r\n"]), 1);
    let cut = reply(&[MERGED, MERGED]);
    assert_unreadable(OUTER, &cut[..cut.len() / 2], 2);
    assert!(matches!(read(OUTER, b"\xff", &merges(1)), Err(Trouble::Unreadable(_))));
}

proptest! {
    #[test]
    fn any_reply_is_survived(content_type in "[ -~]{0,40}", body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&content_type, &body, &merges(2));
        let _ = read(OUTER, &body, &merges(2));
    }

    #[test]
    fn any_damage_to_a_reply_is_survived(
        from in 0_usize..700, length in 0_usize..50, insert in "[\r\n: -é]{0,5}", stale: bool,
    ) {
        let mut text = reply(&[MERGED, if stale { STALE } else { MERGED }]).into_bytes();
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, insert.bytes());
        let _ = read(OUTER, &text, &merges(2));
    }
}
