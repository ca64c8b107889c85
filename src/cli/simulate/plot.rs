//! Latency over load, as a picture, with the origin alone beside it.

use anyhow::anyhow;
use plotters::prelude::*;

use super::Point;

/// Draws the percentiles, the fluid and its bound, and the origin alone over the load, on a scale of doublings. Gives the SVG.
pub(super) fn draw(points: &[Point]) -> anyhow::Result<String> {
    let mut drawing = String::new();
    draw_on(points, &mut drawing).map_err(|error| anyhow!("cannot draw: {error}"))?;
    Ok(drawing)
}

fn draw_on(points: &[Point], drawing: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let loads: Vec<f64> = points.iter().map(|point| point.report.load).collect();
    let (Some(first), Some(last)) = (
        loads.iter().copied().reduce(f64::min),
        loads.iter().copied().reduce(f64::max),
    ) else {
        return Err("no load was simulated".into());
    };
    let curves: [Curve; 6] = [
        ("median", BLUE, |point| point.report.seconds.p50),
        ("90th percentile", MAGENTA, |point| point.report.seconds.p90),
        ("99th percentile", RED, |point| point.report.seconds.p99),
        ("fluid bound", BLACK, |point| Some(point.report.bound_s)),
        ("fluid, median", CYAN, |point| point.fluid?.p50),
        ("origin alone, median", GREEN, |point| {
            point.alone.as_ref()?.seconds.p50
        }),
    ];
    // The origin alone melts down: it leaves the picture at the top rather than press the others to its bottom.
    let ours = curves[..5]
        .iter()
        .flat_map(|(_, _, value)| points.iter().filter_map(value));
    let top = ours.fold(1.0, f64::max) * 1.5;
    let root = SVGBackend::with_string(drawing, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .caption("Seconds to the whole page, over the load", ("sans-serif", 20))
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d((first * 0.9..last * 1.1).log_scale().base(2.0), 0.0..top)?;
    chart.configure_mesh().x_desc("load").y_desc("seconds").draw()?;
    for (name, color, value) in curves {
        let line = points
            .iter()
            .filter_map(|point| Some((point.report.load, value(point)?.min(top))));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    root.present()?;
    Ok(())
}

type Curve = (&'static str, RGBColor, fn(&Point) -> Option<f64>);
const SIZE: (u32, u32) = (800, 500);
