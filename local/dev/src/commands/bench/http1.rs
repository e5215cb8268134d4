//! HTTP/1.1 messages as bytes: finds them in a stream, and reads their parts without changing them. Between a handler
//! and its services this must cost almost nothing and must change nothing.

mod extent;

use std::io::{self, ErrorKind};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::extent::{Extent, first_line, status};

/// In the head of a message whose body comes in chunks, as our services write it.
const CHUNKED: &[u8] = b"transfer-encoding: chunked";

/// Bytes of each read: a batch of 10,000 events is 10 MB.
const AT_A_TIME: usize = 64 * 1024;

/// A connection that carries messages both ways.
pub(super) struct HttpConnection {
    socket: TcpStream,
    read: BytesMut,
    /// The extent of the message at the start of `read`.
    extent: Extent,
}

impl HttpConnection {
    /// Small messages are sent at once: waiting to fill a packet would be measured as the handler's time.
    pub(super) fn new(socket: TcpStream) -> io::Result<HttpConnection> {
        socket.set_nodelay(true)?;
        Ok(HttpConnection { socket, read: BytesMut::new(), extent: Extent::default() })
    }

    /// The next whole message; `None` when the peer has closed the connection between two messages. Cancel safe.
    pub(super) async fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            self.extent.look(&self.read)?;
            if self.extent.is_within(&self.read) {
                let extent = std::mem::take(&mut self.extent);
                let bytes = self.read.split_to(extent.known()).freeze();
                return Ok(Some(Message { bytes, head: extent.head() }));
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

    /// The body as it was sent: a chunked one still has its chunk sizes.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// The body without its chunk sizes, if it has any.
    pub(super) fn content(&self) -> Vec<u8> {
        let head = self.bytes[..self.head].to_ascii_lowercase();
        match head.windows(CHUNKED.len()).any(|part| part == CHUNKED) {
            true => extent::chunks(self.body()).concat(),
            false => self.body().to_vec(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_message_are_found() {
        let bytes = Bytes::from_static(b"POST /a?b HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
        let head = bytes.len() - 2;
        let request = Message { bytes, head };
        assert_eq!((request.request(), request.body()), (Some(("POST", "/a?b")), &b"hi"[..]));
        let reply = Message { bytes: Bytes::from_static(b"HTTP/1.1 503 Busy\r\n\r\n"), head: 21 };
        assert_eq!(reply.status(), Some(503));
        let bytes = Bytes::from_static(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        );
        let chunked = Message { head: bytes.len() - 19, bytes };
        assert_eq!(chunked.content(), b"abcd");
    }
}
