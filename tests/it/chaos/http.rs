//! HTTP/1.1 messages as bytes: where one ends, and how one is shortened without showing it. Only what the chaos proxy
//! needs to hit a chosen moment.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads one whole message; `None` when the other side closed before it began one. Nobody here sends a second message
/// before the first is answered.
pub(super) async fn read_message(source: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    while !is_whole(&message) {
        if source.read_buf(&mut message).await? == 0 {
            return if message.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
    Ok(Some(message))
}

/// The same answer with only this share of its body, and a head that says that this is all. `None` for a body that has
/// nothing to lose.
pub(super) fn truncated(answer: &[u8], share: f64) -> Option<Vec<u8>> {
    let (head, body) = split(answer)?;
    let body = match length(head) {
        Length::Chunked => unchunked(body)?,
        Length::Known(length) => body[..length].to_vec(),
    };
    let kept = &body[..part(body.len(), share)?];
    let framing = ["content-length:", "transfer-encoding:"];
    let is_framing = |line: &&str| framing.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let mut shorter = String::new();
    for line in head.lines().filter(|line| !line.is_empty() && !is_framing(line)) {
        shorter += &format!("{line}\r\n");
    }
    shorter += &format!("Content-Length: {}\r\n\r\n", kept.len());
    Some([shorter.as_bytes(), kept].concat())
}

/// This share of a length, always less than all of it; `None` where there is no less.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "lengths of messages are far below 2^52, and any rounding is as good a place as another"
)]
pub(super) fn part(length: usize, share: f64) -> Option<usize> {
    (length > 0).then(|| ((length as f64 * share) as usize).min(length - 1))
}

enum Length {
    Known(usize),
    Chunked,
}

fn is_whole(message: &[u8]) -> bool {
    split(message).is_some_and(|(head, body)| match length(head) {
        Length::Known(length) => body.len() >= length,
        Length::Chunked => unchunked(body).is_some(),
    })
}

fn split(message: &[u8]) -> Option<(&str, &[u8])> {
    let end = message.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (head, body) = message.split_at(end);
    Some((std::str::from_utf8(head).expect("these services write ASCII heads"), body))
}

fn length(head: &str) -> Length {
    let head = head.to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match field("transfer-encoding:") {
        Some(_) => Length::Chunked,
        None => Length::Known(field("content-length:").map_or(0, |length| length.parse().unwrap())),
    }
}

/// The body without its chunks; `None` while the last one is missing.
fn unchunked(body: &[u8]) -> Option<Vec<u8>> {
    let (mut whole, mut rest) = (Vec::new(), body);
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).expect("chunks without extensions");
        let chunk = rest.get(line + 2..line + 2 + size)?;
        rest = rest.get(line + 2 + size + 2..)?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(chunk);
    }
}

#[test]
fn messages_end_where_their_heads_say() {
    for whole in [
        "HTTP/1.1 204 No Content\r\nEtag: a\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
    ] {
        let bytes = whole.as_bytes();
        assert!(is_whole(bytes), "{whole}");
        assert!((0..bytes.len()).all(|end| !is_whole(&bytes[..end])), "{whole}");
    }
}

#[test]
fn a_truncated_answer_looks_whole() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
    assert_eq!(truncated(chunked, 0.5).unwrap(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
    assert_eq!(truncated(chunked, 1.0).unwrap(), b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(truncated(b"HTTP/1.1 204 No Content\r\n\r\n", 0.5), None);
}
