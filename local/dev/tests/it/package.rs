//! `cargo dev package` makes an app that runs anywhere and contains only its own files.

use std::{
    fs::{self, File},
    io,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};
use zip::ZipArchive;

use crate::{
    app::{self, path},
    http, program,
    running::wait_until,
};

const FILES: [&str; 5] = [
    "EnvironmentEventTrigger/function.json",
    "fieldcast",
    "getdevicestate/function.json",
    "host.json",
    "negotiate/function.json",
];

/// One file of a package.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    mode: u32,
}

fn mode_wanted(name: &str) -> u32 {
    if name == "fieldcast" { 0o755 } else { 0o644 }
}

#[test]
fn folder_and_zip_hold_the_same_files_with_the_right_modes() -> Result<()> {
    let dist = app::package();
    let in_folder = entries_below(dist, dist)?;
    assert_eq!(in_folder, entries_in(&dist.with_file_name("fieldcast.zip"))?);
    for Entry { name, mode } in &in_folder {
        assert_eq!(*mode, mode_wanted(name), "{name}");
    }
    for file in FILES {
        assert!(in_folder.iter().any(|entry| entry.name == file), "{file} is missing in {in_folder:?}");
    }
    Ok(())
}

#[test]
fn a_secret_beside_the_app_never_travels_with_it() -> Result<()> {
    let app = app::copy();
    for secret in ["local.settings.json", ".env", "negotiate/key.pem", "notes/secret.txt"] {
        fs::create_dir_all(app.path().join("notes"))?;
        fs::write(app.path().join(secret), "{}")?;
    }
    let out = app.path().join("dist");
    let ended = program::run(&["package", "--app", path(app.path()), "--out", path(&out)]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let wanted = FILES.map(|name| Entry { name: name.to_owned(), mode: mode_wanted(name) });
    assert_eq!(entries_below(&out, &out)?, wanted);
    assert_eq!(entries_in(&app.path().join("fieldcast.zip"))?, wanted);
    Ok(())
}

#[test]
fn packaging_twice_gives_the_same_zip() -> Result<()> {
    let first = fs::read(app::package().with_file_name("fieldcast.zip"))?;
    let folder = tempfile::tempdir()?;
    let ended = program::run(&["package", "--out", path(&folder.path().join("dist"))]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(first == fs::read(folder.path().join("fieldcast.zip"))?, "the zips differ");
    Ok(())
}

#[test]
fn a_folder_with_other_things_is_left_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("thesis.txt"), "years of work")?;
    let ended = program::run(&["package", "--out", path(folder.path())]);
    assert!(ended.complaint().contains("name a new or empty folder"), "{}", ended.stderr);
    assert!(folder.path().join("thesis.txt").exists());
    Ok(())
}

/// An empty root without a C library, certificates, a resolver's configuration, devices or a shell: anything that the
/// handler needs from its system is missing here. `negotiate` draws random numbers.
#[test]
fn the_packaged_handler_answers_in_an_empty_root() -> Result<()> {
    let root = tempfile::tempdir()?;
    unpack(&app::package().with_file_name("fieldcast.zip"), root.path())?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut handler = Handler(start_in(root.path(), port)?);
    let answer = wait_until(|| {
        let ended = handler.0.try_wait().map_err(|error| error.to_string())?;
        assert!(ended.is_none(), "it ended: {ended:?} {}", handler.words());
        http::get(&format!("127.0.0.1:{port}"), "/api/getdevicestate").map_err(|error| error.to_string())
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("\"devices\":[]"), "{}", answer.body);
    let access = http::get(&format!("127.0.0.1:{port}"), "/api/negotiate")?;
    assert_eq!(access.status, 200, "{}", access.body);
    assert!(access.body.contains("\"accessToken\""), "{}", access.body);
    Ok(())
}

fn archive(file: &Path) -> Result<ZipArchive<File>> {
    Ok(ZipArchive::new(File::open(file)?)?)
}

fn entries_in(zip: &Path) -> Result<Vec<Entry>> {
    let mut zip = archive(zip)?;
    let mut entries = Vec::new();
    for at in 0..zip.len() {
        let file = zip.by_index(at)?;
        let mode = file.unix_mode().context("a file without a mode")? & 0o777;
        entries.push(Entry { name: file.name()?.into_owned(), mode });
    }
    entries.sort();
    Ok(entries)
}

fn entries_below(folder: &Path, root: &Path) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.path().is_dir() {
            entries.extend(entries_below(&entry.path(), root)?);
        } else {
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            entries.push(Entry { name: path(entry.path().strip_prefix(root)?).to_owned(), mode });
        }
    }
    entries.sort();
    Ok(entries)
}

fn unpack(zip: &Path, to: &Path) -> Result<()> {
    let mut zip = archive(zip)?;
    for at in 0..zip.len() {
        let mut entry = zip.by_index(at)?;
        let file = to.join(entry.name()?.as_ref());
        fs::create_dir_all(file.parent().context("a file in the root")?)?;
        io::copy(&mut entry, &mut File::create(&file)?)?;
        let mode = entry.unix_mode().context("a file without a mode")? & 0o777;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Only root may change the root; other users become root in a user namespace first.
fn start_in(root: &Path, port: u16) -> Result<Child> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("chroot")
    } else {
        let mut unshare = Command::new("unshare");
        unshare.args(["--map-root-user", "chroot"]);
        unshare
    };
    command.arg(root).arg("/fieldcast").env_clear();
    // To find chroot itself; these folders do not exist in the new root.
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    command.env("StorageConnectionString", "Embedded=/state");
    command.env(
        "AzureSignalRConnectionString",
        "Endpoint=https://unused.example;AccessKey=dW51c2Vk;Version=1.0;",
    );
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

struct Handler(Child);

impl Handler {
    fn words(&mut self) -> String {
        let stderr = self.0.stderr.take().map(io::read_to_string);
        stderr.and_then(io::Result::ok).unwrap_or_default()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // Fails when it has ended by itself, which the test has reported already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
