//! Rates and states over time, as a picture: the whole log in grey, each crowd from its detection on, and marks where its
//! state changed.

use plotters::prelude::*;
use tower_flashback::crowd::{State, Time};

use super::survey::{Findings, Record};

/// Draws the busiest crowds over the whole log. Gives the SVG.
pub(super) fn draw(findings: &Findings) -> anyhow::Result<String> {
    let mut drawing = String::new();
    draw_on(findings, &mut drawing)?;
    Ok(drawing)
}

fn draw_on(findings: &Findings, drawing: &mut String) -> anyhow::Result<()> {
    let site: Vec<(f64, f64)> = findings.site.points().collect();
    let (Some(first), Some(last)) = (site.first(), site.last()) else {
        anyhow::bail!("nothing to draw: the logs hold no request");
    };
    let mut crowds: Vec<&Record> = findings
        .crowds
        .iter()
        .filter(|record| !record.change.key.is_site())
        .collect();
    crowds.sort_by_key(|record| std::cmp::Reverse(record.requests()));
    crowds.truncate(DRAWN);
    let top = site
        .iter()
        .map(|point| point.1)
        .chain(crowds.iter().map(|record| record.peak))
        .fold(1.0, f64::max);

    let root = SVGBackend::with_string(drawing, (1200, 600)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(20)
        .caption("Requests per second", ("sans-serif", 20))
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d(first.0..last.0.max(first.0 + 1.0), 0.0..top * 1.05)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(8)
        .x_label_formatter(&|seconds| date(*seconds))
        .draw()?;
    chart
        .draw_series(AreaSeries::new(site, 0.0, BLACK.mix(0.1)).border_style(BLACK.mix(0.3)))?
        .label("all pages")
        .legend(|(x, y)| Rectangle::new([(x, y - 4), (x + 16, y + 4)], BLACK.mix(0.2).filled()));
    for (number, record) in crowds.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        chart
            .draw_series(LineSeries::new(record.rates.points(), colour.stroke_width(2)))?
            .label(short(record.change.key.as_str()))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        chart.draw_series(
            record
                .states
                .iter()
                .map(|(at, state)| mark(*at, *state, top, colour)),
        )?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// A line where a page turned hot, a dot where it began to cool, a ring where it was calm.
fn mark<'a>(
    at: Time,
    state: State,
    top: f64,
    colour: RGBAColor,
) -> DynElement<'static, SVGBackend<'a>, (f64, f64)> {
    let at = at.as_secs_f64();
    match state {
        State::Hot => PathElement::new([(at, 0.0), (at, top)], colour.mix(0.5)).into_dyn(),
        State::Cooling => Circle::new((at, 0.0), 4, colour.filled()).into_dyn(),
        State::Calm => Circle::new((at, 0.0), 4, colour.stroke_width(1)).into_dyn(),
    }
}

fn date(seconds: f64) -> String {
    let time = std::time::UNIX_EPOCH + Time::from_secs_f64(seconds.max(0.0));
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace('T', " ")
        .trim_end_matches('Z')
        .to_owned()
}

fn short(key: &str) -> String {
    let start = key.len().saturating_sub(SHORT);
    let start = (start..key.len())
        .find(|place| key.is_char_boundary(*place))
        .unwrap_or(0);
    if start == 0 {
        key.to_owned()
    } else {
        format!("…{}", &key[start..])
    }
}

/// Crowds drawn: more lines are a thicket.
const DRAWN: usize = 8;
/// Characters of a key in the legend: its end, where pages of a site differ.
const SHORT: usize = 60;
