//! The import reader: what one Rust file defines, which modules it declares, and which names it takes from other
//! files. It reads each file alone; `modules` puts the files of a crate together.

use std::collections::BTreeSet;

use super::tokens::{Token, closing};

/// One module: a file, or a block `mod name { … }` within one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Names of the items that are defined here.
    pub(super) items: BTreeSet<String>,
    pub(super) children: Vec<Child>,
    pub(super) imports: Vec<Import>,
    /// Paths of two segments or more in code, such as `super::retry::schedule`.
    pub(super) paths: Vec<Path>,
    /// The identifiers in code that may stand for an import.
    pub(super) words: BTreeSet<String>,
}

/// A module that is declared in another one.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// The value of a `#[path]` attribute.
    pub(super) path: Option<String>,
    /// The content of a block; `None` for a file.
    pub(super) block: Option<Module>,
}

/// One name out of a `use` declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Path,
    pub(super) name: Imported,
    /// `pub`, `pub(crate)` or `pub(super)`: the module hands the name on.
    pub(super) is_public: bool,
}

/// Under which name an import is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Imported {
    As(String),
    /// `as _`
    Unnamed,
    /// `::*`
    Everything,
}

/// A path as written, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

/// Reads a whole file.
pub(super) fn read(tokens: &[Token<'_>]) -> Module {
    let mut module = Module::default();
    let (mut at, mut depth, mut path) = (0, 0_usize, None);
    while at < tokens.len() {
        let rest = &tokens[at..];
        match rest.iter().map(|token| token.text).take(3).collect::<Vec<_>>().as_slice() {
            ["path", "=", _] if at > 1 && tokens[at - 1].text == "[" => {
                path = rest[2].as_string().map(str::to_owned);
                at += 3;
            }
            ["mod", name, mark @ ("{" | ";")] => {
                let end = if *mark == "{" { closing(tokens, at + 2) } else { at + 2 };
                let block = (*mark == "{").then(|| read(&tokens[at + 3..end]));
                module.children.push(Child { name: (*name).to_owned(), path: path.take(), block });
                at = end + 1;
            }
            ["use", next, ..] if *next != "<" => {
                let is_public = at > 0 && matches!(tokens[at - 1].text, "pub" | ")");
                let end = at + rest.iter().position(|token| token.text == ";").unwrap_or(rest.len() - 1);
                read_use(&tokens[at + 1..end], Vec::new(), is_public, &mut module.imports);
                at = end + 1;
            }
            [first, "::", _] if is_path_start(tokens, at) => {
                module.words.insert((*first).to_owned());
                let path = read_path(rest);
                at += path.segments.len() * 2 - 1;
                module.paths.push(path);
            }
            texts => {
                if let Some(name) = definition(texts).filter(|_| depth == 0) {
                    module.items.insert(name.to_owned());
                }
                match rest[0].text {
                    "{" => depth += 1,
                    "}" => depth = depth.saturating_sub(1),
                    word if is_use_of_name(tokens, at) => drop(module.words.insert(word.to_owned())),
                    _ => {}
                }
                at += 1;
            }
        }
    }
    module.paths.retain(|path| path.segments.len() > 1);
    module
}

/// The name that an item keyword introduces.
fn definition<'a>(texts: &[&'a str]) -> Option<&'a str> {
    match texts {
        ["const", "async" | "extern" | "fn" | "unsafe", ..] => None,
        ["struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static", name, ..] => Some(name),
        ["macro_rules", "!", name] => Some(name),
        _ => None,
    }
}

/// A path starts with a word that does not follow a dot (a method) or another `::`.
fn is_path_start(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].is_word() && (at == 0 || !matches!(tokens[at - 1].text, "." | "::"))
}

/// A word that may stand for an import: no method, no field and not the name of a function that is defined here.
fn is_use_of_name(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].is_word() && (at == 0 || !matches!(tokens[at - 1].text, "." | "fn"))
}

fn read_path(tokens: &[Token<'_>]) -> Path {
    let mut segments = vec![tokens[0].text.to_owned()];
    for pair in tokens[1..].chunks_exact(2) {
        if pair[0].text != "::" || !pair[1].is_word() {
            break;
        }
        segments.push(pair[1].text.to_owned());
    }
    Path { segments, line: tokens[0].line }
}

/// Reads the tree of a `use` declaration below the segments that lead to it.
fn read_use(tokens: &[Token<'_>], mut segments: Vec<String>, is_public: bool, imports: &mut Vec<Import>) {
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "::" => {}
            "{" => {
                for tree in branches(&tokens[at + 1..closing(tokens, at)]) {
                    read_use(tree, segments.clone(), is_public, imports);
                }
                return;
            }
            "*" => name = Some(Imported::Everything),
            "as" => {
                let alias = tokens[at + 1].text;
                name = Some(if alias == "_" { Imported::Unnamed } else { Imported::As(alias.to_owned()) });
                break;
            }
            // `path::{self}` is the path itself.
            "self" if !segments.is_empty() => {}
            word => segments.push(word.to_owned()),
        }
    }
    let Some(last) = segments.last().cloned() else { return };
    let line = tokens.first().map_or(0, |token| token.line);
    let name = name.unwrap_or(Imported::As(last));
    imports.push(Import { path: Path { segments, line }, name, is_public });
}

/// The parts of a group, which commas separate.
fn branches<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<&'b [Token<'a>]> {
    let mut depth = 0_i32;
    let parts = tokens.split(|token| {
        depth += match token.text {
            "{" => 1,
            "}" => -1,
            _ => 0,
        };
        token.text == "," && depth == 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
fn of(text: &str) -> Module {
    read(&super::tokens::tokens(text))
}

#[test]
fn a_use_tree_is_read_name_by_name() {
    let module = of("pub(crate) use a::{self, b::{C as D, *}, e::F as _};\nuse crate::g;");
    let import = |path: &str, name, is_public, line| Import {
        path: Path { segments: path.split("::").map(str::to_owned).collect(), line },
        name,
        is_public,
    };
    let expected = [
        import("a", Imported::As("a".to_owned()), true, 1),
        import("a::b::C", Imported::As("D".to_owned()), true, 1),
        import("a::b", Imported::Everything, true, 1),
        import("a::e::F", Imported::Unnamed, true, 1),
        import("crate::g", Imported::As("g".to_owned()), false, 2),
    ];
    assert_eq!(module.imports, expected);
}

#[test]
fn items_modules_and_paths_are_found() {
    let text = r#"
        #[path = "../far"]
        mod block { pub struct Within; }
        mod file;
        pub(crate) const fn item() -> super::Out { let local = file::read::<u8>(); local.collect::<Vec<_>>() }
        impl Other { const INNER: u8 = <Self as crate::Trait>::NUMBER; }
    "#;
    let module = of(text);
    assert_eq!(module.items.iter().collect::<Vec<_>>(), ["item"]);
    let [block, file] = module.children.as_slice() else { panic!("{:?}", module.children) };
    assert_eq!((block.name.as_str(), block.path.as_deref()), ("block", Some("../far")));
    assert!(block.block.as_ref().unwrap().items.contains("Within"));
    assert_eq!((file.name.as_str(), file.path.as_deref(), file.block.is_some()), ("file", None, false));
    let paths: Vec<String> = module.paths.iter().map(|path| path.segments.join("::")).collect();
    assert_eq!(paths, ["super::Out", "file::read", "crate::Trait"]);
}
