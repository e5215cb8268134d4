//! The machine that figures were measured on, without which they cannot be compared.

use std::fs;

use serde::Serialize;
use tokio::process::Command;

use crate::process;

#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
}

impl Machine {
    pub(super) async fn this() -> Machine {
        let mut uname = Command::new("uname");
        uname.arg("-sr");
        Machine {
            processor: processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: process::captured(uname).await.unwrap_or_else(|| std::env::consts::OS.to_owned()),
        }
    }
}

fn processor() -> Option<String> {
    let told = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = told.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
