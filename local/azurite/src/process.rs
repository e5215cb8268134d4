//! One Azurite process on a free loopback port.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::error::AzuriteError;
use crate::install::entry_point;
use crate::output::Output;
use crate::package;

/// The account and key that Microsoft documents for Azurite; they protect nothing.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azurite starts within about a second; this is for a machine that is busy with builds and tests.
const START_LIMIT: Duration = Duration::from_secs(120);

/// Writing the data file takes milliseconds; after this time it hangs.
const SAVE_LIMIT: Duration = Duration::from_secs(5);

/// A running `azurite-table` process.
///
/// Without a data folder everything is in memory. With one, dropping the value waits until Azurite has written its
/// data, because by itself it saves only every five seconds.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    port: u16,
    output: Output,
    kept: Kept,
}

/// Where the tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    InMemory,
    OnDisk,
}

impl Azurite {
    /// Starts Azurite and waits until it listens. `data` is a folder (made if missing) that keeps the tables
    /// between starts; `None` keeps them in memory.
    ///
    /// # Errors
    /// Each [`AzuriteError`] except `InstallFailed`.
    pub fn start(data: Option<&Path>) -> Result<Azurite, AzuriteError> {
        let mut child = command(&entry_point(package::folder())?, data)
            .spawn()
            .map_err(|source| AzuriteError::NodeMissing { program: "node", source })?;
        let kept = if data.is_some() { Kept::OnDisk } else { Kept::InMemory };
        // From now on dropping the value ends the process, also after an error.
        let output = Output::read(&mut child);
        let mut azurite = Azurite { child, port: 0, output, kept };
        azurite.port = azurite.wait_for_port()?;
        Ok(azurite)
    }

    /// The loopback port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection string for the development account at this process.
    #[must_use]
    pub fn connection_string(&self) -> String {
        let port = self.port;
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};\
             TableEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
        )
    }

    fn wait_for_port(&mut self) -> Result<u16, AzuriteError> {
        self.output.wait_for(Instant::now() + START_LIMIT, port_in).map_err(|why| {
            let output = self.output.last_lines();
            match why {
                RecvTimeoutError::Timeout => AzuriteError::TooSlow { waited: START_LIMIT, output },
                RecvTimeoutError::Disconnected => AzuriteError::Ended { output },
            }
        })
    }

    /// Closing its input asks Azurite to save and end; its output closes when it has.
    fn save(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.output.wait_for(Instant::now() + SAVE_LIMIT, |_| None::<()>);
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        if self.kept == Kept::OnDisk {
            self.save();
        }
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(entry_point: &Path, data: Option<&Path>) -> Command {
    let mut command = Command::new("node");
    command.arg("--require").arg(package::folder().join("attach.cjs")).arg(entry_point);
    command.args(["--tableHost", "127.0.0.1", "--tablePort", "0"]);
    command.args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"]);
    match data {
        Some(folder) => command.arg("--location").arg(folder),
        None => command.arg("--inMemoryPersistence"),
    };
    // The developer's own accounts or Node options must not change what is tested.
    command.env_remove("AZURITE_ACCOUNTS").env_remove("NODE_OPTIONS");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    keep_from_terminal(&mut command);
    command
}

/// Ctrl-C goes to the whole foreground group. In its own group, Azurite outlives the processes that write to it while
/// they stop.
#[cfg(unix)]
fn keep_from_terminal(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn keep_from_terminal(_: &mut Command) {}

/// The line that `attach.cjs` prints.
fn port_in(line: &str) -> Option<u16> {
    line.strip_prefix("listening on port ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azurite_can_be_shared_between_threads() {
        fn assert_shareable<T: Send + Sync>() {}
        assert_shareable::<Azurite>();
    }

    /// The same happens when the process that started it ends, because that closes the pipe.
    #[test]
    fn azurite_ends_by_itself_when_its_input_closes() {
        let mut azurite = Azurite::start(None).unwrap_or_else(|error| panic!("{error}"));
        drop(azurite.child.stdin.take());
        let ended = azurite.output.wait_for(Instant::now() + START_LIMIT, |_| None::<()>);
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
        assert!(azurite.child.wait().unwrap().success());
    }

    #[test]
    fn process_that_ends_early_is_reported_with_its_output() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Azurite::start(Some(file.path())).unwrap_err();
        assert!(matches!(error, AzuriteError::Ended { .. }), "{error:?}");
        assert!(error.to_string().contains("Exiting due to an unhandled error"), "{error}");
    }
}
