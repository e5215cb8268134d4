//! No two files need each other, directly or through other files: to understand one of them, a reader would have to
//! know all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::modules::{self, Arrows, Sources};
use super::repository::{SOURCES, files, read, relative};
use super::typescript;

#[test]
fn no_files_need_each_other() {
    let mut sources = Sources::new();
    for folder in SOURCES {
        sources.extend(files(folder, ".rs").iter().map(|path| (relative(path), read(path))));
    }
    sources.extend(files("dashboard/src", ".ts").iter().map(|path| (relative(path), read(path))));
    let arrows = arrows(&sources);
    for kind in [".rs", ".ts"] {
        assert!(arrows.keys().any(|file| file.ends_with(kind)), "no imports were found in {kind} files");
    }
    let circles = circles(&arrows);
    assert!(circles.is_empty(), "files that need each other:\n{}", describe(&circles, &arrows));
}

fn arrows(sources: &Sources) -> Arrows {
    let mut arrows = modules::arrows(sources);
    arrows.extend(typescript::arrows(sources));
    arrows
}

type Circle<'a> = BTreeSet<&'a str>;

/// The groups of two or more files in which every file leads to every other one: Tarjan's strongly connected
/// components.
fn circles(arrows: &Arrows) -> Vec<Circle<'_>> {
    let mut search = Search { arrows, numbers: BTreeMap::new(), open: Vec::new(), circles: Vec::new() };
    for file in arrows.keys() {
        if !search.numbers.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.circles.sort();
    search.circles
}

struct Search<'a> {
    arrows: &'a Arrows,
    /// In which order files were met.
    numbers: BTreeMap<&'a str, usize>,
    /// Files that were met and belong to no finished group yet.
    open: Vec<&'a str>,
    circles: Vec<Circle<'a>>,
}

impl<'a> Search<'a> {
    /// Visits a file and all that it leads to; returns the lowest number of an open file that can be reached from it.
    fn visit(&mut self, file: &'a str) -> usize {
        let (number, place) = (self.numbers.len(), self.open.len());
        self.numbers.insert(file, number);
        self.open.push(file);
        let mut lowest = number;
        for target in self.arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
            match self.numbers.get(target.as_str()) {
                None => lowest = lowest.min(self.visit(target)),
                Some(&met) if self.open.contains(&target.as_str()) => lowest = lowest.min(met),
                Some(_) => {}
            }
        }
        if lowest == number {
            let group = self.open.split_off(place);
            if group.len() > 1 {
                self.circles.push(group.into_iter().collect());
            }
        }
        lowest
    }
}

/// One paragraph per circle: its arrows, and the names behind each.
fn describe(circles: &[Circle<'_>], arrows: &Arrows) -> String {
    let mut text = String::new();
    for circle in circles {
        writeln!(text, "  a circle of {} files", circle.len()).unwrap();
        for file in circle {
            for (target, names) in arrows.get(*file).into_iter().flatten() {
                if circle.contains(target.as_str()) {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    writeln!(text, "    {file} -> {target}: {}", names.join(", ")).unwrap();
                }
            }
        }
    }
    text
}

/// The circles of a small tree of files.
#[cfg(test)]
fn planted(files: &[(&str, &str)]) -> String {
    let sources = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let arrows = arrows(&sources);
    describe(&circles(&arrows), &arrows)
}

#[test]
fn a_tree_without_circles_passes() {
    let found = planted(&[
        ("src/lib.rs", "mod a; mod b; pub use a::A; pub use crate::b::B;"),
        ("src/a.rs", "mod c; use crate::b::B; pub use c::C; pub struct A(B);"),
        ("src/a/c.rs", "use crate::B; pub struct C(B);"),
        ("src/b.rs", "pub struct B;"),
    ]);
    assert_eq!(found, "");
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let found = planted(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "use crate::b::{B, other::{self}}; pub struct A(B);"),
        ("src/b.rs", "use crate::a::A as Other; pub struct B(Other);"),
    ]);
    let expected = "  a circle of 2 files\n    src/a.rs -> src/b.rs: B, other\n    src/b.rs -> src/a.rs: A\n";
    assert_eq!(found, expected);
}

#[test]
fn three_files_are_a_circle_of_which_a_fourth_is_no_part() {
    let found = planted(&[
        ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
        ("src/a.rs", "pub fn a() { crate::b::b() }"),
        ("src/b.rs", "pub fn b() { super::c::c(); super::d::d() }"),
        ("src/c.rs", "use super::a; pub fn c() { a::a() }"),
        ("src/d.rs", "pub fn d() {}"),
    ]);
    let expected = "  a circle of 3 files
    src/a.rs -> src/b.rs: crate::b::b
    src/b.rs -> src/c.rs: super::c::c
    src/c.rs -> src/a.rs: a::a\n";
    assert_eq!(found, expected);
}

