//! Reads just enough of a Linux program's header to tell whether it needs anything from the system it runs on.

/// How a program gets its libraries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Linkage {
    Static,
    /// The program names a loader (`PT_INTERP`), which must exist where it runs.
    Dynamic,
}

const PT_INTERP: u32 = 3;

/// `None` when `program` is not a 64-bit little-endian ELF file (System V gABI, chapters 4 and 5).
pub(crate) fn linkage(program: &[u8]) -> Option<Linkage> {
    let header = program.get(..64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(header[32..40].try_into().ok()?)).ok()?;
    let entry_size = usize::from(u16::from_le_bytes([header[54], header[55]]));
    let entries = usize::from(u16::from_le_bytes([header[56], header[57]]));
    for index in 0..entries {
        let start = table.checked_add(index * entry_size)?;
        let kind = program.get(start..start.checked_add(4)?)?;
        if u32::from_le_bytes(kind.try_into().ok()?) == PT_INTERP {
            return Some(Linkage::Dynamic);
        }
    }
    Some(Linkage::Static)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).expect("few");
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.resize(bytes.len() + 52, 0);
        }
        bytes
    }

    #[test]
    fn a_program_with_a_loader_is_dynamic() {
        assert_eq!(linkage(&program(&[1, 2, PT_INTERP])), Some(Linkage::Dynamic));
        assert_eq!(linkage(&program(&[1, 2])), Some(Linkage::Static));
    }

    #[test]
    fn the_shell_of_this_machine_is_dynamic() {
        let shell = std::fs::read("/bin/sh").expect("every Linux has a shell");
        assert_eq!(linkage(&shell), Some(Linkage::Dynamic));
    }

    #[test]
    fn anything_else_is_not_judged() {
        assert_eq!(linkage(b"#!/bin/sh\n"), None);
        assert_eq!(linkage(b""), None);
        let mut cut_short = program(&[1, 1]);
        cut_short.truncate(100);
        assert_eq!(linkage(&cut_short), None);
    }
}
