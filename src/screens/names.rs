//! Ids of connections and users as callers send them: refused here when the service could never take them.

/// The service's connection ids have 22 characters or a few more; ids of users are chosen by whoever signs them in.
const LONGEST: usize = 256;

/// Says what is wrong with an id, in words that follow its name.
pub(super) fn check(id: &str) -> Result<(), &'static str> {
    match id {
        _ if id.trim().is_empty() => Err("is blank"),
        _ if id.len() > LONGEST => Err("has more than 256 bytes"),
        "." | ".." => Err("is a dot segment, which no address can carry"),
        _ => Ok(()),
    }
}
