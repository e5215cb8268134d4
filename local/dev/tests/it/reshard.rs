//! `cargo dev reshard` as it is run by hand: its output, and that it can be killed at any moment and run again.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command},
    sync::Arc,
    time::{Duration, Instant},
};

use fieldcast::{
    devices::rows::{DeviceRows, Expect, Loaded, MOST_WRITES, Write},
    devices::state::DeviceState,
    primitives::ids::DeviceId,
    store::{Store, shard::Shards},
    telemetry::catalogue::Catalogue,
};
use fieldcast_azurite::Azurite;
use fieldcast_tables::{
    AzureTables, ConnectionString, Deadline, EmbeddedStore, Entity, Operation, Query, Table, TableName,
};

use crate::{
    app::path,
    program::{self, Ended},
};

const ROWS: u16 = 2_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn device(number: u16) -> String {
    format!("sensor-{number}")
}

/// Without the settings of the developer who runs the tests.
fn command(arguments: &[&str]) -> Command {
    let mut command = program::command(&[&["reshard"], arguments].concat());
    command.env_remove("StorageConnectionString").env_remove("PartitionKey");
    command
}

/// The program would block the thread that the connection needs.
async fn reshard(arguments: &[&str]) -> Ended {
    let command = command(arguments);
    tokio::task::spawn_blocking(move || program::finish(command)).await.expect("it runs")
}

fn table(azurite: &Azurite) -> Table {
    let connection = ConnectionString::parse(&azurite.connection_string()).expect("it is one");
    let http = fieldcast::https::client(fieldcast::https::Peers::Local).expect("a client");
    Table::new(Arc::new(AzureTables::new(connection, http)), TableName::new("DeviceState").expect("a name"))
}

async fn write_rows(table: &Table, rows: u16) {
    table.create(Deadline::after(PATIENCE)).await.expect("the table is made");
    let row =
        |number| Operation::Insert(Entity::new("Perth", device(number)).with("Count", i64::from(number)));
    for group in (0..rows).map(row).collect::<Vec<_>>().chunks(100) {
        table.transact(group.to_vec(), Deadline::after(PATIENCE)).await.expect("new rows");
    }
}

/// Partition and count of each device; none has two rows.
async fn read_rows(table: &Table) -> BTreeMap<String, (String, i64)> {
    let mut rows = BTreeMap::new();
    for row in table.query_all(&Query::everything(), Deadline::after(PATIENCE)).await.expect("rows") {
        let count = row.entity.get("Count").and_then(fieldcast_tables::Value::as_i64).expect("a count");
        let twice = rows.insert(row.entity.row, (row.entity.partition, count));
        assert_eq!(twice, None);
    }
    rows
}

fn expected(rows: u16, to: u16) -> BTreeMap<String, (String, i64)> {
    let shards = Shards::new("Perth", to);
    let row = |number| {
        let id = DeviceId::parse(&device(number)).expect("an id");
        (device(number), (shards.key(shards.of(&id)), i64::from(number)))
    };
    (0..rows).map(row).collect()
}

