//! The log on disk: restarts, torn writes, damage, trimming, and a disk that refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fieldcast_iot_hub::{Durability, Hub, HubConfig, HubError, Retention, StatusCode};
use tempfile::TempDir;

use crate::support::{TestHub, config, events, numbers, refusal, texts};

/// `sensor-1` belongs to partition 3 of 4.
const PARTITION: usize = 3;

fn on(folder: &TempDir) -> HubConfig {
    HubConfig { data_dir: Some(folder.path().to_owned()), ..config() }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn fill(folder: &TempDir, count: usize) {
    let test = TestHub::with(on(folder)).await;
    for index in 0..count {
        test.send("sensor-1", index.to_string()).await;
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join(format!("partition-{PARTITION}"))).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn only_file(folder: &TempDir) -> PathBuf {
    let mut files = files(folder.path());
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[tokio::test]
async fn numbers_offsets_and_times_go_on_after_a_restart() {
    let folder = folder();
    for durability in [Durability::ProcessCrash, Durability::PowerLoss] {
        let test = TestHub::with(HubConfig { durability, ..on(&folder) }).await;
        assert!(test.hub.repairs().is_empty());
        test.send("sensor-1", "one").await;
        test.send("sensor-1", "two").await;
        assert_eq!(test.hub.accepted(), 2);
        test.hub.stop().await;
    }
    let test = TestHub::with(on(&folder)).await;
    test.send("sensor-1", "last").await;
    let stored = test.partition(PARTITION).await;
    assert_eq!(numbers(&stored), [0, 1, 2, 3, 4]);
    assert_eq!(texts(&stored), ["one", "two", "one", "two", "last"]);
    let offsets: Vec<u64> =
        stored.iter().map(|e| e["offset"].as_str().expect("text").parse().expect("a number")).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    let times: Vec<&str> = stored.iter().map(|e| e["enqueuedTime"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn a_dropped_hub_leaves_everything_acknowledged() {
    let folder = folder();
    fill(&folder, 5).await;
    let test = TestHub::with(on(&folder)).await;
    assert_eq!(numbers(&test.partition(PARTITION).await), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_torn_last_record_is_cut_off_wherever_it_tore() {
    let whole = folder();
    fill(&whole, 3).await;
    let bytes = fs::read(only_file(&whole)).expect("a log");
    let name = only_file(&whole).file_name().expect("a name").to_owned();
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("three lines") + 1;
    for kept in [last + 1, last + 9, usize::midpoint(last, bytes.len()), bytes.len() - 1] {
        let folder = folder();
        fill(&folder, 0).await;
        let file = files(folder.path()).pop().expect("an empty log").with_file_name(&name);
        fs::write(&file, &bytes[..kept]).expect("written");
        let test = TestHub::with(on(&folder)).await;
        let repairs = test.hub.repairs();
        assert_eq!(repairs.len(), 1);
        assert_eq!((&repairs[0].file, repairs[0].next_sequence_number), (&file, 2));
        assert_eq!(repairs[0].bytes_cut, (kept - last) as u64);
        test.send("sensor-1", "new").await;
        assert_eq!(texts(&test.partition(PARTITION).await), ["0", "1", "new"]);
        test.hub.stop().await;
        let test = TestHub::with(on(&folder)).await;
        assert!(test.hub.repairs().is_empty());
        assert_eq!(numbers(&test.partition(PARTITION).await), [0, 1, 2]);
    }
}

#[tokio::test]
async fn rubbish_behind_the_last_record_is_cut_off() {
    for rubbish in [vec![0; 4096], b"garbage\nmore garbage\n".to_vec(), vec![b'\n']] {
        let folder = folder();
        fill(&folder, 2).await;
        let file = only_file(&folder);
        let bytes = fs::read(&file).expect("a log");
        fs::write(&file, [bytes.as_slice(), rubbish.as_slice()].concat()).expect("written");
        let test = TestHub::with(on(&folder)).await;
        assert_eq!(test.hub.repairs()[0].bytes_cut, rubbish.len() as u64);
        test.send("sensor-1", "new").await;
        assert_eq!(texts(&test.partition(PARTITION).await), ["0", "1", "new"]);
    }
}

#[tokio::test]
async fn damage_before_whole_records_stops_the_start_and_names_the_file() {
    let folder = folder();
    fill(&folder, 5).await;
    let file = only_file(&folder);
    let bytes = fs::read(&file).expect("a log");
    let second = bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    let mut damaged = bytes.clone();
    damaged[second + 40] ^= 1;
    fs::write(&file, &damaged).expect("written");
    let error = Hub::start(on(&folder)).await.expect_err("refused");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    assert!(
        matches!(&error, HubError::Damaged { path, at, expected: 1 } if *path == file && *at == second as u64),
        "{error:?}"
    );
    assert_eq!(fs::read(&file).expect("a log"), damaged, "a refused log is left alone");
    fs::write(&file, &bytes).expect("written");
    assert_eq!(TestHub::with(on(&folder)).await.partition(PARTITION).await.len(), 5);
}

#[tokio::test]
async fn a_record_that_is_missing_in_the_middle_is_damage() {
    let folder = folder();
    fill(&folder, 3).await;
    let file = only_file(&folder);
    let text = fs::read_to_string(&file).expect("a log");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&file, format!("{}\n{}\n", lines[0], lines[2])).expect("written");
    let error = Hub::start(on(&folder)).await.expect_err("refused");
    assert!(matches!(error, HubError::Damaged { expected: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_log_that_changes_under_a_running_hub_is_an_error_and_not_nonsense() {
    let folder = folder();
    let test = TestHub::with(on(&folder)).await;
    test.send("sensor-1", "one").await;
    let file = only_file(&folder);
    let mut bytes = fs::read(&file).expect("a log");
    bytes[40] ^= 1;
    fs::write(&file, &bytes).expect("written");
    let read = async || {
        let url = test.url(&format!("/$events/fieldcast/partitions/{PARTITION}"));
        refusal(test.http.get(url).send().await.expect("an answer")).await
    };
    let (status, _, text) = read().await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains(&file.display().to_string()), "{text}");
    fs::write(&file, "").expect("written");
    assert_eq!(read().await.0, StatusCode::INTERNAL_SERVER_ERROR);
    fs::remove_file(&file).expect("removed");
    assert_eq!(read().await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_folder_belongs_to_one_hub_and_one_number_of_partitions() {
    let folder = folder();
    let test = TestHub::with(on(&folder)).await;
    let error = Hub::start(on(&folder)).await.expect_err("refused");
    assert!(matches!(&error, HubError::FolderInUse { path } if path == folder.path()), "{error:?}");
    test.hub.stop().await;
    let error = Hub::start(HubConfig { partitions: 8, ..on(&folder) }).await.expect_err("refused");
    assert!(matches!(error, HubError::PartitionCount { kept: 4, asked: 8, .. }), "{error:?}");
    TestHub::with(on(&folder)).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let error =
        Hub::start(HubConfig { data_dir: Some(file.clone()), ..config() }).await.expect_err("refused");
    assert!(error.to_string().contains(&file.display().to_string()), "{error}");
}

fn small(folder: &TempDir) -> HubConfig {
    HubConfig { retention: Retention { bytes: 16 << 10, ..Retention::default() }, ..on(folder) }
}

fn size(folder: &Path) -> u64 {
    files(folder).iter().map(|file| file.metadata().expect("a file").len()).sum()
}

#[tokio::test]
async fn the_oldest_events_go_when_there_are_too_many_and_numbers_go_on() {
    let folder = folder();
    let test = TestHub::with(small(&folder)).await;
    for index in 0..100 {
        test.send("sensor-1", index.to_string()).await;
    }
    let answer = test.read(PARTITION, "from=0&max=1000").await;
    let kept = numbers(&events(&answer));
    let first = answer["first"].as_u64().expect("a number");
    assert!(first > 0 && kept == (first..100).collect::<Vec<_>>(), "{kept:?}");
    assert!(size(folder.path()) <= 16 << 10, "{}", size(folder.path()));
    assert!(kept.len() > 20, "7/8 of 16 KiB are some 25 events, {} are left", kept.len());
    test.hub.stop().await;
    let test = TestHub::with(small(&folder)).await;
    test.send("sensor-1", "after").await;
    let answer = test.read(PARTITION, "from=50&max=1000").await;
    assert_eq!(answer["last"], 100);
    assert_eq!(texts(&events(&answer)).last().map(String::as_str), Some("after"));
}

#[tokio::test]
async fn memory_is_bounded_too() {
    let retention = Retention { bytes: 16 << 10, ..Retention::default() };
    let test = TestHub::with(HubConfig { retention, ..config() }).await;
    for index in 0..100 {
        test.send("sensor-1", index.to_string()).await;
    }
    let answer = test.read(PARTITION, "from=0&max=1000").await;
    let kept = numbers(&events(&answer));
    let first = answer["first"].as_u64().expect("a number");
    assert!(first > 50 && kept == (first..100).collect::<Vec<_>>(), "{kept:?}");
}

#[tokio::test]
async fn old_events_go_by_age_but_never_the_newest_file() {
    let folder = folder();
    let age = |age| HubConfig { retention: Retention { age, bytes: 8 << 10 }, ..on(&folder) };
    let test = TestHub::with(age(Duration::from_hours(1))).await;
    for index in 0..8 {
        test.send("sensor-1", index.to_string()).await;
    }
    assert!(files(folder.path()).len() > 1);
    test.hub.stop().await;
    let test = TestHub::with(age(Duration::ZERO)).await;
    test.send("sensor-1", "new").await;
    let kept = test.partition(PARTITION).await;
    assert_eq!(files(folder.path()).len(), 1);
    assert_eq!(numbers(&kept).last(), Some(&8));
}

#[tokio::test]
async fn a_file_that_was_moved_away_leaves_a_gap_and_no_more() {
    let folder = folder();
    let test = TestHub::with(small(&folder)).await;
    for index in 0..20 {
        test.send("sensor-1", index.to_string()).await;
    }
    test.hub.stop().await;
    let files = files(folder.path());
    assert!(files.len() > 2, "{files:?}");
    fs::remove_file(&files[1]).expect("removed");
    let test = TestHub::with(small(&folder)).await;
    let kept = numbers(&test.partition(PARTITION).await);
    assert!(
        kept.is_sorted() && kept.first() == Some(&0) && kept.last() == Some(&19) && kept.len() < 20,
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_torn_record_with_another_file_behind_it_is_damage() {
    let folder = folder();
    let test = TestHub::with(small(&folder)).await;
    for index in 0..10 {
        test.send("sensor-1", index.to_string()).await;
    }
    test.hub.stop().await;
    let older = files(folder.path()).remove(0);
    let bytes = fs::read(&older).expect("a log");
    fs::write(&older, &bytes[..bytes.len() - 1]).expect("written");
    let error = Hub::start(small(&folder)).await.expect_err("refused");
    assert!(matches!(&error, HubError::Damaged { path, .. } if *path == older), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged() {
    let folder = folder();
    let test = TestHub::with(small(&folder)).await;
    for index in 0..6 {
        test.send("sensor-1", index.to_string()).await;
    }
    let partition = folder.path().join(format!("partition-{PARTITION}"));
    let away = folder.path().join("away");
    fs::rename(&partition, &away).expect("moved");
    // The open file still takes a few events; then a new one is needed, and there is no folder for it.
    let mut acknowledged = 6;
    let refused = loop {
        let answer = test.device_post("sensor-1").body("x").send().await.expect("an answer");
        if answer.status() != StatusCode::NO_CONTENT {
            break refusal(answer).await;
        }
        acknowledged += 1;
        assert!(acknowledged < 100);
    };
    assert_eq!((refused.0, refused.1.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"));
    assert_eq!(test.hub.accepted(), acknowledged);
    fs::rename(&away, &partition).expect("moved back");
    test.send("sensor-1", "again").await;
    let stored = numbers(&test.partition(PARTITION).await);
    assert_eq!(stored, (0..=acknowledged).collect::<Vec<_>>());
}
