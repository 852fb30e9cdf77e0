//! What the sensor says of itself: the log, in the journal or on stderr, and the metrics. It must not name an address
//! in a metric, nor log per packet.

use std::io::IsTerminal;

use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::JournalLog;
use tracing_subscriber::EnvFilter;

mod collect;
mod metrics;

pub use collect::SensorState;
pub use metrics::Metrics;

/// Who may write to the log: libraries repeat what is said already, and at their own pace.
const OURS: [&str; 2] = ["sensor", "garita"];

/// The journal, for what we say ourselves.
struct Journal(JournalLog);

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let origin = metadata.target().split("::").next();
        origin.is_some_and(|origin| OURS.contains(&origin)) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// Sends the log to the journal where systemd started us, else to stderr. `RUST_LOG` chooses what is said there.
pub fn init() {
    if systemd_journal_logger::connected_to_journal()
        && let Ok(journal) = JournalLog::new()
        && log::set_boxed_logger(Box::new(Journal(journal))).is_ok()
    {
        log::set_max_level(LevelFilter::Info);
        return;
    }
    let usual = OURS.map(|name| format!("{name}=info")).join(",");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let colours = std::io::stderr().is_terminal();
    // Somebody else's logger is as good.
    let _ = stderr.with_ansi(colours).with_target(false).try_init();
}
