//! What things cost as they grow in number or size: each curve is plotted and written down.
//!
//! Every point is measured in a process of its own, so that memory is that of the point.

mod chart;
mod links;
mod messages;
mod point;
mod streams;

pub(crate) use point::Point;

use crate::{Result, child::Job, machine, stats};
use chart::{Chart, Series};
use point::{MESSAGES, NUMBERS, Quantity, What};
use std::{fs, path::PathBuf};

/// Where they go.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Measure the ends of each curve only, in little; the figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// The folder for the plots and for what they show.
    #[arg(long, default_value = "docs/curves")]
    into: PathBuf,
}

/// Children for each point, of which the median counts.
const RUNS: usize = 3;

/// A curve: what is measured of what, for whom.
struct Curve {
    name: &'static str,
    title: &'static str,
    x: &'static str,
    quantity: Quantity,
    at: &'static [u64],
    of: &'static [(&'static str, What)],
}

const CURVES: [Curve; 6] = [
    Curve {
        name: "streams-throughput",
        title: "2 GiB from memory in so many streams at a time",
        x: "streams",
        quantity: Quantity::Rate,
        at: &NUMBERS,
        of: &[("farlens", What::Streams), ("raw, as one", What::RawStreams)],
    },
    Curve {
        name: "streams-memory",
        title: "Memory of so many streams, both sides",
        x: "streams",
        quantity: Quantity::Memory,
        at: &NUMBERS,
        of: &[("idle", What::IdleStreams), ("all being read, at the most", What::BusyStreams)],
    },
    Curve {
        name: "links-memory",
        title: "Memory of so many idle links, both sides",
        x: "links",
        quantity: Quantity::Memory,
        at: &[1, 10, 100, 1000],
        of: &[("farlens", What::Links), ("raw TLS", What::RawLinks)],
    },
    Curve {
        name: "messages-rate",
        title: "Messages of so many bytes",
        x: "bytes of a message",
        quantity: Quantity::Rate,
        at: &MESSAGES,
        of: &[("entities", What::Entities), ("calls, there and back", What::Calls)],
    },
    Curve {
        name: "entities-number",
        title: "Entities of so many bytes",
        x: "bytes of an entity",
        quantity: Quantity::Number,
        at: &MESSAGES,
        of: &[("entities", What::Entities)],
    },
    Curve {
        name: "calls-number",
        title: "Calls with so many bytes there and back, 4 under way",
        x: "bytes of a message",
        quantity: Quantity::Number,
        at: &MESSAGES,
        of: &[("calls", What::Calls)],
    },
];

impl Args {
    /// Measures all curves.
    ///
    /// # Errors
    /// When a point cannot be measured, or nothing be written.
    pub(crate) fn run(&self) -> Result<()> {
        fs::create_dir_all(&self.into)?;
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut charts = Vec::new();
        for curve in &CURVES {
            eprintln!("{}", curve.title);
            let chart = control.block_on(self.measure(curve))?;
            fs::write(self.into.join(format!("{}.svg", curve.name)), chart.svg()?)?;
            charts.push(chart);
        }
        let all = serde_json::json!({ "machine": machine::describe(), "curves": charts });
        fs::write(self.into.join("curves.json"), serde_json::to_string_pretty(&all)? + "\n")?;
        Ok(())
    }

    async fn measure(&self, curve: &Curve) -> Result<Chart> {
        let mut series = Vec::new();
        for (name, what) in curve.of {
            let mut points = Vec::new();
            let ends = [curve.at.first(), curve.at.last()];
            for &x in curve.at.iter().filter(|x| !self.quick || ends.contains(&Some(x))) {
                points.push((x as f64, self.point(curve, *what, x).await?));
            }
            series.push(Series { name, points });
        }
        let (y, linear) = (curve.quantity.name(), curve.quantity.linear());
        Ok(Chart { name: curve.name, title: curve.title, x: curve.x, y, linear, series })
    }

    async fn point(&self, curve: &Curve, what: What, x: u64) -> Result<f64> {
        let point = Point { what, quantity: curve.quantity, x, quick: self.quick };
        let mut values = Vec::new();
        for _ in 0..if self.quick { 1 } else { RUNS } {
            values.push(Job::Point(point).in_child().await?.value);
        }
        Ok(stats::median(&values).unwrap_or(f64::NAN))
    }
}
