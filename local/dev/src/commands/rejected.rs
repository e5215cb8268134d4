//! `cargo dev rejected`: bodies of which something was rejected, for people, or as a file with their bytes.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use fieldcast::{
    primitives::instant::Millis,
    rejected::{
        body::{RejectedBody, Sample},
        rows::{ListQuery, Listed, RejectedRows},
    },
    store::{Store, layout, shard::Shards},
};
use fieldcast_tables::Deadline;
use serde_json::{Value, json};

use super::storage::{OpenedStorage, StorageOptions};
use crate::{
    text::{say, thousands},
    workspace::Workspace,
};

/// For one request; a long list takes several.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bodies that are listed when nothing else is said.
const USUAL_LIMIT: usize = 20;

/// Bodies that are read at once, and when they are enough.
const PAGE: usize = 500;
const ENOUGH_BYTES: usize = 8 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct Rejected {
    /// Only bodies of this device, as the first rejected reading of the body claims it
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Only what the hub has enqueued since: a time such as 2026-11-21T03:00:00Z, or so long ago, such as 90m, 12h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// At most so many bodies, the newest [default: 20; with --export all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Write them to this file instead, one JSON object a line, with the bytes that were sent as base64
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    #[command(flatten)]
    storage: StorageOptions,
}

/// A time, or so long before now.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Since {
    At(Millis),
    Ago(Duration),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        let ago = || {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let seconds: u64 = match unit {
                "m" => 60,
                "h" => 60 * 60,
                "d" => 24 * 60 * 60,
                _ => return None,
            };
            Some(Since::Ago(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?)))
        };
        let since = Millis::parse(text).map(Since::At).or_else(ago);
        since.ok_or_else(|| {
            "neither a time such as 2026-11-21T03:00:00Z nor one such as 90m, 12h or 7d".to_owned()
        })
    }
}

impl Since {
    fn time(self) -> Millis {
        match self {
            Since::At(time) => time,
            Since::Ago(ago) => {
                SystemTime::now().checked_sub(ago).map_or(Millis::default(), Millis::from_system)
            }
        }
    }
}

pub(crate) async fn run(options: Rejected, workspace: &Workspace) -> Result<ExitCode> {
    let storage = OpenedStorage::open(&options.storage, workspace, PATIENCE).await?;
    let told = tell(&options, &storage).await;
    storage.close().await?;
    told?;
    Ok(ExitCode::SUCCESS)
}

async fn tell(options: &Rejected, storage: &OpenedStorage) -> Result<()> {
    let shards =
        layout::recorded_shards(&storage.tables, &storage.partition_key, Deadline::after(PATIENCE)).await?;
    let store = Store::new(Arc::clone(&storage.tables), Shards::new(&storage.partition_key, shards));
    let rows = RejectedRows::new(Arc::new(store));
    let Some(file) = &options.export else {
        let told = each(&rows, options, options.limit.unwrap_or(USUAL_LIMIT), |body| {
            print(body);
            Ok(())
        });
        match told.await? {
            (0, _) => say!("nothing was rejected"),
            (_, true) => say!("there are more: --limit N lists N of them, --export FILE writes all"),
            (_, false) => {}
        }
        return Ok(());
    };
    let mut out = BufWriter::new(File::create(file).with_context(|| cannot_write(file))?);
    let limit = options.limit.unwrap_or(usize::MAX);
    let (bodies, _) = each(&rows, options, limit, |body| {
        writeln!(out, "{}", exported(body)).with_context(|| cannot_write(file))
    })
    .await?;
    out.flush().with_context(|| cannot_write(file))?;
    say!("{} bodies written to {}", thousands(u64::try_from(bodies)?), file.display());
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!("{} cannot be written", file.display())
}

