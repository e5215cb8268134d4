//! A writer that is killed again and again: this test binary starts itself as the writer.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use fieldcast_tables::{EmbeddedStore, TableStore, suite::kill};

/// Tells the started process which folder to write to.
const FOLDER: &str = "FIELDCAST_TABLES_KILL_FOLDER";
/// Marks a line of the writer among those of the test harness.
const MARK: &str = "acknowledged ";
const ROUNDS: u32 = 15;

fn store(folder: &Path) -> Arc<dyn TableStore> {
    Arc::new(EmbeddedStore::new(folder))
}

/// Does nothing unless it is the started process.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a process that is started is told by its environment")]
async fn writer() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    kill::write_for_ever(store(Path::new(&folder)), |number| println!("\n{MARK}{number}")).await;
}

/// The started process; it ends with this value.
struct Writer {
    process: Child,
    numbers: Receiver<i64>,
}

impl Writer {
    fn start(folder: &Path) -> Writer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::writer", "--nocapture"]).env(FOLDER, folder);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, numbers) = mpsc::channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        std::thread::spawn(move || forward(lines, &sender));
        Writer { process, numbers }
    }

    /// Kills it and returns the last number that it acknowledged, 0 if none.
    fn kill(&mut self) -> i64 {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.numbers.iter().last().unwrap_or(0)
    }
}

fn forward(lines: Lines<BufReader<ChildStdout>>, sender: &mpsc::Sender<i64>) {
    for line in lines.map_while(Result::ok) {
        let number = line.strip_prefix(MARK).map(|number| number.parse().unwrap());
        if number.is_some_and(|number| sender.send(number).is_err()) {
            return;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_writer_that_is_killed_leaves_whole_transactions_and_all_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut there = 0;
    for round in 0..ROUNDS {
        let mut writer = Writer::start(folder.path());
        let first = writer.numbers.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(first, there + 1, "it went on from elsewhere");
        // Wherever it is after so many microseconds, no two rounds alike.
        let moment = Instant::now() + Duration::from_micros(u64::from(round) * 1_777 % 9_973);
        let mut acknowledged = first;
        while let Ok(number) = writer.numbers.recv_timeout(moment.saturating_duration_since(Instant::now())) {
            acknowledged = number;
        }
        let acknowledged = acknowledged.max(writer.kill());
        there = kill::verify(store(folder.path()), acknowledged).await;
    }
}
