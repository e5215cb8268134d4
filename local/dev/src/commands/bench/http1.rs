//! HTTP/1.1 messages as the bytes they travel in: found in a stream, passed on unchanged, their parts looked at.
//! What stands between a handler and its services must cost next to nothing and must not change what it carries.

use std::io::{self, ErrorKind};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Heads of SDK requests take about 1 KB; without a limit a peer that speaks something else would be read for ever.
const LONGEST_HEAD: usize = 64 * 1024;

/// Room for each read: a batch of 10,000 events is 10 MB.
const AT_A_TIME: usize = 64 * 1024;

/// A connection that carries messages both ways.
pub(super) struct Connection {
    socket: TcpStream,
    read: BytesMut,
}

impl Connection {
    /// Small messages are sent at once: waiting to fill a packet would be measured as the handler's time.
    pub(super) fn new(socket: TcpStream) -> io::Result<Connection> {
        socket.set_nodelay(true)?;
        Ok(Connection { socket, read: BytesMut::new() })
    }

    /// The next whole message; `None` when the peer has closed the connection between two of them. Nothing is lost
    /// when the future is dropped half way.
    pub(super) async fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(extent) = Extent::of(&self.read)? {
                let bytes = self.read.split_to(extent.whole).freeze();
                return Ok(Some(Message { bytes, head: extent.head }));
            }
            self.read.reserve(AT_A_TIME);
            if self.socket.read_buf(&mut self.read).await? == 0 {
                return match self.read.is_empty() {
                    true => Ok(None),
                    false => Err(ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }
}

/// A whole request or reply.
pub(super) struct Message {
    bytes: Bytes,
    head: usize,
}

impl Message {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The body as it travelled: a chunked one still has its chunk sizes.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Method and target of a request.
    pub(super) fn request(&self) -> Option<(&str, &str)> {
        let mut words = first_line(&self.bytes[..self.head])?.split(' ');
        Some((words.next()?, words.next()?))
    }

    /// Status of a reply.
    pub(super) fn status(&self) -> Option<u16> {
        status(first_line(&self.bytes[..self.head])?)
    }
}

/// How far a message reaches in what was read.
struct Extent {
    head: usize,
    whole: usize,
}

impl Extent {
    /// `None` while bytes are missing.
    fn of(read: &[u8]) -> io::Result<Option<Extent>> {
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            return match read.len() > LONGEST_HEAD {
                true => Err(broken("the head of a message does not end")),
                false => Ok(None),
            };
        };
        let head = end + 4;
        let body = match Framing::of(&read[..head])? {
            Framing::Length(length) => Some(length),
            Framing::Chunked => chunks(&read[head..])?,
        };
        let whole = body.map(|body| head + body);
        Ok(whole.filter(|whole| *whole <= read.len()).map(|whole| Extent { head, whole }))
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

/// The length of a chunked body, its closing chunk included; `None` while some of it is missing.
fn chunks(body: &[u8]) -> io::Result<Option<usize>> {
    let mut at = 0;
    while let Some(line) = body[at..].windows(2).position(|two| two == b"\r\n") {
        let size = str::from_utf8(&body[at..at + line]).ok();
        let size = size.and_then(|line| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok());
        let size = size.ok_or_else(|| broken("a chunk has no size"))?;
        // Size line, content, and the line break after it; nobody here sends trailers.
        at += line + 2 + size + 2;
        if size == 0 {
            return Ok(Some(at));
        }
        if at >= body.len() {
            return Ok(None);
        }
    }
    Ok(None)
}

fn first_line(head: &[u8]) -> Option<&str> {
    str::from_utf8(head).ok()?.lines().next()
}

fn status(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Length of head and of the whole message.
    fn extent(read: &str) -> Option<(usize, usize)> {
        Extent::of(read.as_bytes()).unwrap().map(|extent| (extent.head, extent.whole))
    }

    #[test]
    fn a_message_is_complete_with_its_last_byte() {
        let messages = [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 204 No Content\r\nETag: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1a;x=y\r\n01234567890123456789012345\r\n0\r\n\r\n",
        ];
        for message in messages {
            for end in 0..message.len() {
                assert_eq!(extent(&message[..end]), None, "{:?}", &message[..end]);
            }
            let followed = format!("{message}GET /next");
            assert_eq!(extent(&followed).unwrap().1, message.len(), "{message}");
        }
    }

    #[test]
    fn what_is_not_a_message_is_refused() {
        let endless = "x".repeat(LONGEST_HEAD + 1);
        for read in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            &endless,
        ] {
            assert!(Extent::of(read.as_bytes()).is_err(), "{read}");
        }
    }

    #[test]
    fn the_parts_of_a_message_are_found() {
        let bytes = Bytes::from_static(b"POST /a?b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
        let head = bytes.len() - 2;
        let request = Message { bytes, head };
        assert_eq!((request.request(), request.body()), (Some(("POST", "/a?b")), &b"hi"[..]));
        let reply = Message { bytes: Bytes::from_static(b"HTTP/1.1 503 Busy\r\n\r\n"), head: 21 };
        assert_eq!(reply.status(), Some(503));
    }
}
