//! The page of a run: its lines of JSON as tables of Markdown, between two marks of a page.

use crate::{
    Result, machine,
    report::{Line, name},
    systems::System,
    tls,
    workloads::Better,
};
use clap::ValueEnum;
use std::{fs, path::PathBuf};

/// What becomes of what.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// What `--json` printed, one run or several.
    from: Vec<PathBuf>,
    /// The page.
    #[arg(long, default_value = "docs/performance.md")]
    into: PathBuf,
}

/// What was measured stands between these.
const BEGIN: &str = "<!-- figures: cargo xtask bench page -->\n";
const END: &str = "<!-- end of figures -->";

impl Args {
    /// Writes the page anew between its marks.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is no run, or the page has no marks.
    pub(crate) fn run(&self) -> Result<()> {
        let mut lines = Vec::new();
        for from in &self.from {
            let text = fs::read_to_string(from)?;
            for line in text.lines() {
                lines.push(serde_json::from_str(line)?);
            }
        }
        let page = fs::read_to_string(&self.into)?;
        fs::write(&self.into, between(&page, &figures(&lines))?)?;
        Ok(())
    }
}

/// A page with other figures.
fn between(page: &str, figures: &str) -> Result<String> {
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| {
        rest.split_once(END).map(|(_, behind)| format!("{before}{BEGIN}\n{figures}\n{END}{behind}"))
    });
    Ok(parts.ok_or("the page has no marks for figures")?)
}

fn figures(lines: &[Line]) -> String {
    let mut settings: Vec<_> = lines.iter().map(|line| (line.rt, line.malloc)).collect();
    settings.dedup();
    let tables = settings.into_iter().map(|(rt, malloc)| {
        let of = |line: &&Line| (line.rt, line.malloc) == (rt, malloc);
        let lines: Vec<_> = lines.iter().filter(of).collect();
        let set = format!("`--rt {} --malloc {}`", name(&rt), name(&malloc));
        format!("### {set}\n\n{}\n{}", table(&lines), ahead(&lines))
    });
    let about = [
        format!("Machine: {}.", machine::describe()),
        format!("Versions: {}.", machine::versions()),
        format!("TLS 1.3 with {}.", tls::SUITE),
    ];
    format!("{}\n\n{}", about.join("\\\n"), tables.collect::<Vec<_>>().join("\n"))
}

/// A row for each workload, a column for each system: the figure, and behind it its ratio to raw.
fn table(lines: &[&Line]) -> String {
    let systems: Vec<_> = System::value_variants().iter().map(name).collect();
    let mut table = format!("| id | unit | {} |\n", systems.join(" | "));
    table += &format!("|---|---|{}\n", "---:|".repeat(systems.len()));
    for id in ids(lines) {
        let row: Vec<_> = lines.iter().filter(|line| line.id == id).collect();
        let cell = |system: &String| {
            let line = row.iter().find(|line| line.system == *system);
            line.map_or_else(String::new, |line| cell(line))
        };
        let cells: Vec<_> = systems.iter().map(cell).collect();
        let unit = row.first().map_or("", |line| &line.unit);
        let less = row.first().is_some_and(|line| line.better == Better::Lower);
        let unit = format!("{unit}{}", if less { ", less is better" } else { "" });
        table += &format!("| `{id}` | {unit} | {} |\n", cells.join(" | "));
    }
    table
}

fn cell(line: &Line) -> String {
    let value = match line.value.abs() {
        large if large >= 100.0 => format!("{:.0}", line.value),
        middle if middle >= 10.0 => format!("{:.1}", line.value),
        _ => format!("{:.2}", line.value),
    };
    match line.ratio_to_raw {
        Some(ratio) if line.system != name(&System::Raw) => format!("{value} ({ratio:.2})"),
        _ => value,
    }
}

/// Where a peer is ahead of farlens, and how far.
fn ahead(lines: &[&Line]) -> String {
    let mut list = String::new();
    for id in ids(lines) {
        let row = || lines.iter().filter(|line| line.id == id);
        let Some(own) = row().find(|line| line.system == name(&System::Farlens)) else { continue };
        let peers = row().filter(|line| {
            line.system != name(&System::Raw) && line.system != name(&System::Farlens)
        });
        let ahead = peers.map(|line| (&line.system, times(own, line)));
        let mut ahead: Vec<_> = ahead.filter(|(_, times)| *times > 1.0).collect();
        ahead.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let ahead: Vec<_> =
            ahead.iter().map(|(system, times)| format!("{system} {times:.2} ×")).collect();
        if !ahead.is_empty() {
            list += &format!("- `{id}`: {}\n", ahead.join(", "));
        }
    }
    match list.is_empty() {
        true => "No peer is ahead of farlens anywhere.\n".to_owned(),
        false => format!("Ahead of farlens, by medians:\n\n{list}"),
    }
}

/// How many times as good as `own` it is.
fn times(own: &Line, line: &Line) -> f64 {
    match own.better {
        Better::Higher => line.value / own.value,
        Better::Lower => own.value / line.value,
    }
}

/// All workloads, in the order of their lines.
fn ids<'a>(lines: &[&'a Line]) -> Vec<&'a str> {
    let mut ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, system: &str, value: f64, better: &str) -> Line {
        let line = serde_json::json!({
            "id": id, "system": system, "rt": "multi", "malloc": "system", "value": value,
            "unit": "MB/s", "better": better, "ratio_to_raw": 0.5, "cpu_ns_per_unit": 1.0,
            "runs": 5, "min": 1.0, "max": 2.0,
        });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_page_keeps_what_stands_around_its_figures() {
        let page = format!("before\n{BEGIN}old\n{END}\nbehind\n");
        let lines =
            [line("calls_64", "raw", 2e6, "higher"), line("calls_64", "tarpc", 1e6, "higher")];
        let page = between(&page, &figures(&lines)).unwrap();
        assert!(page.starts_with("before\n") && page.ends_with("\nbehind\n"));
        assert!(!page.contains("old"));
        assert!(page.contains("| `calls_64` | MB/s | 2000000 |  |  |  |  | 1000000 (0.50) |  |"));
        assert!(between("no marks", "").is_err());
    }

    #[test]
    fn who_is_ahead_is_named() {
        let lines = [
            line("calls_64", "raw", 4.0, "higher"),
            line("calls_64", "farlens", 2.0, "higher"),
            line("calls_64", "tarpc", 3.0, "higher"),
            line("first_byte", "farlens", 3.0, "lower"),
            line("first_byte", "tonic", 2.0, "lower"),
            line("first_byte", "remoc", 4.0, "lower"),
        ];
        let text = ahead(&lines.iter().collect::<Vec<_>>());
        assert_eq!(
            text,
            "Ahead of farlens, by medians:\n\n- `calls_64`: tarpc 1.50 ×\n- `first_byte`: tonic 1.50 ×\n"
        );
    }
}
