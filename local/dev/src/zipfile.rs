//! The Functions app as a zip for "zip deploy": the same files give the same bytes on any machine and at any time.

use std::{
    fs::{self, File},
    io::{BufWriter, Seek, Write},
    path::Path,
};

use anyhow::{Context, Result};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::{stage::AppFile, workspace::shown};

/// Writes `files` to the zip at `to`, replacing what was there.
pub(crate) fn write(files: &[AppFile], to: &Path) -> Result<()> {
    let file = File::create(to).with_context(|| format!("{} cannot be written", shown(to)))?;
    pack(files, BufWriter::new(file)).with_context(|| format!("{} cannot be written", shown(to)))
}

fn pack(files: &[AppFile], to: impl Write + Seek) -> Result<()> {
    let mut files: Vec<&AppFile> = files.iter().collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let mut zip = ZipWriter::new(to);
    for file in files {
        // Zips made on Windows lose the executable bit and the host then cannot start the program.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(file.kind.mode());
        zip.start_file(&file.name, options)?;
        zip.write_all(&fs::read(&file.source)?)?;
    }
    zip.finish()?.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::stage::Kind;

    fn files(folder: &Path) -> Result<Vec<AppFile>> {
        fs::write(folder.join("a"), "a".repeat(5_000))?;
        fs::write(folder.join("b"), "{}")?;
        let file = |name: &str, source: &str, kind| AppFile {
            name: name.to_owned(),
            source: folder.join(source),
            kind,
        };
        Ok(vec![file("fieldcast", "a", Kind::Program), file("deep/function.json", "b", Kind::Json)])
    }

    fn packed(files: &[AppFile]) -> Result<Vec<u8>> {
        let mut bytes = Cursor::new(Vec::new());
        pack(files, &mut bytes)?;
        Ok(bytes.into_inner())
    }

    #[test]
    fn the_program_is_executable_and_nothing_else_is() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut zip = zip::ZipArchive::new(Cursor::new(packed(&files(folder.path())?)?))?;
        let mut seen = Vec::new();
        for index in 0..zip.len() {
            let entry = zip.by_index(index)?;
            seen.push((
                entry.name()?.into_owned(),
                entry.unix_mode().unwrap_or_default() & 0o777,
                entry.size(),
            ));
        }
        assert_eq!(
            seen,
            [("deep/function.json".to_owned(), 0o644, 2), ("fieldcast".to_owned(), 0o755, 5_000)]
        );
        Ok(())
    }

    #[test]
    fn the_same_files_make_the_same_bytes() -> Result<()> {
        let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let mut reversed = files(other.path())?;
        reversed.reverse();
        assert_eq!(packed(&files(one.path())?)?, packed(&reversed)?);
        Ok(())
    }
}
