//! The hub as a program, for devices under test: `fieldcast-iot-hub [ADDRESS [FOLDER]]`. Prints its connection strings,
//! one per line, and runs until it is killed, which is safe at any time.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use fieldcast_iot_hub::{Hub, HubConfig};

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(_hub) => std::future::pending().await,
        Err(error) => {
            eprintln!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<Hub, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = HubConfig::default();
    if let Some(address) = arguments.next() {
        let wrong = |_| format!("'{address}' is not an address such as 127.0.0.1:7072");
        config.listen = address.parse().map_err(wrong)?;
    }
    config.data_dir = arguments.next().map(PathBuf::from);
    let hub = Hub::start(config).await?;
    for repair in hub.repairs() {
        println!("cut {} bytes of a torn write off {}", repair.bytes_cut, repair.file.display());
    }
    println!("devices: {}", hub.policy_connection_string());
    println!("reader:  {}", hub.event_hub_connection_string());
    println!("listening on {}", hub.address());
    Ok(hub)
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
