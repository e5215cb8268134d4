//! The few HTTP requests that the tests make themselves.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The status and the body of a response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `GET` from a server on this machine; HTTP/1.0, so that the body is not chunked.
pub(crate) fn get(authority: &str, path: &str) -> io::Result<Answer> {
    let mut socket = TcpStream::connect(authority)?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(socket, "GET {path} HTTP/1.0\r\nHost: {authority}\r\n\r\n")?;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let malformed = || io::Error::other(format!("not an HTTP answer: {text}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    Ok(Answer { status, body: body.to_owned() })
}
