//! `cargo dev send`: sends one reading as a device would.

use std::{io::Read, path::PathBuf, process::ExitCode, time::SystemTime};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::de::IgnoredAny;

use crate::{
    connection_string::ConnectionString,
    device::{self, Device, Refusal},
    lock,
    text::say,
    workspace::Workspace,
};

/// The local hub's published development policy, which is valid only for a stand-in on a developer's machine.
const DEVELOPMENT_POLICY: &str = "device";
const DEVELOPMENT_KEY: &str = "ZmllbGRjYXN0LWxvY2FsLWRldmVsb3BtZW50LW9ubHk=";
const DEFAULT_HUB_PORT: u16 = 7072;

#[derive(Args)]
pub(crate) struct Send {
    /// The device that sends; may be left out when the connection string names one
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// The reading, such as '{"temperature":21.5}'; `-` reads it from standard input
    #[arg(value_name = "BODY")]
    body: String,
    /// The local hub's port [default: that of the running `cargo dev up`, else 7072]
    #[arg(long, value_name = "PORT", conflicts_with = "connection_string")]
    hub_port: Option<u16>,
    /// A device's or a policy's connection string: HostName=…;DeviceId=… or SharedAccessKeyName=…;SharedAccessKey=…
    #[arg(long, value_name = "STRING")]
    connection_string: Option<String>,
    /// The data folder of the running `cargo dev up` [default: .fieldcast in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(crate) async fn run(options: Send, workspace: &Workspace) -> Result<ExitCode> {
    let connection = connection(&options, workspace)?;
    let id = device_id(options.device.clone(), &connection)?;
    let body = body(options.body).await?;
    if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        eprintln!("note: the body is not JSON; it is sent as it is, but no value will be read from it");
    }
    let address = connection.address();
    let device = Device::new(device::http_client()?, connection, id);
    match device.send(body, SystemTime::now()).await {
        Ok(status) => {
            say!("accepted ({})", status.as_u16());
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => bail!("{}", explained(&refusal, &address)),
    }
}

fn connection(options: &Send, workspace: &Workspace) -> Result<ConnectionString> {
    if let Some(text) = &options.connection_string {
        return ConnectionString::parse(text);
    }
    let port = options.hub_port.unwrap_or_else(|| running_port(options, workspace));
    let host = format!("127.0.0.1:{port}");
    ConnectionString::parse(&format!(
        "HostName={host};SharedAccessKeyName={DEVELOPMENT_POLICY};SharedAccessKey={DEVELOPMENT_KEY}"
    ))
}

fn running_port(options: &Send, workspace: &Workspace) -> u16 {
    let data = options.data.clone().unwrap_or_else(|| workspace.default_data());
    lock::running(&data).and_then(|running| running.hub_port).unwrap_or(DEFAULT_HUB_PORT)
}

fn device_id(given: Option<String>, connection: &ConnectionString) -> Result<String> {
    match (given, &connection.device) {
        (Some(given), Some(named)) if given != *named => {
            bail!(
                "--device says {given}, the connection string is for {named}: leave --device out or name the same"
            )
        }
        (Some(id), _) => Ok(id),
        (None, Some(named)) => Ok(named.clone()),
        (None, None) => bail!("name the device with --device"),
    }
}

async fn body(given: String) -> Result<Vec<u8>> {
    if given != "-" {
        return Ok(given.into_bytes());
    }
    let reading = tokio::task::spawn_blocking(|| {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body).map(|_| body)
    });
    reading.await?.context("standard input cannot be read")
}

/// Why the reading was not taken, and what to do next.
fn explained(refusal: &Refusal, address: &str) -> String {
    match refusal {
        Refusal::Answered { status, words, .. } => {
            let words = if words.is_empty() { "the hub gave no reason" } else { words };
            format!("refused ({}): {words}; {}", status.as_u16(), advice(status.as_u16()))
        }
        Refusal::Unreachable(_) if address.starts_with("http://") => {
            format!(
                "no hub answers at {address}: start one with `cargo dev up`, or name its port with --hub-port"
            )
        }
        Refusal::Unreachable(error) => {
            let why = if error.is_timeout() { "in time" } else { "at all" };
            format!("{address} does not answer {why}: check the HostName and that port 443 is open to it")
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the key, that the device is registered and enabled, and this machine's clock",
        404 => "check the host name and that the device is registered",
        413 => "a message may hold 256 KB: send less at once",
        429 => "the hub takes no more for now: wait a little, then send it again",
        500.. => "the hub is in trouble: send it again in a moment",
        _ => "change the message as the hub says, then send it again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_comes_from_the_flag_or_the_string_and_they_agree() -> Result<()> {
        let of_device = ConnectionString::parse("HostName=h;DeviceId=a;SharedAccessKey=Zm9v")?;
        let of_policy = ConnectionString::parse("HostName=h;SharedAccessKeyName=p;SharedAccessKey=Zm9v")?;
        assert_eq!(device_id(None, &of_device)?, "a");
        assert_eq!(device_id(Some("b".to_owned()), &of_policy)?, "b");
        assert!(device_id(Some("b".to_owned()), &of_device).is_err());
        assert!(device_id(None, &of_policy).is_err());
        Ok(())
    }
}
