//! The multipart reply to a transaction: one part for each operation, or one that says why there was none.
//!
//! The service ends lines with CRLF, emulators and proxies do not always; the closing delimiter is missing from
//! Microsoft's own sample. All of that is read.

use crate::Etag;
use crate::azure::answer::Answer;
use crate::azure::trouble::Trouble;

/// The etags that the operations led to, or what the service says was wrong with one of them. `leaves_row` is of each
/// operation.
pub(in crate::azure) fn read(
    content_type: &str,
    body: &[u8],
    leaves_row: &[bool],
) -> Result<Vec<Option<Etag>>, Trouble> {
    let body =
        str::from_utf8(body).map_err(|_| Trouble::Unreadable("the transaction's reply is not text"))?;
    let parts =
        parts(content_type, body).ok_or(Trouble::Unreadable("the transaction's reply has no parts"))?;
    let failed = parts.iter().position(|part| !(200..300).contains(&part.status));
    if let Some(position) = failed {
        return Err(Trouble::Answered(failure(&parts, position, leaves_row.len())));
    }
    if parts.len() != leaves_row.len() {
        return Err(Trouble::Unreadable("the transaction's reply has not one part for each operation"));
    }
    leaves_row.iter().zip(&parts).map(|(&leaves_row, part)| etag(leaves_row, part)).collect()
}

fn etag(leaves_row: bool, part: &Part<'_>) -> Result<Option<Etag>, Trouble> {
    if !leaves_row {
        return Ok(None);
    }
    let etag = part.etag.and_then(|etag| Etag::new(etag).ok());
    etag.map(Some).ok_or(Trouble::Unreadable("an operation of the transaction has no etag"))
}

/// The service puts the index in front of the message and sends no other part. Where it does not, a full set
/// of parts shows it.
fn failure(parts: &[Part<'_>], position: usize, operations: usize) -> Answer {
    let part = &parts[position];
    let mut answer = Answer::from_body(part.status, part.body.as_bytes());
    let by_position = (parts.len() == operations).then_some(position);
    answer.index = answer.index.filter(|index| *index < operations).or(by_position);
    answer
}

/// One embedded HTTP response.
#[derive(Debug)]
struct Part<'a> {
    status: u16,
    etag: Option<&'a str>,
    body: &'a str,
}

/// `None` if any part is not an HTTP response.
fn parts<'a>(content_type: &str, body: &'a str) -> Option<Vec<Part<'a>>> {
    let batch = sections(body, boundary(content_type)?);
    let (head, content) = split_head(batch.first()?);
    let responses = match header(head, "content-type").and_then(boundary) {
        Some(changeset) => sections(content, changeset).into_iter().map(|part| split_head(part).1).collect(),
        // A failure of the whole set can come without it.
        None => vec![content],
    };
    responses.into_iter().map(response).collect()
}

fn response(text: &str) -> Option<Part<'_>> {
    let (head, body) = split_head(text);
    let status_line = head.lines().next()?.strip_prefix("HTTP/1.")?;
    let status = status_line.split(' ').nth(1)?.parse().ok()?;
    Some(Part { status, etag: header(head, "etag"), body: body.trim_end() })
}

/// What stands between the delimiter lines (RFC 2046, 5.1.1), each without the line break before it.
fn sections<'a>(text: &'a str, boundary: &str) -> Vec<&'a str> {
    let delimiter = format!("--{boundary}");
    let mut sections = Vec::new();
    let mut open = None;
    for (at, _) in text.match_indices(&delimiter) {
        let after = &text[at + delimiter.len()..];
        if !is_line_start(text, at) || !is_delimiter_end(after) {
            continue;
        }
        sections.extend(open.map(|from| &text[from..at]));
        if after.starts_with("--") {
            return sections;
        }
        open = Some(at + delimiter.len() + after.find('\n').map_or(after.len(), |end| end + 1));
    }
    sections.extend(open.map(|from| &text[from..]));
    sections
}

fn is_line_start(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n'
}

/// A longer word is another boundary that begins alike.
fn is_delimiter_end(after: &str) -> bool {
    after.is_empty() || after.starts_with(['\r', '\n', ' ', '\t']) || after.starts_with("--")
}

/// Headers and content, which an empty line separates.
fn split_head(text: &str) -> (&str, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        if line.trim_end().is_empty() {
            return (&text[..at], &text[next..]);
        }
        at = next;
    }
    (text, "")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim())
}

fn boundary(content_type: &str) -> Option<&str> {
    let mut pairs = content_type.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    Some(value.trim().trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

#[cfg(test)]
mod tests;
