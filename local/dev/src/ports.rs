//! Checks that the ports of a command are free.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// A port and the flag that changes it.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) port: u16,
    pub(crate) flag: &'static str,
}

/// Fails on the first port that another process listens on. A port of 0 means any free one and never fails.
pub(crate) fn require_free(wanted: &[Wanted]) -> Result<()> {
    for Wanted { port, flag } in wanted {
        if !is_free(*port) {
            bail!(
                "port {port} is already in use: stop what listens there, or choose another with {flag} (0 takes any free one)"
            );
        }
    }
    Ok(())
}

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_flag() -> Result<()> {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = taken.local_addr()?.port();
        let wanted = [Wanted { port: 0, flag: "--port" }, Wanted { port, flag: "--hub-port" }];
        let line = require_free(&wanted).expect_err("taken").to_string();
        assert!(line.contains(&port.to_string()) && line.contains("--hub-port"), "{line}");
        Ok(())
    }
}
