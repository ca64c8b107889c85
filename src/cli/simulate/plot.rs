//! Latency over load, as a picture.

use anyhow::anyhow;
use plotters::prelude::*;

use tower_flashback::sim::Report;

/// Draws the median, the 99th percentile and the fluid bound over the load, on a scale of doublings. Gives the SVG.
pub(super) fn draw(points: &[(f64, Report)]) -> anyhow::Result<String> {
    let mut drawing = String::new();
    draw_on(points, &mut drawing).map_err(|error| anyhow!("cannot draw: {error}"))?;
    Ok(drawing)
}

fn draw_on(points: &[(f64, Report)], drawing: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let loads: Vec<f64> = points.iter().map(|(load, _)| *load).collect();
    let (Some(first), Some(last)) = (
        loads.iter().copied().reduce(f64::min),
        loads.iter().copied().reduce(f64::max),
    ) else {
        return Err("no load was simulated".into());
    };
    let curves: [Curve; 3] = [
        ("median", BLUE, |report| report.seconds.p50),
        ("99th percentile", RED, |report| report.seconds.p99),
        ("fluid bound", BLACK, |report| Some(report.bound_s)),
    ];
    let values = curves
        .iter()
        .flat_map(|(_, _, value)| points.iter().filter_map(|(_, report)| value(report)));
    let top = values.fold(1.0, f64::max) * 1.1;
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
            .filter_map(|(load, report)| Some((*load, value(report)?)));
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

type Curve = (&'static str, RGBColor, fn(&Report) -> Option<f64>);
const SIZE: (u32, u32) = (800, 500);
