//! A body means the same in every encoding and compression, with whatever padding, and unpacking has its bounds.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Found, read, text_of};
use crate::rejected::reading::Reason;
use crate::telemetry::catalogue::Catalogue;

const CHARACTERS: [&str; 5] = ["utf-8", "utf-16le", "UTF-16BE", "utf-32le", "utf-32be"];
const PACKINGS: [&str; 4] = ["", "gzip", "zlib", "deflate"];

fn found(body: &[u8], encoding: Option<&str>) -> Vec<Found> {
    read(body, encoding, Some("sensor-1"), &Catalogue::environment())
}

fn rejected(body: &[u8], encoding: Option<&str>) -> String {
    let mut all = found(body, encoding);
    assert_eq!((all.len(), &all[0].span), (1, &(0..text_of(body, encoding).len())));
    let rejection = all.remove(0).outcome.unwrap_err();
    assert_eq!(rejection.reason, Reason::Unreadable);
    rejection.detail
}

/// The bytes of a text; `mark` says whether a byte order mark comes first.
fn encoded(text: &str, characters: &str, mark: bool) -> Vec<u8> {
    let text = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
    match characters {
        "utf-8" => text.into_bytes(),
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-32le" => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        _ => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
    }
}

fn packed(bytes: &[u8], packing: &str) -> Vec<u8> {
    let level = Compression::default();
    match packing {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "zlib" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        _ => bytes.to_vec(),
    }
}

/// What was found: the text of each reading and what became of it.
fn meaning(body: &[u8], encoding: Option<&str>) -> Vec<(String, String)> {
    let text = text_of(body, encoding);
    let shown = |one: Found| {
        let part = String::from_utf8_lossy(&text[one.span]).trim_matches(['\0', '\u{feff}']).to_owned();
        (part, format!("{:?}", one.outcome))
    };
    found(body, encoding).into_iter().map(shown).collect()
}

