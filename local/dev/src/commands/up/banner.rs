//! What `cargo dev up` says once everything runs.

use super::stack::{Stack, Storage};
use crate::workspace::{Workspace, shown};

/// Prints where everything is and what to try first.
pub(super) fn print(stack: &Stack, workspace: &Workspace) {
    let host = format!("http://{}", stack.host.address());
    let hub = format!("http://{}", stack.hub.address());
    let kept = match stack.storage {
        Storage::Embedded => "embedded store",
        Storage::Azurite => "Azurite",
    };
    let data = shown(&stack.data);
    println!();
    println!("fieldcast is running");
    println!();
    println!("  dashboard       {host}/");
    println!("  device states   {host}/api/getdevicestate");
    println!(
        "  SignalR         {host}/api/negotiate, service at http://{}",
        stack.signalr.address()
    );
    println!("  hub             {hub}, which takes any device with its key or the policy's:");
    println!("                  {}", stack.hub.policy_connection_string());
    println!("  fleet           {}", fleet(stack.fleet_size));
    println!("  kept in         {data} ({kept}); log in {data}/log.txt");
    println!();
    println!(
        "  send a reading  cargo dev send --device sensor-1 '{{\"temperature\":21.5}}'{}",
        folder_flag(stack, workspace)
    );
    println!("  stop            Ctrl-C");
}

fn fleet(size: u16) -> String {
    match size {
        0 => "none".to_owned(),
        1 => "1 simulated device, a reading about every 2 s".to_owned(),
        _ => format!("{size} simulated devices, each a reading about every 2 s"),
    }
}

/// `cargo dev send` finds the hub through the data folder, so it must be told one that is not the usual.
fn folder_flag(stack: &Stack, workspace: &Workspace) -> String {
    if stack.data == workspace.default_data() {
        String::new()
    } else {
        format!(" --data {}", shown(&stack.data))
    }
}
