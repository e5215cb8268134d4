//! `cargo dev package`: the Functions app as it is deployed, as a folder and as a zip.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    elf::{self, Linkage},
    stage,
    text::{megabytes, say},
    toolchain,
    workspace::{Workspace, shown},
    zipfile,
};

/// The largest handler that is deployed. The host downloads and starts it on every scale-out, so its size delays the
/// first answer of a new instance.
pub(crate) const LARGEST_PROGRAM: u64 = 12_000_000;

#[derive(Args)]
pub(crate) struct Package {
    /// The folder to lay the app out in [default: dist in the checkout]; fieldcast.zip is put beside it
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The folder with host.json and the functions [default: the checkout]
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
}

pub(crate) async fn run(options: Package, workspace: &Workspace) -> Result<ExitCode> {
    let out = options.out.unwrap_or_else(|| workspace.root.join("dist"));
    let mut files = stage::app_files(options.app.as_deref().unwrap_or(&workspace.root))?;
    say!("building the static handler");
    let built = toolchain::static_handler(workspace).await?;
    let size = require_deployable(&built)?;
    files.push(stage::program(&built));
    stage::lay_out(&files, &out)?;
    let zip = zip_beside(&out);
    zipfile::write(&files, &zip)?;
    report(&out, &zip, size)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the size of the program in bytes. Fails when it is too large or would not run everywhere.
fn require_deployable(program: &Path) -> Result<u64> {
    let bytes = fs::read(program).with_context(|| format!("{} cannot be read", shown(program)))?;
    match elf::linkage(&bytes) {
        Some(Linkage::Static) => {}
        Some(Linkage::Dynamic) => bail!("the handler is not static: it would need a C library where it runs"),
        None => bail!("the handler is not a Linux program"),
    }
    let size = bytes.len() as u64;
    if size > LARGEST_PROGRAM {
        bail!("the handler has {}, the budget is {}", megabytes(size), megabytes(LARGEST_PROGRAM));
    }
    Ok(size)
}

fn zip_beside(out: &Path) -> PathBuf {
    out.with_file_name("fieldcast.zip")
}

fn report(out: &Path, zip: &Path, program: u64) -> Result<()> {
    let packed = fs::metadata(zip).with_context(|| format!("{} cannot be read", shown(zip)))?.len();
    say!("");
    say!(
        "  {:<16} static handler, {} of at most {}",
        shown(out),
        megabytes(program),
        megabytes(LARGEST_PROGRAM)
    );
    say!("  {:<16} {}", shown(zip), megabytes(packed));
    say!("");
    say!("publish the folder    cd {} && func azure functionapp publish <app> --custom", shown(out));
    say!(
        "or deploy the zip     az functionapp deployment source config-zip -g <group> -n <app> --src {}",
        shown(zip)
    );
    if std::env::consts::ARCH != "x86_64" {
        say!("note: this handler is for {} machines; Azure Functions runs on x86_64", std::env::consts::ARCH);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_not_deployed() {
        let line = require_deployable(Path::new("/bin/sh")).expect_err("dynamic").to_string();
        assert!(line.contains("not static"), "{line}");
    }

    #[test]
    fn the_zip_lies_beside_the_folder() {
        assert_eq!(zip_beside(Path::new("out/dist")), Path::new("out/fieldcast.zip"));
        assert_eq!(zip_beside(Path::new("dist")), Path::new("fieldcast.zip"));
    }
}
