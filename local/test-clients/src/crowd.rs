//! Many replicas of the convergence protocol in one Node process; see `tests/clients/crowd-client.mjs`.

use crate::script::{ClientError, OnDrop, Script};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The process. Its replicas start at once; it is killed when dropped.
pub struct NodeCrowd {
    script: Script,
}

#[derive(Deserialize)]
struct Answer {
    value: Value,
}

impl NodeCrowd {
    /// Starts `size` replicas of the API at `base`; `seed` decides which faults happen. Needs a tokio runtime.
    ///
    /// # Errors
    /// Node or the npm packages are missing, or the process did not start.
    pub fn spawn(base: &str, seed: u32, size: usize) -> Result<NodeCrowd, ClientError> {
        let options = json!({ "base": base, "seed": seed, "size": size }).to_string();
        Ok(NodeCrowd { script: Script::spawn("crowd-client.mjs", &[&options], OnDrop::Kill)? })
    }

    /// Calls a method of the crowd, e.g. `report`.
    ///
    /// # Errors
    /// There was no answer before the deadline, or the process has ended.
    pub async fn ask(&mut self, method: &str, deadline: Duration) -> Result<Value, ClientError> {
        self.script.command(&json!({ "do": method })).await?;
        let Answer { value } = self.script.next(deadline).await?;
        Ok(value)
    }

    /// Ends the process and waits for its end.
    ///
    /// # Errors
    /// The process did not end and was killed.
    pub async fn stop(self) -> Result<(), ClientError> {
        self.script.stop().await
    }
}
