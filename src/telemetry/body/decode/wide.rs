//! UTF-16 and UTF-32, recognised and decoded strictly.

use std::fmt;

/// An encoding with units of two or four bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wide {
    Utf16(Order),
    Utf32(Order),
}

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Wide {
    /// Bytes of a unit.
    fn width(self) -> usize {
        match self {
            Wide::Utf16(_) => 2,
            Wide::Utf32(_) => 4,
        }
    }
}

impl fmt::Display for Wide {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Wide::Utf16(Order::Little) => "UTF-16LE",
            Wide::Utf16(Order::Big) => "UTF-16BE",
            Wide::Utf32(Order::Little) => "UTF-32LE",
            Wide::Utf32(Order::Big) => "UTF-32BE",
        })
    }
}

/// The encoding that a byte order mark or the NULs around the first character show.
pub(super) fn seen(bytes: &[u8]) -> Option<Wide> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Some(Wide::Utf32(Order::Little)),
        [0, 0, 0xfe, 0xff, ..] => return Some(Wide::Utf32(Order::Big)),
        [0xff, 0xfe, ..] => return Some(Wide::Utf16(Order::Little)),
        [0xfe, 0xff, ..] => return Some(Wide::Utf16(Order::Big)),
        _ => {}
    }
    let before = bytes.iter().take_while(|&&byte| byte == 0).count();
    let order = |width: usize| if before % width == 0 { Order::Little } else { Order::Big };
    // NULs up to the next character; where there is none, the NULs are padding behind a text of one byte.
    match &bytes[before..] {
        // Of JSON that can be a reading, the second character is an ASCII character as well.
        [_, 0, 1..=0xff, 1..=0xff, ..] if order(2) == Order::Little => None,
        [_, 0, 1..=0xff, ..] => Some(Wide::Utf16(order(2))),
        // Behind it, the third one's plane may come first.
        [_, 0, 0, 0, 1..=0xff] | [_, 0, 0, 0, 1..=0xff, 0, 0..=0x10, ..] => Some(Wide::Utf32(order(4))),
        _ => None,
    }
}

/// The text without a byte order mark, or what is wrong with it.
pub(super) fn text(bytes: &[u8], wide: Wide) -> Result<String, String> {
    let whole = bytes.len() / wide.width() * wide.width();
    let (units, rest) = bytes.split_at(whole);
    if rest.iter().any(|&byte| byte != 0) {
        return Err(format!("the body is not {wide}: it ends in the middle of a character"));
    }
    let text = match wide {
        Wide::Utf16(order) => utf16(units, order),
        Wide::Utf32(order) => utf32(units, order),
    };
    let mut text = text.map_err(|at| format!("the body is not {wide} from byte {at} on"))?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn utf16(bytes: &[u8], order: Order) -> Result<String, usize> {
    let unit = |pair: &[u8; 2]| match order {
        Order::Little => u16::from_le_bytes(*pair),
        Order::Big => u16::from_be_bytes(*pair),
    };
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut at = 0;
    for decoded in char::decode_utf16(bytes.as_chunks::<2>().0.iter().map(unit)) {
        let decoded = decoded.map_err(|_| at)?;
        at += decoded.len_utf16() * 2;
        text.push(decoded);
    }
    Ok(text)
}

fn utf32(bytes: &[u8], order: Order) -> Result<String, usize> {
    let unit = |four: &[u8; 4]| match order {
        Order::Little => u32::from_le_bytes(*four),
        Order::Big => u32::from_be_bytes(*four),
    };
    let decoded = |(at, four)| char::from_u32(unit(four)).ok_or(at * 4);
    bytes.as_chunks::<4>().0.iter().enumerate().map(decoded).collect()
}
