//! Names that arrive from outside and become storage keys: device ids and positions in the event stream.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Characters that Table Storage refuses in partition and row keys.
pub(crate) fn forbidden_in_key(c: char) -> bool {
    matches!(c, '/' | '\\' | '#' | '?') || c.is_control()
}

/// What sends readings: a device, or a module or a component of one. Always usable as a row key.
///
/// The row key of a device is its id, and that of a part of it `device|module|component`, where one of the two may be
/// empty. Ids with characters that keys cannot have get a key that begins with `|` and in which those are percent-encoded,
/// so that two ids never share a key and a key says which id it stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

/// Why a text cannot be the id of a device, module or component. The text itself is not repeated: it may be long or
/// unprintable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdError {
    /// No characters at all.
    #[error("the device id is empty")]
    Empty,
    /// Longer than IoT Hub allows.
    #[error("the device id has {0} characters, at most 128 are allowed")]
    TooLong(usize),
    /// A character that nothing can be called with.
    #[error("the device id contains {0:?}; control characters are not allowed")]
    Forbidden(char),
    /// The names of device, module and component are together too long for a key.
    #[error("the ids of device, module and component are together too long to be kept")]
    KeyTooLong,
}

/// Separates the ids of device, module and component in a key.
const BAR: char = '|';

impl DeviceId {
    /// IoT Hub's own limit for ids of devices and modules.
    pub const MAX_CHARS: usize = 128;

    /// Table Storage's limit for keys is 1 KiB, in UTF-16.
    const LONGEST_KEY: usize = 512;

    /// The id of a device.
    pub fn parse(text: &str) -> Result<DeviceId, DeviceIdError> {
        // Nearly all ids are short and plain, which one look at each byte settles.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !is_encoded(byte.into());
        if (1..=Self::MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain) {
            return Ok(DeviceId(text.into()));
        }
        check(text)?;
        match needs_escape(text) {
            true => DeviceId::from_key(format!("{BAR}{}", encoded(text))),
            false => Ok(DeviceId(text.into())),
        }
    }

    /// The id of a part of this device, or of the device itself where neither is given.
    pub fn part(&self, module: Option<&str>, component: Option<&str>) -> Result<DeviceId, DeviceIdError> {
        if module.is_none() && component.is_none() {
            return Ok(self.clone());
        }
        [module, component].into_iter().flatten().try_for_each(check)?;
        let device = self.device_key();
        let device = match device.strip_prefix(BAR) {
            None if device.contains(BAR) => format!("{BAR}{}", encoded(device)),
            _ => device.to_owned(),
        };
        let [module, component] = [module, component].map(|name| encoded(name.unwrap_or_default()));
        DeviceId::from_key(format!("{device}{BAR}{module}{BAR}{component}"))
    }

    /// The id that a row key stands for; `None` for the key of something else.
    pub fn of_key(key: &str) -> Option<DeviceId> {
        let id = match key.contains(BAR) {
            true => {
                let id = DeviceId(key.into());
                let device = DeviceId::parse(&id.device()).ok()?;
                device.part(id.module().as_deref(), id.component().as_deref()).ok()?
            }
            false => DeviceId::parse(key).ok()?,
        };
        (id.as_str() == key).then_some(id)
    }

    /// An id as people write it: a row key, or the name of a device.
    pub fn of_key_or_name(text: &str) -> Result<DeviceId, DeviceIdError> {
        DeviceId::of_key(text).map_or_else(|| DeviceId::parse(text), Ok)
    }

    fn from_key(key: String) -> Result<DeviceId, DeviceIdError> {
        match key.encode_utf16().count() <= Self::LONGEST_KEY {
            true => Ok(DeviceId(key.into())),
            false => Err(DeviceIdError::KeyTooLong),
        }
    }

