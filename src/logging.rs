//! Logs as the Functions host wants them: one line per message, errors on stderr (which it shows as errors), everything
//! else on stdout. The host adds time and source.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for the process. Only this app's own messages: what libraries log may hold addresses and headers.
pub fn start() {
    let writer = std::io::stderr.with_max_level(Level::ERROR).or_else(std::io::stdout);
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .with_writer(writer);
    let ours = Targets::new().with_target("fieldcast", LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(ours).init();
}
