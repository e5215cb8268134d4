//! Splits what a transport delivers into whole messages. One delivery may hold several messages, or a part of one.

use bytes::{Buf, Bytes, BytesMut};

/// Ends every message of JSON and of the handshake.
pub(super) const SEPARATOR: u8 = 0x1e;

/// How the end of a message is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By a separator after it.
    Separated,
    /// By its length before it, in groups of seven bits, the lowest first.
    Counted,
}

/// A client sent a message longer than [`Records::LONGEST`], or an invalid length.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The bytes of a client that do not form a whole message yet.
#[derive(Default)]
pub(crate) struct Records {
    buffer: BytesMut,
    /// How many bytes of the buffer were searched and hold no separator.
    searched: usize,
}

impl Records {
    /// The most bytes of one client message; the service's documentation advises to stay below 16 MB.
    pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

    pub(crate) fn add(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next whole message without its separator or length.
    pub(crate) fn next(&mut self, framing: Framing) -> Result<Option<Bytes>, Broken> {
        match framing {
            Framing::Separated => self.until_separator(),
            Framing::Counted => self.counted(),
        }
    }

    fn until_separator(&mut self) -> Result<Option<Bytes>, Broken> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == SEPARATOR);
        let length = found.map_or(self.buffer.len(), |at| self.searched + at);
        if length > Self::LONGEST {
            return Err(Broken);
        }
        self.searched = if found.is_some() { 0 } else { length };
        Ok(found.map(|_| {
            let record = self.buffer.split_to(length).freeze();
            self.buffer.advance(1);
            record
        }))
    }

    fn counted(&mut self) -> Result<Option<Bytes>, Broken> {
        const LONGEST_PREFIX: usize = 5;
        let prefix = self.buffer.iter().take(LONGEST_PREFIX);
        let Some(last) = prefix.clone().position(|byte| byte & 0x80 == 0) else {
            return if self.buffer.len() < LONGEST_PREFIX { Ok(None) } else { Err(Broken) };
        };
        let groups = prefix.take(last + 1).rev();
        let length = groups.fold(0_u64, |length, byte| length << 7 | u64::from(byte & 0x7f));
        let length = usize::try_from(length).ok().filter(|length| *length <= Self::LONGEST).ok_or(Broken)?;
        if self.buffer.len() <= last + length {
            return Ok(None);
        }
        self.buffer.advance(last + 1);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(records: &mut Records, framing: Framing, data: &[u8]) -> Result<Vec<Bytes>, Broken> {
        records.add(data);
        std::iter::from_fn(|| records.next(framing).transpose()).collect()
    }

    #[test]
    fn records_may_be_joined_or_split() {
        let mut records = Records::default();
        let mut next = |data| all(&mut records, Framing::Separated, data);
        assert_eq!(next(b"{\"a\":1}\x1e{\"b\""), Ok(vec![Bytes::from("{\"a\":1}")]));
        assert_eq!(next(b":2}"), Ok(vec![]));
        assert_eq!(next(b"\x1e\x1e"), Ok(vec![Bytes::from("{\"b\":2}"), Bytes::new()]));
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let mut records = Records::default();
        let half = vec![b'x'; Records::LONGEST / 2];
        let mut next = |data| all(&mut records, Framing::Separated, data);
        assert_eq!(next(&half), Ok(vec![]));
        assert_eq!(next(&half), Ok(vec![]));
        assert_eq!(next(b"x"), Err(Broken));
    }

    #[test]
    fn counted_records_may_be_joined_or_split_anywhere() {
        let long = [b'y'; 200];
        let data = [b"\x02ab\x00\xc8\x01".as_slice(), &long, b"\x01z"].concat();
        let expected: Vec<Bytes> = [b"ab".as_slice(), b"", &long, b"z"].map(Bytes::copy_from_slice).to_vec();
        for cut in 0..=data.len() {
            let mut records = Records::default();
            let mut whole = all(&mut records, Framing::Counted, &data[..cut]).unwrap();
            whole.extend(all(&mut records, Framing::Counted, &data[cut..]).unwrap());
            assert_eq!(whole, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_over_the_limit_or_without_end_is_refused() {
        for bad in [b"\x81\x80\x80\x08".as_slice(), b"\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80"] {
            assert_eq!(all(&mut Records::default(), Framing::Counted, bad), Err(Broken), "{bad:?}");
        }
        assert_eq!(all(&mut Records::default(), Framing::Counted, b"\x80\x80\x80\x08"), Ok(vec![]));
    }
}
