//! Message bodies: one target and its arguments, serialised once and shared by every endpoint and try.

use std::iter::FusedIterator;
use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use serde::de::IgnoredAny;

/// The most bytes of a message body. The service documents "1 MB"; a body under the smaller reading of that (10^6
/// rather than 2^20) is accepted under both.
pub const BODY_LIMIT: usize = 1_000_000;

const HEAD: &[u8] = br#"{"target":"#;
const MIDDLE: &[u8] = br#","arguments":"#;

/// Why something is not a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Clients register handlers under non-empty names.
    #[error("target of a message is empty")]
    EmptyTarget,
    /// The arguments are not JSON, or not an array.
    #[error("arguments of a message are not a JSON array")]
    NotAnArray,
}

/// The call that every receiving client makes: a method name and an array of arguments, already as JSON.
///
/// Cloning shares the bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    body: Bytes,
}

impl Message {
    /// Serialises `arguments`, anything that becomes a JSON array: a tuple, a slice.
    ///
    /// # Errors
    /// [`MessageError`] for an empty target or arguments that are no array.
    pub fn new(target: &str, arguments: &impl Serialize) -> Result<Message, MessageError> {
        let mut body = head(target)?;
        let start = body.len();
        serde_json::to_writer(&mut body, arguments).map_err(|_| MessageError::NotAnArray)?;
        match body.get(start) {
            Some(b'[') => Ok(Message::closed(body)),
            _ => Err(MessageError::NotAnArray),
        }
    }

    /// Takes arguments that are JSON already. They are checked and sent unchanged.
    ///
    /// # Errors
    /// [`MessageError`] for an empty target or arguments that are no JSON array.
    pub fn from_json(target: &str, arguments: &[u8]) -> Result<Message, MessageError> {
        let mut body = head(target)?;
        let array: Result<Vec<IgnoredAny>, _> = serde_json::from_slice(arguments);
        array.map_err(|_| MessageError::NotAnArray)?;
        body.extend_from_slice(arguments);
        Ok(Message::closed(body))
    }

    /// Messages with one array argument each, which together carry `elements` in order, no body over `limit` bytes
    /// (usually [`BODY_LIMIT`]).
    ///
    /// Elements are JSON values already and are not parsed again; the service refuses a body that is not JSON.
    ///
    /// # Errors
    /// [`MessageError`] for an empty target.
    pub fn frames<'a, E: AsRef<[u8]>>(
        target: &str,
        elements: &'a [E],
        limit: usize,
    ) -> Result<Frames<'a, E>, MessageError> {
        let mut head = head(target)?;
        head.extend_from_slice(b"[[");
        Ok(Frames { head, elements, next: 0, limit })
    }

    /// The request body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    fn closed(mut body: Vec<u8>) -> Message {
        body.push(b'}');
        Message { body: body.into() }
    }
}

fn head(target: &str) -> Result<Vec<u8>, MessageError> {
    if target.is_empty() {
        return Err(MessageError::EmptyTarget);
    }
    let mut head = HEAD.to_vec();
    head.extend_from_slice(serde_json::Value::from(target).to_string().as_bytes());
    head.extend_from_slice(MIDDLE);
    Ok(head)
}

/// A message and the elements that it carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    /// The message, within the limit.
    pub message: Message,
    /// Indices of its elements in the slice given to [`Message::frames`].
    pub elements: Range<usize>,
}

/// An element that no message can carry; the elements after it still come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("element {index} needs a body of {size} bytes, over the limit of {limit} bytes")]
pub struct OversizedElement {
    /// Its index in the slice given to [`Message::frames`].
    pub index: usize,
    /// The bytes of a message that would carry only this element.
    pub size: usize,
    /// The limit in force.
    pub limit: usize,
}

/// Iterator of [`Message::frames`].
#[derive(Clone, Debug)]
pub struct Frames<'a, E> {
    head: Vec<u8>,
    elements: &'a [E],
    next: usize,
    limit: usize,
}

const TAIL: &[u8] = b"]]";

