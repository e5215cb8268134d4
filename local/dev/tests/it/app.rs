//! Functions apps to package and to run: copies of the real one, and the handler built as it is deployed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::program;

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The package, which `cargo dev package` makes once for all tests.
pub(crate) fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package/dist");
        fs::create_dir_all(&out).expect("cargo made the folder above");
        let ended = program::run(&["package", "--out", path(&out)]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        out
    })
}

/// The static handler of the package.
pub(crate) fn handler() -> PathBuf {
    package().join("fieldcast")
}

/// A copy of the app's files in a new folder, for tests that change them.
pub(crate) fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for name in [
        "host.json",
        "negotiate/function.json",
        "getdevicestate/function.json",
        "EnvironmentEventTrigger/function.json",
    ] {
        let to = copy.path().join(name);
        fs::create_dir_all(to.parent().expect("inside the copy")).expect("a new folder");
        fs::copy(workspace().join(name), to).expect("the app has this file");
    }
    copy
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are Unicode")
}
