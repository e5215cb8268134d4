//! The port of the handler: chosen before the handler can listen on it, and kept over its restarts.

use std::{
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
};

/// A TCP port of 127.0.0.1 that no other stand-in on this machine gives to its handler.
///
/// Between the choice and the moment when the handler listens, and again at every restart, any process can take the
/// port. The UDP port of the same number is bound as a mark that other stand-ins see; it ends with this process.
pub(crate) struct ReservedPort {
    number: u16,
    _token: UdpSocket,
}

/// Below the range that systems use for outgoing connections (from 32768 on Linux). The real host lets the system
/// choose; but while the handler restarts, that port could become the local end of another connection, even of the
/// readiness probe itself.
const RANGE: std::ops::Range<u16> = 20_000..32_768;

/// If half of the range is taken, the chance that all of these fail is 2^-64.
const TRIES: usize = 64;

impl ReservedPort {
    pub(crate) fn find() -> io::Result<ReservedPort> {
        let mut last = Err(io::Error::from(io::ErrorKind::AddrInUse));
        for _ in 0..TRIES {
            last = ReservedPort::claim(rand::random_range(RANGE));
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn claim(number: u16) -> io::Result<ReservedPort> {
        let token = UdpSocket::bind((Ipv4Addr::LOCALHOST, number))?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number))?;
        Ok(ReservedPort { number, _token: token })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_free_for_the_handler_and_for_no_other_host() {
        let port = ReservedPort::find().unwrap();
        assert!(ReservedPort::claim(port.number()).is_err());
        let handler = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        drop(port);
        let number = handler.local_addr().unwrap().port();
        assert!(ReservedPort::claim(number).is_err(), "something listens there");
    }
}
