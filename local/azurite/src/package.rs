//! The npm package in this crate's own folder: its version, and where it is.

use std::path::Path;

/// The version that `package.json` pins: the newest that runs on Node 20.
pub(crate) const VERSION: &str = "3.35.0";

/// The folder that holds `package.json` and `node_modules`.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn package_json_pins_the_version_named_here() {
        let manifest = fs::read_to_string(folder().join("package.json")).unwrap();
        assert!(manifest.contains(&format!("\"azurite\": \"{VERSION}\"")), "{manifest}");
    }

    #[test]
    fn lock_file_names_no_registry() {
        let lock = fs::read_to_string(folder().join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""));
    }
}
