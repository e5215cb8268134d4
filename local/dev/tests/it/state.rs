//! `cargo dev state`: what a device's row holds, for people.

use std::{path::Path, sync::Arc, time::Duration};

use fieldcast::{
    devices::rows::{DeviceRows, Expect, Write},
    devices::state::{DeviceState, Latest, Stamp, Watermark},
    primitives::ids::{DeviceId, HubPartition},
    primitives::instant::Millis,
    store::{
        Store,
        shard::{Shard, Shards},
    },
    telemetry::catalogue::Catalogue,
};
use fieldcast_tables::EmbeddedStore;
use tokio::time::Instant;

use crate::{
    app::path,
    program::{self, Ended},
};

/// One device in the store of `cargo dev up`.
async fn store_one_device(data: &Path) {
    let catalogue = Arc::new(Catalogue::environment());
    let store = Store::new(Arc::new(EmbeddedStore::new(&data.join("state"))), Shards::new("Sydney", 1));
    let rows = DeviceRows::new(Arc::new(store), Arc::clone(&catalogue));
    let mut state = DeviceState::new(DeviceId::parse("sensor-1").expect("an id"), &catalogue);
    let partition = HubPartition::new("hub", "3");
    let stamp = Stamp { at: Millis(1_732_150_631_123), partition: partition.clone() };
    state.values[0] = Some(Latest { value: 21.5.into(), stamp: stamp.clone() });
    let watermark = Watermark { sequence: 4_711, enqueued_at: Some(stamp.at), began: None, at: stamp.at };
    state.watermarks = [(partition.clone(), watermark)].into_iter().collect();
    state.verdicts.reject(&partition, 4_711, 2);
    (state.reported, state.measured) = (Some(stamp.clone()), Some(stamp));
    (state.count, state.version) = (7, 5);
    let write = Write { state, expect: Expect::Absent };
    rows.commit(Shard(0), &[write], Instant::now() + Duration::from_secs(30)).await.expect("a new row");
}

/// The program would block the thread that the store needs.
async fn state(device: &str, data: &Path) -> Ended {
    let arguments = ["state", device, "--storage", "embedded", "--data", path(data)];
    let mut command = program::command(&arguments);
    command.env_remove("StorageConnectionString").env_remove("PartitionKey");
    tokio::task::spawn_blocking(move || program::finish(command)).await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_printed_unpacked() {
    let data = tempfile::tempdir().expect("a folder");
    store_one_device(data.path()).await;
    let ended = state("sensor-1", data.path()).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    for line in [
        "row \"sensor-1\" of partition \"Sydney\"",
        "Celsius          21.5",
        "Count            7",
        "version          5",
        "partition hub/3: events up to 4711, enqueued 2024-11-21T00:57:11.123Z",
        "newest reading   2024-11-21T00:57:11.123Z from hub/3",
        "rejected: event 4711 of hub/3, readings [2]",
    ] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    let nobody = state("nobody", data.path()).await;
    assert!(nobody.complaint().contains("there is no row of device nobody"), "{}", nobody.stderr);
}