/// Texts as devices send them, right and wrong ones.
fn texts() -> impl Strategy<Value = String> {
    let value = prop_oneof!["-?[1-9][0-9]{0,2}(\\.[0-9])?", Just("null".to_owned()), Just("NaN".to_owned())];
    let note = "[a-zäß€𝄞{}\\[\\] ]{0,8}";
    let object = (value, note)
        .prop_map(|(value, note)| format!(r#"{{"temperature":{value},"note":"{note}","geo":"Zürich"}}"#));
    let objects = prop::collection::vec(object, 1..4);
    (objects, select(vec!["", "\n", "\r\n", " ", ","])).prop_map(|(objects, between)| match between {
        "," => format!("[{}]", objects.join(",")),
        _ => objects.join(between),
    })
}

/// A thousand small bodies in a batch must not cost as much as a thousand large ones.
#[test]
fn a_small_packed_body_does_not_become_many_readings() {
    let body = |count: usize, padding: usize| {
        let mut body = packed(format!("[{}]", [r#"{"light":5}"#].repeat(count).join(",")).as_bytes(), "gzip");
        body.extend(std::iter::repeat_n(0, padding));
        body
    };
    assert_eq!(found(&body(2_000, 0), None).len(), 2_000);
    for padding in [0, 10_000] {
        let all = found(&body(5_000, padding), None);
        let reasons: Vec<_> = all.iter().map(|one| one.outcome.as_ref().unwrap_err().reason).collect();
        assert_eq!(reasons, [Reason::TooMany], "{padding} NULs behind it");
    }
}

/// Each member costs a decoder of its own, however little is in it.
#[test]
fn a_gzip_body_has_few_members() {
    let member = packed(br#"{"temperature":20}"#, "gzip");
    assert_eq!(found(&member.repeat(16), None).len(), 16);
    assert_eq!(rejected(&member.repeat(17), None), "there are bytes behind the gzip data of the body");
}

/// The first few are explained, which takes time; all are rejected.
#[test]
fn lines_that_cannot_be_read_are_rejected_whatever_their_number() {
    let body = format!("{{\"light\":5}}\n{}", "{x}\n".repeat(100));
    let details: Vec<String> =
        found(body.as_bytes(), None).into_iter().skip(1).map(|one| one.outcome.unwrap_err().detail).collect();
    assert_eq!(details.len(), 100);
    assert!(details[0] != details[99] && details[99] == "the line is not JSON", "{}", details[0]);
}

proptest! {
    #[test]
    fn a_body_means_the_same_in_every_form(
        text in texts(),
        characters in select(CHARACTERS.to_vec()),
        packing in select(PACKINGS.to_vec()),
        mark: bool,
        declared: bool,
        inside in 0_usize..9,
        behind in 0_usize..9,
    ) {
        let expected = meaning(text.as_bytes(), None);
        let mut bytes = encoded(&text, characters, mark);
        bytes.extend(std::iter::repeat_n(0, inside));
        let mut body = packed(&bytes, packing);
        body.extend(std::iter::repeat_n(0, behind));
        // Raw deflate cannot be told from other bytes.
        let names = [if packing == "zlib" { "deflate" } else { packing }, characters];
        let encoding = (declared || packing == "deflate").then(|| names.join(", "));
        prop_assert_eq!(meaning(&body, encoding.as_deref()), expected);
    }

    #[test]
    fn no_bytes_and_no_encoding_panic(body: Vec<u8>, encoding in "[a-z0-9, -]{0,20}|deflate|gzip|utf-16|utf-32be") {
        for one in found(&body, Some(&encoding)) {
            let _ = &text_of(&body, Some(&encoding))[one.span];
        }
    }

    #[test]
    fn damaged_packings_are_rejected_or_read(at: prop::sample::Index, bit in 0_u8..8, packing in select(PACKINGS.to_vec())) {
        let mut body = packed(br#"{"temperature":21.5,"geo":"Sydney"}"#, packing);
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        prop_assert_eq!(found(&body, Some("deflate")).is_empty(), false);
    }
}

#[test]
fn nuls_around_a_body_are_dropped_and_other_bytes_are_not() {
    for body in [
        "{\"temperature\":1}\0\0\0",
        "\0\0{\"temperature\":1}",
        "{\"temperature\":1} \r\n\0",
        "\0[{\"temperature\":1}]\0",
    ] {
        assert!(found(body.as_bytes(), None)[0].outcome.is_ok(), "{body:?}");
    }
    let expected =
        "there are more bytes behind the NUL at byte 17: send the text alone, not the whole buffer";
    assert_eq!(
        rejected(b"{\"temperature\":1}\0\0e\":2}", None),
        format!("the body is not JSON: {expected} (line 1 column 18)")
    );
    assert_eq!(rejected(b"{\"temperature\":1}\0\xcd\xcd", None), expected);
    assert_eq!(rejected(b"\0\0\0", None), "the body is empty");
}

#[test]
fn what_is_wrong_with_wide_characters_is_said_with_their_encoding() {
    let lone =
        [encoded("{\"geo\":\"", "utf-16le", false), vec![0x00, 0xd8], encoded("\"}", "utf-16le", false)]
            .concat();
    assert_eq!(rejected(&lone, Some("utf-16")), "the body is not UTF-16LE from byte 16 on");
    let cut = &encoded("{\"geo\":\"ü\"}", "utf-32be", false)[..42];
    let cut = [cut, b"x"].concat();
    assert_eq!(rejected(&cut, None), "the body is not UTF-32BE: it ends in the middle of a character");
    let beyond = [encoded("{\"geo\":\"", "utf-32le", false), vec![0, 0, 0x11, 0]].concat();
    assert_eq!(rejected(&beyond, None), "the body is not UTF-32LE from byte 32 on");
    assert_eq!(rejected(b"\xd8\x00\x00\x41", Some("UTF-16BE")), "the body is not UTF-16BE from byte 0 on");
}

#[test]
fn an_encoding_that_is_not_read_is_named_where_it_may_be_the_cause() {
    assert!(found(b"{\"temperature\":1}", Some("quoted-printable"))[0].outcome.is_ok());
    let detail = rejected(b"\x8b\x0f\x80{\"temperature\":1}", Some("br"));
    let remark = "its content encoding `br` is not read: send utf-8, utf-16, utf-32, gzip or deflate";
    assert_eq!(detail, format!("the body is not UTF-8 from byte 0 on; {remark}"));
    let detail = rejected(b"eyJ0ZW1wZXJhdHVyZSI6MX0=", Some("base64"));
    assert!(detail.starts_with(
        "the body is not JSON: it is base64: send the JSON itself; its content encoding `base64`"
    ));
    let long = rejected(b"x", Some(&"\u{7}y".repeat(1_000)));
    assert!(long.len() < 300 && !long.contains('\u{7}'), "{long}");
}

#[test]
fn json_under_the_label_of_a_compression_is_read() {
    for encoding in ["gzip", "deflate", "gzip, utf-16"] {
        assert!(
            found(br#"{"temperature":21.5,"geo":"Sydney"}"#, Some(encoding))[0].outcome.is_ok(),
            "{encoding}"
        );
    }
}

#[test]
fn a_body_that_unpacks_without_end_is_one_rejection() {
    let large = format!(r#"{{"temperature":1,"note":"{}"}}"#, "x".repeat(40 << 20));
    for (packing, name) in [("gzip", "gzip"), ("zlib", "zlib"), ("deflate", "deflate")] {
        let body = packed(large.as_bytes(), packing);
        let (length, most) = (body.len(), (64 * 1024 + 32 * body.len()).min(4 << 20));
        assert_eq!(
            rejected(&body, Some("deflate")),
            format!(
                "the body of {length} bytes unpacks ({name}) to more than {most} bytes, which are the most that is read"
            )
        );
    }
    let small = packed("{\"temperature\":1}".repeat(8_000).as_bytes(), "gzip");
    assert!(rejected(&small, None).contains("more than"), "few bytes must not become many readings");
    let usual = format!(
        "[{}]",
        (0..2_000)
            .map(|n| format!(r#"{{"temperature":{}.5,"n":{n}}}"#, n % 60))
            .collect::<Vec<_>>()
            .join(",")
    );
    assert_eq!(found(&packed(usual.as_bytes(), "gzip"), None).len(), 2_000);
}

#[test]
fn a_damaged_packing_is_named() {
    let mut body = packed(br#"{"temperature":21.5}"#, "gzip");
    assert_eq!(
        rejected(&[&body[..], b"rest"].concat(), None),
        "there are bytes behind the gzip data of the body"
    );
    let twice = [&body[..], &body[..]].concat();
    assert_eq!(found(&twice, None).len(), 2, "several members, as `cat` makes them");
    body.truncate(20);
    assert_eq!(rejected(&body, None), "the body is not gzip, or it is damaged");
    assert_eq!(rejected(b"\xff\xff\xff", Some("deflate")), "the body is not deflate, or it is damaged");
}

#[test]
fn formats_that_are_not_text_are_named() {
    for (body, format) in [
        (&b"Obj\x01\x04\x16avro.schema\xff"[..], "an Avro file"),
        (b"\xa1\x6btemperature\xf9\x4d\x60\xff", "CBOR"),
        (b"\x81\xabtemperature\xcb\x40", "MessagePack"),
        (b"\x0d\x00\x00\xac\x41", "protobuf"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
    ] {
        let detail = rejected(body, None);
        assert!(detail.ends_with(&format!(": it looks like {format}, and must be JSON")), "{detail}");
    }
}
