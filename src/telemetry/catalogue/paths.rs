//! All spellings of a catalogue as one tree of member names, built at start. A reader goes down it as it meets members, and
//! enters a nested value only where a path leads through it. Pure.

use super::spelling::{Conversion, Steps, steps};

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A value of the measurement at this position.
    Measurement(u16),
    /// The unit of the measurements that share this unit member, by its position.
    Unit(u16),
    /// When the values were measured; of several the lowest number counts.
    Time(u16),
    /// The device's id.
    Device,
    /// The message's id.
    MessageId,
    /// The area.
    Geo,
    /// Nothing that is kept, but a reading with it is one.
    Ignored,
}

/// Where a field is found, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The spelling as the catalogue has it.
    pub spelling: Box<str>,
    /// What it is.
    pub target: Target,
    /// What a raw number is converted by.
    pub conversion: Option<Conversion>,
    /// Whether the spelling is a dotted path, which a member of that very name goes before.
    pub dotted: bool,
}

/// Which part of a pair of name and value a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name.
    Name,
    /// The value.
    Value,
    /// The value's unit.
    Unit,
}

/// What the reader does with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is a field: the place with this number.
    Field(u16),
    /// Fields may be in it.
    Enter(Node),
    /// It may be part of a pair, of the form with this number; if it is not, it may be a field.
    Pair(u8, Part, Option<u16>),
}

/// A place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(u16);

impl Node {
    /// A reading.
    pub const READING: Node = Node(0);
    /// Whatever a wrapper holds.
    pub const WRAPPED: Node = Node(1);

    /// Whether members of an object here are looked for by their own names.
    pub fn is_root(self) -> bool {
        self == Node::READING || self == Node::WRAPPED
    }
}

/// The tree.
#[derive(Clone, Debug)]
pub struct Paths {
    nodes: Vec<Members>,
    places: Vec<Place>,
}

#[derive(Clone, Debug, Default)]
struct Members {
    /// Sorted by the length of the name, then by the name.
    named: Vec<(Box<str>, Step)>,
    /// Where the names of each length begin: nearly always one comparison tells whether a name is known.
    by_length: Vec<u16>,
    /// Whether it is what a wrapper holds, so that everything a wrapper may hold is looked for too.
    is_wrapper: bool,
}

impl Members {
    fn get(&self, name: &str) -> Option<Step> {
        let from = *self.by_length.get(name.len())?;
        let to = *self.by_length.get(name.len() + 1)?;
        let same_length = self.named.get(usize::from(from)..usize::from(to))?;
        same_length.iter().find(|(known, _)| &**known == name).map(|(_, step)| *step)
    }

    /// While the tree grows, names are not yet sorted.
    fn grown(&self, name: &str) -> Option<Step> {
        self.named.iter().find(|(known, _)| &**known == name).map(|(_, step)| *step)
    }

    fn finish(&mut self) {
        self.named.sort_by(|(one, _), (other, _)| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
        let longest = self.named.last().map_or(0, |(name, _)| name.len());
        let shorter = |length: usize| self.named.partition_point(|(name, _)| name.len() < length);
        self.by_length =
            (0..longest + 2).map(|length| u16::try_from(shorter(length)).unwrap_or(u16::MAX)).collect();
    }
}

impl Paths {
    /// A tree without spellings.
    pub(super) fn new() -> Paths {
        Paths { nodes: vec![Members::default(), Members::default()], places: Vec::new() }
    }

    /// What to do with a member of the object at this node, and whether that is so because a wrapper holds the object.
    pub fn step(&self, node: Node, name: &str) -> Option<(Step, bool)> {
        let members = &self.nodes[usize::from(node.0)];
        match members.get(name) {
            Some(step) => Some((step, false)),
            None if members.is_wrapper => Some((self.nodes[usize::from(Node::WRAPPED.0)].get(name)?, true)),
            None => None,
        }
    }

    /// Whether a wrapper leads here.
    pub fn is_wrapper(&self, node: Node) -> bool {
        self.nodes[usize::from(node.0)].is_wrapper
    }

    /// What to do with an element of the array at this node.
    pub fn element(&self, node: Node, index: usize) -> Option<Step> {
        let members = &self.nodes[usize::from(node.0)];
        match members.named.is_empty() {
            true => None,
            false => members.get(&index.to_string()),
        }
    }

    /// The place with this number.
    pub fn place(&self, number: u16) -> &Place {
        &self.places[usize::from(number)]
    }

    /// The place that a plain name has in what a wrapper holds: the names in pairs of name and value are those.
    pub fn place_named(&self, name: &str) -> Option<u16> {
        match self.nodes[usize::from(Node::WRAPPED.0)].get(name)? {
            Step::Field(place) | Step::Pair(_, _, Some(place)) => Some(place),
            Step::Enter(_) | Step::Pair(_, _, None) => None,
        }
    }

