//! The replicas, wherever they run: what they follow, what they show, and what was wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fieldcast_test_clients::{Browser, NodeCrowd};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::PATIENCE;

pub(crate) enum Crowd {
    Node(NodeCrowd),
    Chromium(Browser),
}

/// What a replica says of itself, as `tests/clients/crowd.mjs` writes it.
#[derive(Deserialize)]
pub(crate) struct Member {
    name: String,
    following: Following,
    status: String,
    deaf: bool,
    wrongs: Vec<String>,
    /// How often each kind of trouble happened to it.
    troubles: BTreeMap<String, u32>,
    devices: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Following {
    areas: Vec<String>,
    devices: Vec<String>,
}

impl Following {
    fn takes(&self, device: &Value) -> bool {
        let is_one_of = |names: &[String], member: &str| names.iter().any(|name| device[member] == **name);
        let everything = self.areas.is_empty() && self.devices.is_empty();
        everything || is_one_of(&self.areas, "geo") || is_one_of(&self.devices, "deviceId")
    }
}

impl Member {
    /// What it lacks to be right; `None` when it shows just what the snapshot has of what it follows.
    pub(crate) fn lacks(&self, snapshot: &Value) -> Option<String> {
        let wanted =
            snapshot["devices"].as_array().unwrap().iter().filter(|device| self.following.takes(device));
        let wanted: BTreeMap<_, _> = wanted.map(shown).collect();
        let differs = |id: &&String| wanted.get(*id) != self.devices.get(*id);
        let different: BTreeSet<_> = wanted.keys().chain(self.devices.keys()).filter(differs).collect();
        if different.is_empty() && self.status == "live" && !self.deaf {
            return None;
        }
        let first = different
            .first()
            .map(|id| format!("{id} is {:?}, shows {:?}", wanted.get(*id), self.devices.get(*id)));
        let state = (&self.name, &self.status, if self.deaf { "deaf" } else { "hears" }, &self.following);
        Some(format!("{state:?}: {} devices differ; {}", different.len(), first.unwrap_or_default()))
    }
}

/// A device of the snapshot as members report it.
fn shown(device: &Value) -> (String, Value) {
    let id = device["deviceId"].as_str().unwrap().to_owned();
    let [geo, version, count, temperature] =
        ["geo", "version", "count", "temperature"].map(|name| device[name].clone());
    (id, json!({ "geo": geo, "version": version, "count": count, "temperature": temperature }))
}

/// Nothing was ever wrong, and every kind of trouble happened: else the run is worthless.
pub(crate) fn check(members: &[Member]) {
    let mut troubles = BTreeMap::new();
    for member in members {
        assert!(member.wrongs.is_empty(), "{}: {}", member.name, member.wrongs.join("; "));
        for (trouble, times) in &member.troubles {
            *troubles.entry(trouble).or_insert(0) += times;
        }
    }
    println!("{} replicas: {troubles:?}", members.len());
    assert!(troubles.values().all(|&times| times > 0));
}

impl Crowd {
    pub(crate) fn in_node(base: &str, seed: u32, size: usize) -> Crowd {
        built_module();
        Crowd::Node(NodeCrowd::spawn(base, seed, size).unwrap())
    }

    pub(crate) fn in_chromium(page: &str) -> Crowd {
        Crowd::Chromium(Browser::open(page).unwrap())
    }

    pub(crate) async fn report(&mut self) -> Vec<Member> {
        serde_json::from_value(self.ask("report").await).unwrap()
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn calm(&mut self) {
        self.ask("calm").await;
    }

    /// Some links bring nothing any more, and nobody says so.
    pub(crate) async fn deafen(&mut self) {
        self.ask("deafen").await;
    }

    pub(crate) async fn stop(self) {
        match self {
            Crowd::Node(node) => node.stop().await.unwrap(),
            Crowd::Chromium(browser) => browser.stop().await.unwrap(),
        }
    }

    async fn ask(&mut self, method: &str) -> Value {
        match self {
            Crowd::Node(node) => node.ask(method, PATIENCE).await.unwrap(),
            Crowd::Chromium(page) => {
                page.evaluate(&format!("crowd.{method}()"), PATIENCE).await.unwrap().unwrap()
            }
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The client module for Node; `cargo dev test` builds it.
fn built_module() -> PathBuf {
    let module = root().join("dashboard/dist-node/convergence.js");
    assert!(module.exists(), "the client module is not built; run `cargo dev test`");
    module
}

/// A folder with the page of `tests/clients/crowd-page.mjs` and all that it needs.
pub(crate) fn pages() -> TempDir {
    let (folder, clients) = (tempfile::tempdir().unwrap(), root().join("tests/clients"));
    let packages = clients.join("node_modules/@microsoft");
    for file in [
        clients.join("crowd.html"),
        clients.join("crowd.mjs"),
        clients.join("crowd-page.mjs"),
        clients.join("links.mjs"),
        clients.join("signalr-module.mjs"),
        packages.join("signalr/dist/browser/signalr.js"),
        packages.join("signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.js"),
    ] {
        std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    // A browser finds modules by address, not by name.
    let module = std::fs::read_to_string(built_module()).unwrap();
    let (named, addressed) = ("\"@microsoft/signalr\"", "\"./signalr-module.mjs\"");
    assert!(module.contains(named), "the module imports {named}");
    std::fs::write(folder.path().join("convergence.js"), module.replace(named, addressed)).unwrap();
    folder
}
