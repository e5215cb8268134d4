//! Finds where an HTTP/1.1 message ends in a stream, while its bytes arrive.

use std::io::{self, ErrorKind};

/// The longest head. SDK requests have about 1 KB; without a limit a peer with another protocol would be read for
/// ever.
const LONGEST_HEAD: usize = 64 * 1024;

/// What is known of a message's length while it arrives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    stage: Stage,
    head: usize,
    /// At least this many bytes belong to the message, whether they have arrived or not.
    known: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    /// The size of the next chunk follows the known bytes.
    ChunkSize,
    /// The message ends with the known bytes.
    Complete,
}

impl Extent {
    /// Looks at the message at the start of `read`, which holds at least as much of it as at the last call. Chunks
    /// that were seen then are not read again.
    pub(super) fn look(&mut self, read: &[u8]) -> io::Result<()> {
        if self.stage == Stage::Head {
            self.look_for_head(read)?;
        }
        while self.stage == Stage::ChunkSize {
            let Some(size) = read.get(self.known..).map(chunk_size).transpose()?.flatten() else { break };
            // The line break after the content. There are no trailers here.
            self.known += size.line + size.content + 2;
            if size.content == 0 {
                self.stage = Stage::Complete;
            }
        }
        Ok(())
    }

    fn look_for_head(&mut self, read: &[u8]) -> io::Result<()> {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            return match read.len() > LONGEST_HEAD {
                true => Err(broken("the head of a message does not end")),
                false => Ok(()),
            };
        };
        self.head = end + 4;
        self.known = self.head;
        self.stage = match Framing::of(&read[..self.head])? {
            Framing::Length(length) => {
                self.known += length;
                Stage::Complete
            }
            Framing::Chunked => Stage::ChunkSize,
        };
        Ok(())
    }

    /// The length of the head, when it has arrived.
    pub(super) fn head(&self) -> usize {
        self.head
    }

    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// Whether the whole message has arrived.
    pub(super) fn is_within(&self, read: &[u8]) -> bool {
        self.stage == Stage::Complete && self.known <= read.len()
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Framing {
    fn of(head: &[u8]) -> io::Result<Framing> {
        let text = str::from_utf8(head).map_err(|_| broken("the head of a message is not text"))?;
        let mut lines = text.lines();
        let reply = lines.next().and_then(status);
        if reply.is_some_and(|status| status < 200 || status == 204 || status == 304) {
            return Ok(Framing::Length(0));
        }
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Ok(Framing::Chunked);
            }
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.trim().parse();
                return length.map(Framing::Length).map_err(|_| broken("a length is not a number"));
            }
        }
        match reply {
            Some(_) => Err(broken("a reply does not say how long it is")),
            None => Ok(Framing::Length(0)),
        }
    }
}

/// The start of a chunk: the length of its size line with the line break, and the length of the rest.
struct ChunkSize {
    line: usize,
    content: usize,
}

/// `None` while a part of the line is missing.
fn chunk_size(read: &[u8]) -> io::Result<Option<ChunkSize>> {
    /// The longest size line, with possible extensions.
    const LONGEST_LINE: usize = 1024;
    let Some(end) = read.windows(2).take(LONGEST_LINE).position(|two| two == b"\r\n") else {
        return match read.len() > LONGEST_LINE {
            true => Err(broken("the size of a chunk does not end")),
            false => Ok(None),
        };
    };
    let size = str::from_utf8(&read[..end]).ok();
    let size = size.and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
    let content = size.ok_or_else(|| broken("a chunk has no size"))?;
    Ok(Some(ChunkSize { line: end + 2, content }))
}

/// The contents of the chunks of a whole body.
pub(super) fn chunks(mut body: &[u8]) -> Vec<&[u8]> {
    let mut contents = Vec::new();
    while let Ok(Some(ChunkSize { line, content })) = chunk_size(body) {
        contents.extend(body.get(line..line + content));
        body = body.get(line + content + 2..).unwrap_or_default();
    }
    contents
}

pub(super) fn first_line(head: &[u8]) -> Option<&str> {
    str::from_utf8(head).ok()?.lines().next()
}

pub(super) fn status(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: [&str; 4] = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1a;x=y\r\n01234567890123456789012345\r\n0\r\n\r\n",
    ];

    #[test]
    fn a_message_is_complete_with_its_last_byte_however_it_arrives() {
        for message in MESSAGES {
            let followed = format!("{message}GET /next");
            let mut growing = Extent::default();
            for end in 0..message.len() {
                let read = &followed.as_bytes()[..end];
                growing.look(read).unwrap();
                assert!(!growing.is_within(read), "{:?}", &message[..end]);
            }
            for mut extent in [growing, Extent::default()] {
                extent.look(followed.as_bytes()).unwrap();
                assert!(extent.is_within(followed.as_bytes()), "{message}");
                assert_eq!(extent.known(), message.len(), "{message}");
            }
        }
    }

    /// A change of what was read already is not noticed, which shows that it is not read again.
    #[test]
    fn chunks_are_looked_at_once() {
        let whole = MESSAGES[3];
        let seen = whole.find("1a;").unwrap();
        let mut extent = Extent::default();
        extent.look(&whole.as_bytes()[..seen]).unwrap();
        let changed = "?".repeat(seen) + &whole[seen..];
        extent.look(changed.as_bytes()).unwrap();
        assert!(extent.is_within(changed.as_bytes()));
    }

    #[test]
    fn what_is_not_a_message_is_refused() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for read in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            &format!("{chunked}zz\r\n"),
            &format!("{chunked}{}", "0".repeat(2_000)),
            &"x".repeat(LONGEST_HEAD + 1),
        ] {
            assert!(Extent::default().look(read.as_bytes()).is_err(), "{read}");
        }
    }
}
