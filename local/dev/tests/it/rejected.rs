//! `cargo dev rejected`: what was rejected, for people and as a file.

use std::{path::Path, sync::Arc, time::Duration};

use fieldcast::{
    primitives::ids::{HubPartition, Position},
    primitives::instant::Millis,
    rejected::{
        body::{RejectedBody, RejectedElements},
        reading::{Reason, Rejection},
        rows::RejectedRows,
    },
    store::{Store, shard::Shards},
};
use fieldcast_tables::EmbeddedStore;
use tokio::time::Instant;

use crate::{
    app::path,
    program::{self, Ended},
};

const BODY: &[u8] = b"[{\"temperature\":81},{},5]\xff";

fn body(sequence: i64, device: &str) -> RejectedBody {
    let mut rejected = RejectedElements::default();
    for (index, reason) in [(0, Reason::OutOfRange), (2, Reason::WrongType)] {
        let rejection =
            Rejection { device: Some(device.to_owned()), ..Rejection::new(reason, format!("bad {index}")) };
        rejected.reject(index, rejection, || b"\x1b[31m81".to_vec());
    }
    let at = 1_732_150_631_123 + sequence * 3_600_000;
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", "3"), sequence: Some(sequence) },
        enqueued_at: Some(Millis(at)),
        rejected_at: Millis(at + 5),
        body: BODY.into(),
        body_length: BODY.len(),
        rejected,
    }
}

/// Rejected bodies in the store of `cargo dev up`.
async fn store(data: &Path, bodies: Vec<RejectedBody>) {
    let store = Store::new(Arc::new(EmbeddedStore::new(&data.join("state"))), Shards::new("Sydney", 1));
    let rows = RejectedRows::new(Arc::new(store));
    rows.keep(bodies, 7, Instant::now() + Duration::from_secs(30)).await.expect("they are new");
}

/// The program would block the thread that the store needs.
async fn rejected(data: &Path, more: &[&str]) -> Ended {
    let arguments = [&["rejected", "--storage", "embedded", "--data", path(data)], more].concat();
    let mut command = program::command(&arguments);
    command.env_remove("StorageConnectionString").env_remove("PartitionKey");
    tokio::task::spawn_blocking(move || program::finish(command)).await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_bodies_are_listed_newest_first() {
    let data = tempfile::tempdir().expect("a folder");
    store(data.path(), (0..30).map(|n| body(n, if n % 2 == 0 { "even" } else { "odd" })).collect()).await;
    let all = rejected(data.path(), &[]).await;
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), ""), "{}", all.stdout);
    let newest = "2024-11-22T05:57:11.123Z  hub/3 #29  odd, 26 bytes\n  out_of_range: 1 reading (0)\n  \
                  wrong_type: 1 reading (2)\n    0: bad 0\n       \u{fffd}[31m81\n    2: bad 2\n";
    assert!(all.stdout.starts_with(newest), "{}", all.stdout);
    assert!(all.stdout.contains("hub/3 #10 ") && !all.stdout.contains("hub/3 #9 "), "twenty of them");
    assert!(all.stdout.ends_with("there are more: --limit N lists N of them, --export FILE writes all\n"));
    let some = rejected(data.path(), &["--device", "even", "--since", "2024-11-22T03:30:00Z"]).await;
    let listed: Vec<&str> = some.stdout.lines().filter(|line| line.contains("hub/3")).collect();
    assert!(listed.len() == 1 && listed[0].contains("#28"), "{}", some.stdout);
    let nothing = rejected(data.path(), &["--device", "nobody"]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), "nothing was rejected\n"));
    let wrong = rejected(data.path(), &["--since", "yesterday"]).await;
    assert!(wrong.code == Some(2) && wrong.stderr.contains("neither a time such as"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_bodies_are_exported_with_their_bytes() {
    let data = tempfile::tempdir().expect("a folder");
    store(data.path(), (0..30).map(|n| body(n, "sensor-1")).collect()).await;
    let file = data.path().join("rejected.jsonl");
    let ended = rejected(data.path(), &["--export", path(&file)]).await;
    assert_eq!((ended.code, ended.stdout), (Some(0), format!("30 bodies written to {}\n", file.display())));
    let text = std::fs::read_to_string(&file).expect("it is there");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), 30);
    let first = &lines[0];
    assert_eq!(
        (&first["sequenceNumber"], &first["count"], &first["elements"], &first["bodyBase64"]),
        (&29.into(), &2.into(), &"0,2".into(), &"W3sidGVtcGVyYXR1cmUiOjgxfSx7fSw1Xf8=".into())
    );
    assert_eq!(first["reasons"], serde_json::json!({ "out_of_range": "0", "wrong_type": "2" }));
    let nowhere = rejected(data.path(), &["--export", "/nowhere/at/all"]).await;
    assert!(nowhere.complaint().contains("/nowhere/at/all cannot be written"), "{}", nowhere.stderr);
}