/// Hands over the bodies that are wanted, newest first: how many, and whether there are more. Those whose time the hub did
/// not say come last, and are not looked for when only new ones are wanted.
async fn each(
    rows: &RejectedRows,
    options: &Rejected,
    limit: usize,
    mut take: impl FnMut(&RejectedBody) -> Result<()>,
) -> Result<(usize, bool)> {
    let since = options.since.map(Since::time);
    let mut query = ListQuery {
        device: options.device.clone(),
        after: None,
        limit: limit.min(PAGE),
        enough_bytes: ENOUGH_BYTES,
    };
    let mut taken = 0;
    loop {
        let deadline = (Instant::now() + PATIENCE).into();
        let Listed { bodies, next } = rows.list(&query, deadline).await?;
        let read = bodies.len();
        for (at, body) in bodies.iter().enumerate() {
            if since.is_some_and(|since| body.enqueued_at.is_none_or(|enqueued_at| enqueued_at < since)) {
                return Ok((taken, false));
            }
            take(body)?;
            taken += 1;
            if taken == limit {
                return Ok((taken, at + 1 < read || next.is_some()));
            }
        }
        match next {
            Some(_) => query.after = next,
            None => return Ok((taken, false)),
        }
    }
}

fn print(rejected: &RejectedBody) {
    let time = rejected.enqueued_at.unwrap_or(rejected.rejected_at).to_text();
    let sequence = rejected.position.sequence.map_or(String::new(), |sequence| format!(" #{sequence}"));
    let partition = printable(rejected.position.partition.as_str());
    let device = printable(rejected.device().unwrap_or("unknown device"));
    say!("{time}  {partition}{sequence}  {device}, {} bytes", thousands(rejected.body_length as u64));
    for (reason, elements) in rejected.rejected.by_reason() {
        /// Characters of the readings of a line.
        const MOST: usize = 80;
        say!("  {reason}: {} ({})", readings(elements.count()), elements.to_text(MOST));
    }
    for Sample { index, detail, text, .. } in rejected.rejected.samples() {
        say!("    {index}: {}", printable(detail));
        if !text.is_empty() {
            say!("       {}", printable(text));
        }
    }
}

fn readings(count: usize) -> String {
    match count {
        1 => "1 reading".to_owned(),
        _ => format!("{} readings", thousands(count as u64)),
    }
}

/// A text of a device, without what could steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn exported(rejected: &RejectedBody) -> Value {
    let first = rejected.rejected.first();
    let by_reason = rejected.rejected.by_reason().iter();
    let reasons: serde_json::Map<String, Value> = by_reason
        .map(|(reason, elements)| (reason.to_string(), json!(elements.to_text(usize::MAX))))
        .collect();
    let sample = |sample: &Sample| {
        let Sample { index, reason, detail, device, text } = sample;
        json!({ "reading": index, "reason": reason, "detail": detail, "deviceId": device, "text": text })
    };
    json!({
        "deviceId": rejected.device(),
        "reason": first.map(|first| &first.reason),
        "detail": first.map(|first| &first.detail),
        "count": rejected.rejected.count(),
        "elements": rejected.rejected.all().to_text(usize::MAX),
        "reasons": reasons,
        "samples": rejected.rejected.samples().iter().map(sample).collect::<Vec<_>>(),
        "partition": rejected.position.partition.as_str(),
        "sequenceNumber": rejected.position.sequence,
        "enqueuedAt": rejected.enqueued_at.map(Millis::to_text),
        "rejectedAt": rejected.rejected_at.to_text(),
        "bodyLength": rejected.body_length,
        "bodyBase64": STANDARD.encode(&rejected.body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_so_long_ago_is_understood() {
        assert_eq!("2024-11-21T00:57:11Z".parse(), Ok(Since::At(Millis(1_732_150_631_000))));
        assert_eq!("90m".parse(), Ok(Since::Ago(Duration::from_secs(90 * 60))));
        assert_eq!("7d".parse(), Ok(Since::Ago(Duration::from_secs(7 * 24 * 60 * 60))));
        for text in ["", "d", "7", "7w", "-1d", "yesterday", "1ü", "99999999999999999999d"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
