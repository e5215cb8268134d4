//! `cargo dev fuzz`: libFuzzer looks for input that breaks the parsers, starting from the corpus in `fuzz/corpus`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{ExitCode, Output},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::process::Command;

use crate::{
    process,
    text::say,
    toolchain::{self, Fuzzers},
    workspace::{Workspace, shown},
};

/// The time in `cargo dev test`. Replaying the corpus takes a moment; the rest looks for new inputs.
const BRIEFLY: Duration = Duration::from_secs(20);
/// Longer inputs test the same code more slowly.
const LONGEST_INPUT: &str = "-max_len=4096";

#[derive(Args)]
pub(crate) struct Fuzz {
    /// What to fuzz; everything when left out
    target: Option<Target>,
    /// How long to look, shared between the targets
    #[arg(long, value_name = "N", default_value_t = BRIEFLY.as_secs())]
    seconds: u64,
    /// Only try this file, such as one that was found before
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

/// One fuzz target: an input of the handler.
#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Envelope,
    HttpCall,
    Telemetry,
}

pub(crate) async fn run(options: Fuzz, workspace: &Workspace) -> Result<ExitCode> {
    let campaign = Campaign::prepare(workspace).await?;
    let targets = options.target.as_ref().map_or(Target::value_variants(), std::slice::from_ref);
    let each = Duration::from_secs(options.seconds) / u32::try_from(targets.len()).unwrap_or(1);
    for &target in targets {
        match &options.input {
            Some(input) => campaign.replay(target, input).await?,
            None => campaign.explore(target, each).await?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Every target for a short time.
pub(crate) async fn briefly(workspace: &Workspace) -> Result<()> {
    let options = Fuzz { target: None, seconds: BRIEFLY.as_secs(), input: None };
    run(options, workspace).await.map(|_| ())
}

impl Target {
    fn name(self) -> String {
        let value = self.to_possible_value().expect("no target is hidden");
        value.get_name().to_owned()
    }
}

/// The built fuzzers and the folders they use.
struct Campaign {
    fuzzers: Fuzzers,
    /// `fuzz/` of the checkout.
    kept: PathBuf,
    /// Below `target/`: the corpus of earlier runs on this machine, and inputs that failed.
    found: PathBuf,
}

impl Campaign {
    async fn prepare(workspace: &Workspace) -> Result<Campaign> {
        say!("building the fuzzers");
        let fuzzers = toolchain::fuzzers(workspace).await?;
        let found = toolchain::target_folder(workspace).await?.join("fuzz");
        Ok(Campaign { fuzzers, kept: workspace.root.join("fuzz"), found })
    }

    async fn explore(&self, target: Target, time: Duration) -> Result<()> {
        let failures = self.found.join("failures");
        let explored = self.explored(target);
        for folder in [&failures, &explored] {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let mut fuzzer = self.fuzzer(target);
        // Zero would mean without end.
        fuzzer.arg(format!("-max_total_time={}", time.as_secs().max(1)));
        fuzzer.arg(format!("-artifact_prefix={}/{}-", failures.display(), target.name()));
        fuzzer.arg(format!("-dict={}", self.kept.join("json.dict").display()));
        fuzzer.args([LONGEST_INPUT, "-print_final_stats=1"]).arg(explored).arg(self.corpus(target));
        let ended = self.end(fuzzer, target).await?;
        let words = String::from_utf8_lossy(&ended.stderr);
        if !ended.status.success() {
            let input = found_input(&words).context("the fuzzer ended without naming an input")?;
            bail!(failure(target, Path::new(input)));
        }
        let (inputs, places) = figures(&words)
            .context("the fuzzer saw no code at work: it was built without its instructions")?;
        say!("{}: {inputs} inputs tried, {places} places of the code reached, nothing found", target.name());
        Ok(())
    }

    async fn replay(&self, target: Target, input: &Path) -> Result<()> {
        let mut fuzzer = self.fuzzer(target);
        fuzzer.arg(input);
        let ended = self.end(fuzzer, target).await?;
        if !ended.status.success() {
            bail!("{} does not hold for {}", target.name(), shown(input));
        }
        say!("{} holds for {}", target.name(), shown(input));
        Ok(())
    }

    fn fuzzer(&self, target: Target) -> Command {
        Command::new(self.fuzzers.program(&format!("fuzz-{}", target.name())))
    }

    /// Runs a fuzzer to its end. Its output is shown only when it fails.
    async fn end(&self, fuzzer: Command, target: Target) -> Result<Output> {
        process::capture_output(fuzzer)
            .await
            .with_context(|| format!("the fuzzer of {} could not be run", target.name()))
    }

    fn corpus(&self, target: Target) -> PathBuf {
        self.kept.join("corpus").join(target.name())
    }

    fn explored(&self, target: Target) -> PathBuf {
        self.found.join("explored").join(target.name())
    }
}

fn failure(target: Target, input: &Path) -> String {
    let (name, input) = (target.name(), shown(input));
    format!(
        "{name} does not hold for {input}: see the panic above; `cargo dev fuzz {name} --input {input}` tries it again, \
         and once mended it belongs into fuzz/corpus/{name}"
    )
}

/// The file with the input that failed.
fn found_input(words: &str) -> Option<&str> {
    words.lines().find_map(|line| line.split_once("Test unit written to ").map(|(_, file)| file.trim()))
}

/// How many inputs were tried and how many code edges they covered, from the last lines of the fuzzer that say so.
fn figures(words: &str) -> Option<(u64, u64)> {
    let after = |label: &str| {
        let (_, rest) = words.rsplit_once(label)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some((after("stat::number_of_executed_units:")?, after(" cov:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "#27\tINITED cov: 1548 ft: 3123 corp: 26/1545b exec/s: 0 rss: 28Mb\n\
                         #56661\tDONE   cov: 1733 ft: 8207 corp: 520/65Kb lim: 4096 exec/s: 2698 rss: 29Mb\n\
                         stat::number_of_executed_units: 56661\n";

    #[test]
    fn the_last_figures_count() {
        assert_eq!(figures(WORDS), Some((56_661, 1_733)));
    }

    #[test]
    fn a_fuzzer_that_sees_nothing_has_no_figures() {
        let blind = "#524288\tDONE   corp: 1/1b lim: 4096 exec/s: 174762 rss: 27Mb\n\
                     stat::number_of_executed_units: 524288\n";
        assert_eq!(figures(blind), None);
    }

    #[test]
    fn the_input_that_failed_is_named() {
        let words =
            "SUMMARY: libFuzzer: deadly signal\nartifact_prefix='/t/'; Test unit written to /t/crash-1\n";
        assert_eq!(found_input(words), Some("/t/crash-1"));
        assert_eq!(found_input(WORDS), None);
    }
}
