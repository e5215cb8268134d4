//! Ids of connections and users as clients send them: what the SignalR service could never take is refused here.

/// The service's connection ids have 22 characters or a few more; ids of users come from whatever signs them in.
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
