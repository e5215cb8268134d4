//! The Rust modules of a workspace, and which file each name that they use comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::imports::{self, Child, Import, Imported, Module};
use super::tokens::{tokens, without_tests};

/// Which files a file takes names from, and which names.
pub(super) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Source texts by their path in the repository.
pub(super) type Sources = BTreeMap<String, String>;

/// Every arrow between Rust files of one crate. Files named `tests.rs` and code under `#[cfg(test)]` are left out.
pub(super) fn arrows(sources: &Sources) -> Arrows {
    let mut arrows = Arrows::new();
    let mut read = BTreeSet::new();
    // The crates' own root files first. A file that none of them leads to is a target of its own (a bench, say).
    let is_root = |path: &&String| path.ends_with("/lib.rs") || path.ends_with("/main.rs");
    for root in sources.keys().filter(is_root).chain(sources.keys().filter(|path| !is_root(path))) {
        if is_rust(root) && !read.contains(root) {
            let tree = Tree::read(sources, root);
            read.extend(tree.nodes.iter().map(|node| node.file.clone()));
            tree.add_arrows(&mut arrows);
        }
    }
    arrows
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs") && !path.ends_with("/tests.rs")
}

/// The modules of one crate; the first is its root.
#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    module: Module,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// An item that this module defines.
    ItemOf(usize),
}

/// Lookups under way: a name that leads back to itself leads nowhere.
type Visited = BTreeSet<(usize, String)>;

impl Tree {
    fn read(sources: &Sources, root: &str) -> Tree {
        let mut tree = Tree::default();
        let folder = Path::new(root).parent().unwrap_or(Path::new("")).to_owned();
        tree.add(sources, root, None, read_file(&sources[root]), &folder);
        tree
    }

    /// Adds a module and those below it; `folder` is where the files of its children lie.
    fn add(
        &mut self,
        sources: &Sources,
        file: &str,
        parent: Option<usize>,
        mut module: Module,
        folder: &Path,
    ) -> usize {
        let index = self.nodes.len();
        let children = std::mem::take(&mut module.children);
        self.nodes.push(Node { file: file.to_owned(), parent, children: BTreeMap::new(), module });
        for child in children {
            let name = child.name.clone();
            if let Some(child) = self.add_child(sources, file, index, child, folder) {
                self.nodes[index].children.insert(name, child);
            }
        }
        index
    }

    fn add_child(
        &mut self,
        sources: &Sources,
        file: &str,
        parent: usize,
        child: Child,
        folder: &Path,
    ) -> Option<usize> {
        let below = folder.join(&child.name);
        if let Some(block) = child.block {
            let below = child.path.map_or(below, |path| plain(&folder.join(path)));
            return Some(self.add(sources, file, Some(parent), block, &below));
        }
        let path = child.path.map_or_else(|| below.with_extension("rs"), |path| plain(&folder.join(path)));
        let path = path.to_str().filter(|path| is_rust(path))?;
        let text = sources.get(path)?;
        Some(self.add(sources, path, Some(parent), read_file(text), &below))
    }

    fn add_arrows(&self, arrows: &mut Arrows) {
        for (index, node) in self.nodes.iter().enumerate() {
            let mut add = |target: usize, name: &str| {
                let target = &self.nodes[target].file;
                if *target != node.file {
                    let names = arrows.entry(node.file.clone()).or_default().entry(target.clone());
                    names.or_default().insert(name.to_owned());
                }
            };
            for import in &node.module.imports {
                self.follow_import(index, import, &mut add);
            }
            for path in &node.module.paths {
                if let Some(Target::ItemOf(owner)) = self.resolve(index, &path.segments, &mut Visited::new())
                {
                    add(owner, &path.segments.join("::"));
                }
            }
        }
    }

    /// A module that only hands on what its children define does not need them.
    fn follow_import(&self, from: usize, import: &Import, add: &mut impl FnMut(usize, &str)) {
        let words = &self.nodes[from].module.words;
        let target = self.resolve(from, &import.path.segments, &mut Visited::new());
        match (&import.name, target) {
            (Imported::Everything, Some(Target::Module(module))) => {
                let hands_on = import.is_public && self.is_below(module, from);
                if !hands_on && !self.nodes[module].module.items.is_empty() {
                    add(module, "*");
                }
                for name in self.names(module).filter(|name| words.contains(*name)) {
                    if let Some(Target::ItemOf(owner)) = self.lookup(module, name, true, &mut Visited::new())
                    {
                        add(owner, name);
                    }
                }
            }
            (name, Some(Target::ItemOf(owner))) => {
                let is_used = matches!(name, Imported::As(name) if words.contains(name));
                let hands_on = import.is_public && self.is_below(owner, from);
                if is_used || !hands_on {
                    add(owner, import.path.segments.last().map_or("", String::as_str));
                }
            }
            (_, Some(Target::Module(_)) | None) => {}
        }
    }

    fn names(&self, module: usize) -> impl Iterator<Item = &str> {
        let Module { items, imports, .. } = &self.nodes[module].module;
        let handed_on = imports.iter().filter(|import| import.is_public).filter_map(|import| {
            let Imported::As(name) = &import.name else { return None };
            Some(name)
        });
        items.iter().chain(handed_on).map(String::as_str)
    }

    fn is_below(&self, module: usize, ancestor: usize) -> bool {
        std::iter::successors(self.nodes[module].parent, |&node| self.nodes[node].parent)
            .any(|node| node == ancestor)
    }

    /// Where a path leads that is written in the module `from`; `None` for other crates, locals and generics.
    fn resolve(&self, from: usize, segments: &[String], visited: &mut Visited) -> Option<Target> {
        let (first, mut rest) = segments.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.nodes[from].parent?),
            name => self.lookup(from, name, rest.is_empty(), visited)?,
        };
        while let (Target::Module(module), Some((name, after))) = (target, rest.split_first()) {
            target = match name.as_str() {
                "super" => Target::Module(self.nodes[module].parent?),
                // A name that a macro makes is taken for one of the module's own.
                name => {
                    self.lookup(module, name, after.is_empty(), visited).unwrap_or(Target::ItemOf(module))
                }
            };
            rest = after;
        }
        Some(target)
    }

    /// What a name means in a module. Before a `::` it is a module or a type; the last name of a path may be anything.
    fn lookup(&self, module: usize, name: &str, is_last: bool, visited: &mut Visited) -> Option<Target> {
        if !visited.insert((module, name.to_owned())) {
            return None;
        }
        let node = &self.nodes[module];
        let child = node.children.get(name).map(|&child| Target::Module(child));
        let item = node.module.items.contains(name).then_some(Target::ItemOf(module));
        let own = if is_last { item.or(child) } else { child.or(item) };
        own.or_else(|| self.lookup_import(module, name, is_last, visited))
    }

    fn lookup_import(
        &self,
        module: usize,
        name: &str,
        is_last: bool,
        visited: &mut Visited,
    ) -> Option<Target> {
        let imports = &self.nodes[module].module.imports;
        let named = imports.iter().filter(|import| matches!(&import.name, Imported::As(own) if own == name));
        for import in named {
            if let Some(target) = self.resolve(module, &import.path.segments, visited) {
                return Some(target);
            }
        }
        imports.iter().filter(|import| import.name == Imported::Everything).find_map(|import| {
            match self.resolve(module, &import.path.segments, visited)? {
                Target::Module(other) => self.lookup(other, name, is_last, visited),
                Target::ItemOf(_) => None,
            }
        })
    }
}

fn read_file(text: &str) -> Module {
    imports::read(&without_tests(tokens(text)).0)
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}