impl<E: AsRef<[u8]>> Frames<'_, E> {
    /// Bytes of a body that carries no element.
    fn envelope(&self) -> usize {
        self.head.len() + TAIL.len() + 1
    }

    /// The end of the longest run from `start` that fits.
    fn fitting(&self, start: usize) -> usize {
        let mut size = self.envelope();
        let mut end = start;
        while let Some(element) = self.elements.get(end) {
            size += element.as_ref().len() + usize::from(end > start);
            if size > self.limit {
                break;
            }
            end += 1;
        }
        end
    }

    fn message(&self, run: Range<usize>) -> Message {
        let length: usize = self.elements[run.clone()].iter().map(|element| element.as_ref().len() + 1).sum();
        let mut body = Vec::with_capacity(self.envelope() + length);
        body.extend_from_slice(&self.head);
        for (index, element) in self.elements[run].iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            body.extend_from_slice(element.as_ref());
        }
        body.extend_from_slice(TAIL);
        Message::closed(body)
    }
}

impl<E: AsRef<[u8]>> Iterator for Frames<'_, E> {
    type Item = Result<Frame, OversizedElement>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let first = self.elements.get(start)?;
        let end = self.fitting(start);
        self.next = end.max(start + 1);
        if end == start {
            let size = self.envelope() + first.as_ref().len();
            return Some(Err(OversizedElement { index: start, size, limit: self.limit }));
        }
        Some(Ok(Frame { message: self.message(start..end), elements: start..end }))
    }
}

impl<E: AsRef<[u8]>> FusedIterator for Frames<'_, E> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(message: &Message) -> Value {
        serde_json::from_slice(message.body()).expect("a message is JSON")
    }

    #[test]
    fn body_is_the_documented_json() {
        let message = Message::new("newMessage", &("hi", 1)).expect("an array");
        assert_eq!(message.body(), &br#"{"target":"newMessage","arguments":["hi",1]}"#[..]);
        assert_eq!(Message::from_json("newMessage", br#"["hi",1]"#), Ok(message));
    }

    #[test]
    fn numbers_and_spacing_pass_unchanged() {
        let message = Message::from_json("say \"it\"", b" [1e3, 0.10] ").expect("an array");
        assert_eq!(message.body(), &br#"{"target":"say \"it\"","arguments": [1e3, 0.10] }"#[..]);
    }

    #[test]
    fn anything_but_an_array_for_a_named_target_is_refused() {
        assert_eq!(Message::new("", &[1]), Err(MessageError::EmptyTarget));
        assert_eq!(Message::new("t", &1), Err(MessageError::NotAnArray));
        for arguments in [&b""[..], b"{}", b"[1", b"[1],\"target\":\"x\"", b"[1]]", b"\xff"] {
            assert_eq!(Message::from_json("t", arguments), Err(MessageError::NotAnArray));
        }
    }

    #[test]
    fn an_element_that_alone_is_too_large_is_reported_and_the_rest_still_comes() {
        let elements = ["1".to_owned(), format!("\"{}\"", "x".repeat(60)), "2".to_owned()];
        let frames: Vec<_> = Message::frames("t", &elements, 50).expect("a target").collect();
        let size = r#"{"target":"t","arguments":[[]]}"#.len() + 62;
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[1], Err(OversizedElement { index: 1, size, limit: 50 }));
        assert_eq!(parsed(&frames[2].as_ref().expect("fits").message)["arguments"], json!([[2]]));
    }

    #[test]
    fn nothing_to_send_is_no_message() {
        assert_eq!(Message::frames::<&[u8]>("t", &[], 100).expect("a target").count(), 0);
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_one_message() {
        let elements = ["11", "22"];
        let size = r#"{"target":"t","arguments":[[11,22]]}"#.len();
        assert_eq!(Message::frames("t", &elements, size).expect("a target").count(), 1);
        assert_eq!(Message::frames("t", &elements, size - 1).expect("a target").count(), 2);
    }

    proptest! {
        #[test]
        fn frames_carry_every_element_once_in_order_within_the_limit(
            numbers in proptest::collection::vec(any::<u64>(), 0..40),
            limit in 52_usize..120,
        ) {
            let elements: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let mut seen = Vec::new();
            for frame in Message::frames("t", &elements, limit).expect("a target") {
                let frame = frame.expect("every number fits in 52 bytes");
                prop_assert!(frame.message.body().len() <= limit);
                prop_assert_eq!(frame.elements.start, seen.len());
                let arguments = parsed(&frame.message)["arguments"][0].clone();
                seen.extend(arguments.as_array().expect("one array").iter().filter_map(Value::as_u64));
                prop_assert_eq!(frame.elements.end, seen.len());
            }
            prop_assert_eq!(seen, numbers);
        }
    }
}
