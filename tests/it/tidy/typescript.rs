//! Imports between TypeScript files, in the form of the formatter: a statement starts at the start of a line, and its
//! last line names the file. Imports of types count as well.

use std::collections::BTreeSet;

use super::modules::{Arrows, Sources};

/// Every arrow between TypeScript files.
pub(super) fn arrows(sources: &Sources) -> Arrows {
    let mut arrows = Arrows::new();
    for (path, text) in sources.iter().filter(|(path, _)| path.ends_with(".ts")) {
        for import in text.lines().flat_map(imports) {
            if let Some(target) = file(sources, path, import).filter(|target| target != path) {
                let names: &mut BTreeSet<String> =
                    arrows.entry(path.clone()).or_default().entry(target).or_default();
                names.insert(format!("\"{import}\""));
            }
        }
    }
    arrows
}

/// The files that a line names: `import … from "file"`, `} from "file"`, `export … from "file"`, `import "file"` and,
/// anywhere, `import("file")`.
fn imports(line: &str) -> Vec<&str> {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with('*') || line.starts_with("/*") {
        return Vec::new();
    }
    let mut found: Vec<&str> = line.split("import(").skip(1).filter_map(quoted).collect();
    let statement = ["import ", "export ", "} from"].iter().any(|start| line.starts_with(start));
    if statement && let Some(file) = line.split(" from ").nth(1).or(line.strip_prefix("import ")) {
        found.extend(quoted(file));
    }
    found
}

/// The string that the text starts with.
fn quoted(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['"', '\''])?;
    rest.split(['"', '\'']).next()
}

/// The file of the repository that a relative import means.
fn file(sources: &Sources, from: &str, import: &str) -> Option<String> {
    if !import.starts_with('.') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let plain = path.strip_suffix(".js").or(path.strip_suffix(".ts")).unwrap_or(&path);
    [format!("{plain}.ts"), format!("{plain}/index.ts")].into_iter().find(|path| sources.contains_key(path))
}
