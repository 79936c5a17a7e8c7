//! A bar on the terminal while the load runs; nothing at all elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::tally::{Tally, Window};

/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// How far the run has come.
pub(super) struct Progress {
    begun: Instant,
    window: Window,
    bar: ProgressBar,
}

impl Progress {
    /// A bar from now to the end of the window, on standard error if that is a terminal.
    pub(super) fn begin(window: Window) -> Progress {
        let begun = Instant::now();
        let bar = ProgressBar::new(millis(window.until.saturating_duration_since(begun)));
        let style = ProgressStyle::with_template("{elapsed_precise} [{wide_bar}] {msg}");
        bar.set_style(style.expect("the template is a constant that parses"));
        Progress { begun, window, bar }
    }

    /// Waits until it is time to draw again.
    pub(super) async fn pause(&self) {
        actix_rt::time::sleep(REDRAW).await;
    }

    /// Draws.
    pub(super) fn show(&self, tally: &Tally) {
        let elapsed = self.begun.elapsed();
        let phase = if Instant::now() < self.window.from { "warm-up, " } else { "" };
        let rate = tally.executed_so_far as f64 / elapsed.as_secs_f64();
        let failed: u64 = tally.failed.values().map(|failures| failures.count).sum();
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        self.bar.set_position(millis(elapsed));
        self.bar.set_message(format!("{phase}{rate:.0} packages/s{failed}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