/// Kills the child when it has printed `lines` lines of progress. Returns whether it was still running.
fn kill_after(mut child: Child, lines: usize) -> bool {
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let said = stdout.lines().map_while(Result::ok).filter(|line| line.starts_with("moved ")).take(lines);
    assert_eq!(said.count(), lines, "it said less");
    child.kill().expect("it is our child");
    child.wait().expect("it is our child").code().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_moves_rows_it_goes_on_when_run_again() {
    let azurite = Azurite::start(None).unwrap_or_else(|error| panic!("{error}"));
    let (table, connection) = (table(&azurite), azurite.connection_string());
    write_rows(&table, ROWS).await;
    let mut killed = 0;
    for (lines, to) in [(1, 4), (3, 5), (5, 3), (7, 1), (9, 6)] {
        let to_text = to.to_string();
        let arguments = ["--to", &to_text, "--partition-key", "Perth", "--storage", &connection];
        let command = command(&arguments);
        let kill =
            move |mut command: Command| kill_after(command.spawn().expect("the program starts"), lines);
        killed += usize::from(tokio::task::spawn_blocking(move || kill(command)).await.expect("it runs"));

        let ended = reshard(&arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(
            read_rows(&table).await == expected(ROWS, to),
            "a row is not as it was, or not where it belongs"
        );
    }
    assert!(killed >= 3, "most runs were killed before they had ended: {killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_it_did_and_what_to_do_next() {
    let azurite = Azurite::start(None).unwrap_or_else(|error| panic!("{error}"));
    let (table, connection) = (table(&azurite), azurite.connection_string());
    write_rows(&table, 20).await;
    // The settings come from the file that `func start` reads, and the app's folder is not the current one.
    let app = tempfile::tempdir().expect("a folder");
    let settings =
        serde_json::json!({"Values": {"StorageConnectionString": connection, "PartitionKey": "Perth"}});
    fs::write(app.path().join("local.settings.json"), settings.to_string()).expect("a new file");

    let ended = reshard(&["--to", "2", "--app", path(app.path())]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.contains("moved 20 of 20 rows\n"), "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with(
            "spread over 2 partitions instead of 1: 20 rows moved, 0 stood there already\n\
             checked: 20 rows with 190 readings, as before\n\
             now set PartitionShards to 2 and start the app\n"
        ),
        "{}",
        ended.stdout
    );
    assert_eq!(read_rows(&table).await, expected(20, 2));

    let again = reshard(&["--to", "2", "--app", path(app.path())]).await;
    assert_eq!(again.stdout, "nothing to do: the device rows are spread over 2 partitions already\n");

    let ended = reshard(&["--to", "4", "--app", path(app.path()), "--partition-key", "Pert"]).await;
    assert!(ended.complaint().contains("\"Pert\": check the settings"), "{}", ended.stderr);
}

#[tokio::test]
async fn without_a_storage_the_ways_to_name_one_are_told() {
    let app = tempfile::tempdir().expect("a folder");
    let ended = reshard(&["--to", "4", "--app", path(app.path())]).await;
    let complaint = ended.complaint();
    assert!(
        complaint.contains("StorageConnectionString") && complaint.contains("--storage embedded"),
        "{complaint}"
    );
}

fn embedded(data: &Path, shards: &Shards) -> DeviceRows {
    let store = Store::new(Arc::new(EmbeddedStore::new(&data.join("state"))), shards.clone());
    DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + PATIENCE
}

async fn fill(store: &DeviceRows, shards: &Shards) {
    for shard in shards.all() {
        let write = |number| {
            let id = DeviceId::parse(&device(number)).expect("an id");
            let mut state = DeviceState::new(id, &Catalogue::environment());
            state.count = i64::from(number);
            Write { state, expect: Expect::Absent }
        };
        let writes: Vec<Write> =
            (0..ROWS).map(write).filter(|write| shards.of(&write.state.device) == shard).collect();
        for writes in writes.chunks(MOST_WRITES) {
            store.commit(shard, writes, soon()).await.expect("new rows");
        }
    }
}

async fn counts(store: &DeviceRows, shards: &Shards) -> Vec<i64> {
    let mut counts = Vec::new();
    for number in 0..ROWS {
        let id = DeviceId::parse(&device(number)).expect("an id");
        match store.load(shards.of(&id), &[id], soon()).await.expect("it opens").remove(0) {
            Loaded::Found(stored) => counts.push(stored.state.count),
            other => panic!("{}: {other:?}", device(number)),
        }
    }
    counts
}

/// Kills the child as soon as it has written to the store.
fn kill_at_first_write(mut child: Child, file: &Path) {
    let modified = || fs::metadata(file).and_then(|metadata| metadata.modified()).expect("the file is there");
    let (before, deadline) = (modified(), Instant::now() + PATIENCE);
    while modified() == before && child.try_wait().expect("it is our child").is_none() {
        assert!(Instant::now() < deadline, "it writes nothing");
        std::thread::yield_now();
    }
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_up_survives_being_killed_in_the_middle() {
    let data = tempfile::tempdir().expect("a folder");
    let one = Shards::new("Sydney", 1);
    let store = embedded(data.path(), &one);
    fill(&store, &one).await;
    drop(store);
    let expected: Vec<i64> = (0..ROWS).map(i64::from).collect();
    for to in [4, 3, 1, 8, 2] {
        let to_text = to.to_string();
        let arguments = ["--to", &to_text, "--storage", "embedded", "--data", path(data.path())];
        let command = command(&arguments);
        let file = data.path().join("state/rows.redb");
        let kill = move |mut command: Command| {
            kill_at_first_write(command.spawn().expect("the program starts"), &file);
        };
        tokio::task::spawn_blocking(move || kill(command)).await.expect("it runs");

        let ended = reshard(&arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let shards = Shards::new("Sydney", to);
        let store = embedded(data.path(), &shards);
        assert!(counts(&store, &shards).await == expected, "a count was lost on the way to {to}");
    }
}

#[tokio::test]
async fn a_store_that_is_in_use_is_left_alone() {
    let data = tempfile::tempdir().expect("a folder");
    let one = Shards::new("Sydney", 1);
    let store = embedded(data.path(), &one);
    fill(&store, &one).await;
    let arguments = ["--to", "4", "--storage", "embedded", "--data", path(data.path())];
    let ended = reshard(&arguments).await;
    assert!(ended.complaint().contains("another process has it open"), "{}", ended.stderr);
    assert_eq!(counts(&store, &one).await.len(), usize::from(ROWS));
}