    /// Adds a spelling.
    pub(super) fn add(
        &mut self,
        spelling: &str,
        target: Target,
        conversion: Option<Conversion>,
    ) -> Result<(), String> {
        let steps = steps(spelling)?;
        let number =
            u16::try_from(self.places.len()).map_err(|_| "there are too many spellings".to_owned())?;
        let dotted = matches!(steps, Steps::Dotted(_));
        self.places.push(Place { spelling: spelling.into(), target, conversion, dotted });
        let field = Step::Field(number);
        match steps {
            Steps::Pointer(names) => self.insert(Node::READING, &names, field, spelling),
            Steps::Member(name) => self.insert_anywhere(&[name], field, spelling),
            Steps::Dotted(names) => {
                self.insert_anywhere(&[spelling.to_owned()], field, spelling)?;
                self.insert_anywhere(&names, field, spelling)
            }
        }
    }

    /// Adds what is looked for in a reading and in whatever a wrapper holds.
    fn insert_anywhere(&mut self, names: &[String], step: Step, spelling: &str) -> Result<(), String> {
        self.insert(Node::READING, names, step, spelling)?;
        self.insert(Node::WRAPPED, names, step, spelling)
    }

    fn insert(&mut self, from: Node, names: &[String], step: Step, spelling: &str) -> Result<(), String> {
        let Some((last, through)) = names.split_last() else { return Ok(()) };
        let node = self.walk(from, through, spelling)?;
        let members = &mut self.nodes[usize::from(node.0)];
        match members.grown(last) {
            None => members.named.push((last.as_str().into(), step)),
            Some(Step::Enter(_)) => {
                return Err(format!("the spelling {spelling:?} is the beginning of another path"));
            }
            Some(Step::Field(_) | Step::Pair(..)) => {
                return Err(format!("the spelling {spelling:?} is used twice"));
            }
        }
        Ok(())
    }

    /// The node that members lead to, which is made where there is none.
    fn walk(&mut self, from: Node, names: &[String], spelling: &str) -> Result<Node, String> {
        let mut node = from;
        for name in names {
            node = match self.nodes[usize::from(node.0)].grown(name) {
                Some(Step::Enter(next)) => next,
                Some(_) => {
                    return Err(format!("the path {spelling:?} leads through {name:?}, which is a spelling"));
                }
                None => {
                    let next = Node(u16::try_from(self.nodes.len()).map_err(|_| "there are too many paths")?);
                    self.nodes.push(Members::default());
                    self.nodes[usize::from(node.0)].named.push((name.as_str().into(), Step::Enter(next)));
                    next
                }
            };
        }
        Ok(node)
    }

    /// Adds a wrapper. All spellings have to be there.
    pub(super) fn add_wrapper(&mut self, path: &str) -> Result<(), String> {
        let names = match steps(path)? {
            Steps::Member(name) => vec![name],
            Steps::Dotted(names) | Steps::Pointer(names) => names,
        };
        let node = self.walk(Node::READING, &names, path)?;
        let members = &mut self.nodes[usize::from(node.0)];
        match std::mem::replace(&mut members.is_wrapper, true) {
            true => Err(format!("{path:?} is there twice")),
            false => Ok(()),
        }
    }

    /// Adds a form of pairs: the names of the members that hold name, value and unit. All spellings have to be there.
    pub(super) fn add_pair(&mut self, form: u8, names: &[(&str, Part)]) -> Result<(), String> {
        for root in [Node::READING, Node::WRAPPED] {
            for (name, part) in names {
                let named = &mut self.nodes[usize::from(root.0)].named;
                match named.iter_mut().find(|(known, _)| &**known == *name) {
                    None => named.push(((*name).into(), Step::Pair(form, *part, None))),
                    Some((_, step)) => {
                        *step = match *step {
                            Step::Field(place) => Step::Pair(form, *part, Some(place)),
                            Step::Enter(_) => {
                                return Err(format!("{name:?} is the beginning of a path or a wrapper"));
                            }
                            Step::Pair(..) => return Err(format!("{name:?} is there twice")),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks that no wrapper hides what may be in it, and sorts names for the search.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        let wrapped = &self.nodes[usize::from(Node::WRAPPED.0)];
        for members in self.nodes.iter().filter(|members| members.is_wrapper) {
            for (name, step) in &members.named {
                if wrapped.grown(name).is_some_and(|other| !self.is_same(other, *step)) {
                    return Err(format!(
                        "{name:?} is a spelling, and the beginning or end of another path, in one wrapper"
                    ));
                }
            }
        }
        self.nodes.iter_mut().for_each(Members::finish);
        Ok(())
    }

    fn is_same(&self, one: Step, other: Step) -> bool {
        match (one, other) {
            (Step::Field(one), Step::Field(other)) => self.place(one).target == self.place(other).target,
            _ => false,
        }
    }
}
