//! What the message property `content-encoding` says: one name or several, of character encodings and of compressions.

use super::Wide;
use super::wide::Order;

/// What is known of a declared content encoding.
#[derive(Default)]
pub(in super::super) struct Declared<'a> {
    /// As it was written; empty where nothing was declared.
    written: &'a str,
    deflate: bool,
    wide: Option<Wide>,
    /// Whether one of the names is none that is read here.
    strange: bool,
}

impl<'a> Declared<'a> {
    /// Reads a declaration; the names may be in any case and in any order.
    pub(in super::super) fn of(encoding: Option<&'a str>) -> Declared<'a> {
        let written = encoding.unwrap_or_default();
        let mut declared = Declared { written, ..Declared::default() };
        // What nearly every device says.
        if written.is_empty() || written.eq_ignore_ascii_case("utf-8") {
            return declared;
        }
        for name in written.split([',', ';']).map(str::trim) {
            declared.add(&name.to_ascii_lowercase());
        }
        declared
    }

    fn add(&mut self, name: &str) {
        match name {
            "" | "utf-8" | "utf8" | "us-ascii" | "ascii" | "identity" | "gzip" | "x-gzip" => {}
            "deflate" | "x-deflate" | "zlib" => self.deflate = true,
            // .NET's `Encoding.Unicode`, which has no other name, is little-endian; so is what browsers call UTF-16.
            "utf-16" | "utf16" | "utf-16le" | "utf16le" | "unicode" => {
                self.wide = Some(Wide::Utf16(Order::Little));
            }
            "utf-16be" | "utf16be" => self.wide = Some(Wide::Utf16(Order::Big)),
            "utf-32" | "utf32" | "utf-32le" | "utf32le" => self.wide = Some(Wide::Utf32(Order::Little)),
            "utf-32be" | "utf32be" => self.wide = Some(Wide::Utf32(Order::Big)),
            _ => self.strange = true,
        }
    }

    pub(super) fn is_deflate(&self) -> bool {
        self.deflate
    }

    pub(super) fn wide(&self) -> Option<Wide> {
        self.wide
    }

    /// What to add to the reason why a body is unreadable, where an encoding that is not read here may be the cause.
    pub(in super::super) fn remark(&self) -> Option<String> {
        /// Characters of a name that are repeated; it comes from outside.
        const SHOWN: usize = 40;
        let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        self.strange.then(|| {
            let name: String = self.written.chars().take(SHOWN).map(shown).collect();
            format!("its content encoding `{name}` is not read: send utf-8, utf-16, utf-32, gzip or deflate")
        })
    }
}