    /// The row key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the device, without module and component.
    pub fn device(&self) -> Cow<'_, str> {
        let key = self.device_key();
        match key.strip_prefix(BAR) {
            Some(escaped) => decoded(escaped),
            None => Cow::Borrowed(key),
        }
    }

    /// The module of the device, if it is one.
    pub fn module(&self) -> Option<Cow<'_, str>> {
        self.parts().map(|(module, _)| decoded(module)).filter(|name| !name.is_empty())
    }

    /// The component of the device or module, if it is one.
    pub fn component(&self) -> Option<Cow<'_, str>> {
        self.parts().map(|(_, component)| decoded(component)).filter(|name| !name.is_empty())
    }

    /// Whether this is a module or component, and not the device itself.
    pub fn is_part(&self) -> bool {
        split(&self.0).is_some()
    }

    /// The id of the device that this is or is a part of.
    pub fn whole(&self) -> DeviceId {
        match self.is_part() {
            // The key of a device whose id has a bar is escaped only in the keys of its parts.
            true => DeviceId::parse(&self.device()).unwrap_or_else(|_| self.clone()),
            false => self.clone(),
        }
    }

    /// The key of the device in the key of a device or a part of one, whichever devices there are.
    pub fn device_key_of(key: &str) -> &str {
        split(key).map_or(key, |(device, _)| device)
    }

    fn device_key(&self) -> &str {
        DeviceId::device_key_of(&self.0)
    }

    fn parts(&self) -> Option<(&str, &str)> {
        split(&self.0)?.1.split_once(BAR)
    }
}

/// The key of a part: that of its device, and what names the part.
fn split(key: &str) -> Option<(&str, &str)> {
    let after_escape = usize::from(key.starts_with(BAR));
    let mut bars = key[after_escape..].match_indices(BAR);
    let (first, _) = bars.next()?;
    let is_part = bars.next().is_some() && bars.next().is_none();
    is_part.then(|| (&key[..after_escape + first], &key[after_escape + first + 1..]))
}

/// Whether an id cannot be its own key, or would be taken for another's.
fn needs_escape(id: &str) -> bool {
    id.contains(forbidden_in_key) || id.starts_with(BAR) || split(id).is_some()
}

fn check(id: &str) -> Result<(), DeviceIdError> {
    let length = id.chars().count();
    match id.chars().find(|c| c.is_control()) {
        _ if id.is_empty() => Err(DeviceIdError::Empty),
        _ if length > DeviceId::MAX_CHARS => Err(DeviceIdError::TooLong(length)),
        Some(control) => Err(DeviceIdError::Forbidden(control)),
        None => Ok(()),
    }
}

fn is_encoded(c: char) -> bool {
    forbidden_in_key(c) || c == BAR
}

/// Percent-encodes what keys cannot have, bars and percent signs.
fn encoded(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len());
    for c in id.chars() {
        match is_encoded(c) || c == '%' {
            // All of them are ASCII: other control characters are in no id.
            true => encoded.push_str(&format!("%{:02X}", u32::from(c))),
            false => encoded.push(c),
        }
    }
    encoded
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let (mut decoded, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte.filter(u8::is_ascii) {
            Some(byte) => {
                decoded.push(byte.into());
                rest = &after[2..];
            }
            None => {
                decoded.push('%');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

impl fmt::Display for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", &*self.0)
    }
}

/// One partition of one hub, as `<event hub>/<partition>`. The hub's name is part of it because each hub numbers its events
/// from 0. One that is made again under its name has this name as well: `devices/streams` tells the two apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubPartition(Arc<str>);

impl HubPartition {
    /// The partition that the host named.
    pub fn new(event_hub: &str, partition_id: &str) -> HubPartition {
        HubPartition(format!("{event_hub}/{partition_id}").into())
    }

    /// The partition of events whose host did not say where they came from (a manual run).
    pub fn unknown() -> HubPartition {
        HubPartition("?".into())
    }

    /// The stream that this partition had before its hub was deleted and made again under the same name.
    #[must_use]
    pub fn earlier(&self) -> HubPartition {
        HubPartition(format!("{}|earlier", self.0).into())
    }

    /// A partition as it was written to storage.
    pub fn from_stored(text: &str) -> HubPartition {
        HubPartition(text.into())
    }

    /// `<event hub>/<partition>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an event stands in the stream. Sequence numbers grow by one per event within a partition; an event without
/// one cannot be recognised when it is delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: HubPartition,
    /// The sequence number in it, where the host gave one.
    pub sequence: Option<i64>,
}

#[cfg(test)]
mod tests;
