//! The folder and the file: made for their owner only, and opened.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use redb::{Builder, Database, DatabaseError};

/// Memory for pages of the file. The system keeps what it has read anyway, so this bounds memory rather than speed.
const CACHE: usize = 16 * 1024 * 1024;

/// Opens the file in this folder, or makes both.
pub(super) fn open(directory: &Path) -> Result<Database, DatabaseError> {
    make_folder(directory)?;
    let path = directory.join("rows.redb");
    let is_new = !path.try_exists()?;
    let file = open_file(&path)?;
    if is_new {
        sync_folder(directory)?;
    }
    Builder::new().set_cache_size(CACHE).create_file(file)
}

fn make_folder(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new file is safe only when the folder that names it is. Systems without folders that can be opened need no such step.
fn sync_folder(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}
