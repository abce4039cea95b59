//! A curve as a picture: both axes logarithmic, and a dashed line for cost that is exactly linear.

use crate::Result;
use plotters::prelude::*;
use serde::Serialize;

/// What is drawn and written down.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// The power of `x` with which `y` goes where cost is linear.
    pub(super) linear: i32,
    pub(super) series: Vec<Series>,
}

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (720, 420);
const COLOURS: [RGBColor; 2] = [RGBColor(31, 90, 166), RGBColor(196, 90, 17)];
/// What is too small to be drawn: where memory does not grow at all.
const LEAST: f64 = 1e-3;

impl Chart {
    /// The picture.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub(super) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        let drawn = self.draw(&mut svg).map_err(|error| format!("{}: {error}", self.name));
        drawn.map(|()| svg).map_err(Into::into)
    }

    fn draw(&self, svg: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (x, y) = (self.range(|(x, _)| x), self.range(|(_, y)| y));
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(72)
            .build_cartesian_2d((x.0..x.1).log_scale(), (y.0 / 2.0..y.1 * 2.0).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let points = || series.points.iter().map(|&(x, y)| (x, y.max(LEAST)));
            chart
                .draw_series(LineSeries::new(points(), colour.stroke_width(2)).point_size(3))?
                .label(series.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
        }
        chart
            .draw_series(DashedLineSeries::new(self.linear_cost(x), 6, 5, BLACK.mix(0.5).into()))?
            .label("linear")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLACK.mix(0.5)));
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .draw()?;
        Ok(root.present()?)
    }

    /// From the first point of the first line on.
    fn linear_cost(&self, (from, to): (f64, f64)) -> Vec<(f64, f64)> {
        let first = self.series.first().and_then(|series| series.points.first());
        let Some(&(x, y)) = first else { return Vec::new() };
        let at = |there: f64| (there, y.max(LEAST) * (there / x).powi(self.linear));
        vec![at(from), at(to)]
    }

    fn range(&self, of: impl Fn((f64, f64)) -> f64) -> (f64, f64) {
        let all = || self.series.iter().flat_map(|series| &series.points).map(|&point| of(point));
        (all().fold(f64::MAX, f64::min).max(LEAST), all().fold(LEAST, f64::max))
    }
}

/// A number as people write it, with its unit's prefix where it is large.
fn number(value: &f64) -> String {
    match *value {
        value if value >= 1e6 => format!("{} M", value / 1e6),
        value if value >= 1e3 => format!("{} k", value / 1e3),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let series = vec![Series { name: "farlens", points }];
        Chart { name: "test", title: "A test", x: "streams", y: "MB", linear: 1, series }
    }

    #[test]
    fn a_chart_shows_its_title_its_lines_and_what_linear_is() {
        let svg = chart(vec![(1.0, 2.0), (10.0, 15.0), (100.0, 120.0)]).svg().unwrap();
        for text in ["A test", "streams", "MB", "farlens", "linear", "polyline"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn linear_cost_goes_through_the_first_point() {
        let chart = chart(vec![(1.0, 2.0), (100.0, 1.0)]);
        assert_eq!(chart.linear_cost((1.0, 100.0)), [(1.0, 2.0), (100.0, 200.0)]);
    }

    #[test]
    fn memory_that_did_not_grow_can_be_drawn() {
        assert!(chart(vec![(1.0, 0.0), (10.0, 0.0)]).svg().is_ok());
    }
}