#[test]
fn a_parent_that_uses_its_child_and_is_used_by_it_is_a_circle() {
    let parent = |body: &str| format!("mod child; pub struct Thing; {body}");
    let child = "use super::Thing; pub struct Child(Thing);";
    let tree = |body: &str| {
        let parent = parent(body);
        planted(&[("src/lib.rs", "mod a;"), ("src/a.rs", &parent), ("src/a/child.rs", child)])
    };
    for hands_on in ["", "pub use self::child::Child;", "pub(crate) use child::Child;", "pub use child::*;"] {
        assert_eq!(tree(hands_on), "", "{hands_on}");
    }
    for uses in [
        "use self::child::Child; fn f(_: Child) {}",
        "use child::Trait as _;",
        "pub use self::child::Child; fn f(_: Child) {}",
        "pub use child::*; fn f(_: Child) {}",
        "fn f(_: child::Child) {}",
        "fn f(_: self::child::Child) {}",
        "fn f() { vec![child::Child] }",
        "use child::*; fn f() {}",
    ] {
        let expected = "  a circle of 2 files\n    src/a.rs -> src/a/child.rs";
        assert!(tree(uses).starts_with(expected), "{uses}: {}", tree(uses));
    }
}

#[test]
fn a_re_exported_name_leads_to_the_file_that_defines_it() {
    let a = "pub mod deep; pub use self::deep::{Deep as Renamed, other::*};";
    let tree = |b: &str| {
        planted(&[
            ("src/lib.rs", "mod a; mod b; pub use a::Renamed;"),
            ("src/a.rs", a),
            ("src/a/deep.rs", "pub mod other; use crate::b::B; pub struct Deep(B);"),
            ("src/a/deep/other.rs", "pub struct Other;"),
            ("src/b.rs", b),
        ])
    };
    assert_eq!(tree("use crate::a::Other; pub struct B(Other);"), "");
    for b in [
        "use crate::a::Renamed; pub struct B(Renamed);",
        "use crate::Renamed; pub struct B(Renamed);",
        "use super::a; pub struct B(a::Renamed);",
        "use crate::*; pub struct B(Renamed);",
    ] {
        let expected =
            "  a circle of 2 files\n    src/a/deep.rs -> src/b.rs: B\n    src/b.rs -> src/a/deep.rs: ";
        assert!(tree(b).starts_with(expected), "{b}: {}", tree(b));
    }
}

#[test]
fn blocks_and_other_folders_are_followed() {
    let found = planted(&[
        (
            "fuzz/src/lib.rs",
            "#[path = \"../../src\"] mod handler { pub mod a; pub mod b; } pub use handler::*;",
        ),
        ("src/a.rs", "mod block { use super::super::b::B; pub struct A(B); } pub use block::A;"),
        ("src/b.rs", "use crate::a::A; pub struct B(A);"),
    ]);
    let expected = "  a circle of 2 files\n    src/a.rs -> src/b.rs: B\n    src/b.rs -> src/a.rs: A\n";
    assert_eq!(found, expected);
}

#[test]
fn tests_may_look_at_their_parent() {
    let found = planted(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "use crate::b::B; pub struct A(B); #[cfg(test)] mod tests;"),
        ("src/a/tests.rs", "use super::A;"),
        ("src/b.rs", "pub struct B; #[cfg(test)] mod checks { use crate::a::A; } // crate::a::A"),
    ]);
    assert_eq!(found, "");
}

#[test]
fn names_of_other_crates_and_local_names_lead_nowhere() {
    let found = planted(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "use crate::b::B; pub struct A(B);"),
        (
            "src/b.rs",
            "use bytes::a::A; use tokio; pub struct B; fn f<a>() { let a = 1; ::a::A; a.a::<u8>() }",
        ),
    ]);
    assert_eq!(found, "");
}

#[test]
fn typescript_files_that_import_each_other_are_a_circle() {
    let found = planted(&[
        ("dashboard/src/a.ts", "import {\n  type B,\n} from \"./core/b\";\nimport \"./style.css\";"),
        ("dashboard/src/core/b.ts", "export { C } from \"./c.js\";\n// import { A } from \"../a\";"),
        ("dashboard/src/core/c.ts", "import type { A } from \"..\";"),
        ("dashboard/src/index.ts", "export const a = import(\"./a\");"),
        ("dashboard/src/main.ts", "import { a } from \"./a\";"),
    ]);
    let expected = "  a circle of 4 files
    dashboard/src/a.ts -> dashboard/src/core/b.ts: \"./core/b\"
    dashboard/src/core/b.ts -> dashboard/src/core/c.ts: \"./c.js\"
    dashboard/src/core/c.ts -> dashboard/src/index.ts: \"..\"
    dashboard/src/index.ts -> dashboard/src/a.ts: \"./a\"\n";
    assert_eq!(found, expected);
}
