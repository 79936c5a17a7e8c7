//! `netbanking bench --sweep`: the same load with more and more clients, all at one bank and spread
//! over all banks, as a table, as JSON and as a curve.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::report::{Disk, Latency};
use super::set_up;
use super::{BenchArgs, BenchError, SplitMix64, put_under_load};
use crate::cli::base_url::BaseUrl;

/// How many clients are measured, in this order.
pub(super) const CLIENTS: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Width and height of the curve, and the margin on each side, in pixels.
const SIZE: (f64, f64) = (640.0, 400.0);
const MARGIN: f64 = 56.0;
/// Colours of the two lines.
const COLOURS: [&str; 2] = ["#c2410c", "#1d4ed8"];

/// What was measured with a number of clients.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    /// To how many banks they send.
    banks: usize,
    clients: u32,
    packages_per_second: f64,
    /// Latency in milliseconds, as measured.
    p50_ms: f64,
    p99_ms: f64,
    /// Packages that were refused or failed.
    not_executed: u64,
}

/// All points, in the order in which they were measured. Its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Sweep {
    seconds: u32,
    warmup_seconds: u32,
    ops_per_package: u32,
    accounts: u32,
    points: Vec<Point>,
    disk: Disk,
}

/// Measures every number of clients, first at the first bank alone.
pub(super) async fn measure(
    arguments: &BenchArgs,
    urls: Vec<BaseUrl>,
    disk: Disk,
    clients: &[u32],
) -> Result<Sweep, BenchError> {
    let mut random = SplitMix64::from_system().map_err(BenchError::System)?;
    let customer = set_up::prepare(&urls, arguments.accounts as usize, &mut random).await?;
    let mut points = Vec::new();
    let at_all = (urls.len() > 1).then_some(urls.len());
    for banks in std::iter::once(1).chain(at_all) {
        for clients in clients.iter().copied() {
            let (of_banks, load) = (&urls[..banks], (clients, None, None));
            let (tally, _) =
                put_under_load(arguments, of_banks, customer.clone(), load, &mut random).await?;
            let latency = Latency::of(&tally.latency);
            let failed: u64 = tally.failed.values().map(|failures| failures.count).sum();
            points.push(Point {
                banks,
                clients,
                packages_per_second: tally.executed_in_window as f64 / f64::from(arguments.seconds),
                p50_ms: latency.p50,
                p99_ms: latency.p99,
                not_executed: tally.refused.count + failed,
            });
        }
    }
    Ok(Sweep {
        seconds: arguments.seconds,
        warmup_seconds: arguments.warmup,
        ops_per_package: arguments.ops_per_package,
        accounts: arguments.accounts,
        points,
        disk,
    })
}

impl Sweep {
    /// One object in one line.
    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string(self).expect("numbers and texts can be written as JSON");
        format!("{json}\n")
    }

    /// Draws the curve, if there is a file for it. An error also where nothing was executed.
    pub(super) fn judge(&self, curve: Option<&Path>) -> Result<(), BenchError> {
        if let Some(file) = curve {
            let written = std::fs::write(file, self.to_svg());
            written.map_err(|why| BenchError::Curve { file: file.to_owned(), why })?;
        }
        match self.points.iter().find(|point| point.packages_per_second == 0.0) {
            None => Ok(()),
            Some(Point { banks, clients, .. }) => {
                Err(BenchError::NothingExecuted(format!("clients: {clients}, banks: {banks}")))
            }
        }
    }

    /// The points of each line: at one bank, at all.
    fn lines(&self) -> Vec<Vec<&Point>> {
        let mut lines: Vec<Vec<&Point>> = Vec::new();
        for point in &self.points {
            match lines.last_mut().filter(|line| line[0].banks == point.banks) {
                Some(line) => line.push(point),
                None => lines.push(vec![point]),
            }
        }
        lines
    }

    /// Packages/s over the number of clients, which doubles from mark to mark.
    fn to_svg(&self) -> String {
        let most = self.points.iter().map(|point| point.packages_per_second).fold(1.0, f64::max);
        let marks = self.lines().first().map_or(1, Vec::len);
        let (width, height) = (SIZE.0 - 2.0 * MARGIN, SIZE.1 - 2.0 * MARGIN);
        let x = |mark: usize| MARGIN + width * mark as f64 / (marks.max(2) - 1) as f64;
        let y = |rate: f64| SIZE.1 - MARGIN - height * rate / most;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <title>packages/s by number of clients</title>\n",
            SIZE.0, SIZE.1
        );
        let text = |x: f64, y: f64, anchor: &str, text: &str| {
            format!("<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>\n")
        };
        for share in [0.0, 0.5, 1.0] {
            let (rate, right) = (most * share, SIZE.0 - MARGIN);
            svg +=
                &format!("<path d=\"M{MARGIN:.0} {0:.0}H{right:.0}\" stroke=\"#ddd\"/>\n", y(rate));
            svg += &text(MARGIN - 6.0, y(rate) + 4.0, "end", &format!("{rate:.0}"));
        }
        for (number, line) in self.lines().into_iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let spots = line.iter().enumerate();
            let spots = spots.map(|(mark, at)| (x(mark), y(at.packages_per_second)));
            let path: Vec<_> = spots.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            svg += &format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
                path.join(" ")
            );
            let label = format!("<tspan fill=\"{colour}\">{}</tspan>", at_banks(line[0].banks));
            svg += &text(MARGIN + 8.0, MARGIN + 16.0 * number as f64, "start", &label);
            for (mark, point) in line.iter().enumerate().filter(|_| number == 0) {
                svg += &text(x(mark), SIZE.1 - MARGIN + 18.0, "middle", &point.clients.to_string());
            }
        }
        svg += &text(SIZE.0 / 2.0, SIZE.1 - 12.0, "middle", "clients");
        svg + "</svg>\n"
    }
}

fn at_banks(banks: usize) -> String {
    match banks {
        1 => "all clients at one bank".to_owned(),
        banks => format!("spread over {banks} banks"),
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, warmup) = (self.seconds, self.warmup_seconds);
        writeln!(f, "time       {seconds} s after {warmup} s of warm-up, for each line")?;
        for line in self.lines() {
            writeln!(f, "{}", at_banks(line[0].banks))?;
            writeln!(f, "   clients packages/s     p50 ms     p99 ms not executed")?;
            for point in line {
                let Point { clients, packages_per_second: rate, p50_ms, p99_ms, .. } = point;
                let not = point.not_executed;
                writeln!(f, "{clients:>10} {rate:>10.0} {p50_ms:>10.3} {p99_ms:>10.3} {not:>12}")?;
            }
        }
        Ok(())
    }
}
