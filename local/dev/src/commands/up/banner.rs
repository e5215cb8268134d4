//! What `cargo dev up` prints when everything runs.

use super::stack::{Stack, Storage};
use crate::{
    text::say,
    workspace::{Workspace, shown},
};

/// Prints where everything is and what to try first.
pub(super) fn print(stack: &Stack, workspace: &Workspace) {
    let host = format!("http://{}", stack.host.address());
    let hub = format!("http://{}", stack.hub.address());
    let kept = match stack.storage {
        Storage::Embedded => "embedded store",
        Storage::Azurite => "Azurite",
    };
    let data = shown(&stack.data);
    say!("");
    say!("fieldcast is running");
    say!("");
    say!("  dashboard       {host}/");
    say!("  device states   {host}/api/getdevicestate");
    say!("  SignalR         {host}/api/negotiate, service at http://{}", stack.signalr.address());
    say!("  hub             {hub}, which takes any device with its key or the policy's:");
    say!("                  {}", stack.hub.policy_connection_string());
    say!("  fleet           {}", fleet(stack.fleet_size));
    say!("  kept in         {data} ({kept}); log in {data}/log.txt");
    say!("");
    say!(
        "  send a reading  cargo dev send --device sensor-1 '{{\"temperature\":21.5}}'{}",
        folder_flag(stack, workspace)
    );
    say!("  stop            Ctrl-C");
}

fn fleet(size: u16) -> String {
    match size {
        0 => "none".to_owned(),
        1 => "1 simulated device, a reading about every 2 s".to_owned(),
        _ => format!("{size} simulated devices, each a reading about every 2 s"),
    }
}

/// `cargo dev send` finds the hub through the data folder, so it needs the option when the folder is not the default.
fn folder_flag(stack: &Stack, workspace: &Workspace) -> String {
    if stack.data == workspace.default_data() {
        String::new()
    } else {
        format!(" --data {}", shown(&stack.data))
    }
}
