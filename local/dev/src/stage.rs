//! The Functions app as it is deployed: which files belong to it, and laying them out in a folder.
//!
//! It is an allow-list, so that a secret beside the app (`local.settings.json`) is never deployed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::shown;

/// The program that host.json starts.
pub(crate) const PROGRAM: &str = "fieldcast";
const HOST: &str = "host.json";
const CATALOGUE: &str = "telemetry.json";
const FUNCTION: &str = "function.json";

/// A file of the app: its name in the app, with forward slashes, and its source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AppFile {
    pub(crate) name: String,
    pub(crate) source: PathBuf,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Program,
    Json,
}

impl Kind {
    /// The Unix permissions that the file is deployed with.
    pub(crate) fn mode(self) -> u32 {
        match self {
            Kind::Program => 0o755,
            Kind::Json => 0o644,
        }
    }
}

/// Every file of the app at `root` except the program, sorted by name. Checks that each is JSON.
pub(crate) fn app_files(root: &Path) -> Result<Vec<AppFile>> {
    let mut names = vec![HOST.to_owned()];
    if root.join(CATALOGUE).exists() {
        names.push(CATALOGUE.to_owned());
    }
    let functions = function_names(root)?;
    if functions.is_empty() {
        bail!("{} holds no function: no folder in it has a {FUNCTION}", shown(root));
    }
    names.extend(functions.iter().map(|function| format!("{function}/{FUNCTION}")));
    names.sort();
    names.into_iter().map(|name| json_file(root, name)).collect()
}

/// The program as a file of the app.
pub(crate) fn program(built: &Path) -> AppFile {
    AppFile { name: PROGRAM.to_owned(), source: built.to_path_buf(), kind: Kind::Program }
}

fn function_names(root: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(root).with_context(|| format!("{} cannot be read", shown(root)))?;
    let folders = entries.flatten().filter(|entry| entry.path().join(FUNCTION).exists());
    Ok(folders.filter_map(|folder| folder.file_name().into_string().ok()).collect())
}

fn json_file(root: &Path, name: String) -> Result<AppFile> {
    let source = root.join(&name);
    let text = fs::read_to_string(&source).with_context(|| format!("{name} cannot be read"))?;
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .with_context(|| format!("{name} is not valid JSON"))?;
    if !json.is_object() {
        bail!("{name} is not a JSON object");
    }
    Ok(AppFile { name, source, kind: Kind::Json })
}

/// Copies `files` into the folder `to`, and removes everything else from it.
pub(crate) fn lay_out(files: &[AppFile], to: &Path) -> Result<()> {
    clear(to)?;
    for file in files {
        copy(file, &to.join(&file.name))
            .with_context(|| format!("{} cannot be copied to {}", file.name, shown(to)))?;
    }
    Ok(())
}

/// Empties a folder that an earlier run has made. Fails for a folder with other files, which was named by mistake.
fn clear(folder: &Path) -> Result<()> {
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", shown(folder))),
    };
    let is_ours =
        folder.join(HOST).is_file() && folder.join(PROGRAM).is_file() && !folder.join("Cargo.toml").exists();
    if !is_empty && !is_ours {
        bail!("{} holds something else than an earlier package: name a new or empty folder", shown(folder));
    }
    if !is_empty {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", shown(folder)))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", shown(folder)))
}

fn copy(file: &AppFile, to: &Path) -> std::io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(&file.source, to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(file.kind.mode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Result<tempfile::TempDir> {
        let root = tempfile::tempdir()?;
        fs::create_dir_all(root.path().join("negotiate"))?;
        fs::create_dir_all(root.path().join("src"))?;
        fs::write(root.path().join("negotiate/function.json"), "{}")?;
        fs::write(root.path().join("negotiate/notes.txt"), "mine")?;
        fs::write(root.path().join("src/main.rs"), "")?;
        fs::write(root.path().join("host.json"), "\u{feff}{}")?;
        fs::write(root.path().join("local.settings.json"), "{}")?;
        fs::write(root.path().join("handler"), "program")?;
        Ok(root)
    }

    fn names(files: &[AppFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn only_what_the_host_reads_belongs_to_the_app() -> Result<()> {
        let root = app()?;
        assert_eq!(names(&app_files(root.path())?), ["host.json", "negotiate/function.json"]);

        fs::write(root.path().join("telemetry.json"), "{}")?;
        assert_eq!(
            names(&app_files(root.path())?),
            ["host.json", "negotiate/function.json", "telemetry.json"]
        );
        Ok(())
    }

    #[test]
    fn a_broken_file_is_named_with_the_place() -> Result<()> {
        let root = app()?;
        fs::write(root.path().join("negotiate/function.json"), "{\n  \"bindings\": [\n}")?;
        let line = crate::text::one_line(&app_files(root.path()).expect_err("broken"));
        assert!(
            line.starts_with("negotiate/function.json is not valid JSON") && line.contains("line 3"),
            "{line}"
        );
        Ok(())
    }

    #[test]
    fn an_app_without_host_json_or_functions_is_refused() -> Result<()> {
        let root = app()?;
        fs::remove_file(root.path().join("host.json"))?;
        assert!(app_files(root.path()).is_err());

        let root = app()?;
        fs::remove_file(root.path().join("negotiate/function.json"))?;
        assert!(app_files(root.path()).is_err());
        Ok(())
    }

    #[test]
    fn laying_out_sets_the_modes_and_leaves_nothing_old() -> Result<()> {
        let root = app()?;
        let to = root.path().join("out");
        let mut files = app_files(root.path())?;
        files.push(program(&root.path().join("handler")));
        lay_out(&files, &to)?;
        fs::write(to.join("old"), "")?;
        lay_out(&files, &to)?;

        assert!(!to.join("old").exists());
        assert_eq!(fs::metadata(to.join("fieldcast"))?.permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::metadata(to.join("host.json"))?.permissions().mode() & 0o777, 0o644);
        Ok(())
    }

    #[test]
    fn a_folder_with_other_things_is_never_emptied() -> Result<()> {
        let root = app()?;
        let files = app_files(root.path())?;
        assert!(lay_out(&files, root.path()).is_err());
        assert!(root.path().join("src/main.rs").exists());
        Ok(())
    }
}
