//! Draws the report's figures as SVG.
//! It is told what to draw and decides only how it looks.

use std::collections::BTreeMap;
use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use contract::class::Class;

/// Width and height, pixels.
const SIZE: (u32, u32) = (640, 520);

/// Left of the bars, for the names of features, pixels.
const NAMES_WIDTH: u32 = 190;

/// The one colour of lines and bars.
const INK: RGBColor = RGBColor(31, 90, 150);

/// Something to draw.
#[derive(Clone, Debug)]
pub(super) enum Figure {
    /// Rows by true class, then by the class they were called.
    Confusion(BTreeMap<Class, BTreeMap<Class, usize>>),
    /// One line in the unit square.
    Curve {
        title: String,
        axes: [&'static str; 2],
        points: Vec<(f64, f64)>,
        /// Whether the diagonal means something: chance, or perfect calibration.
        diagonal: bool,
    },
    /// Named values, the largest on top.
    Bars(Vec<(String, f64)>),
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// The figure as SVG text.
pub(super) fn draw(figure: &Figure) -> Result<String, String> {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        paint(&area, figure)
    };
    drawn.map(|()| text).map_err(|error| error.to_string())
}

fn paint(area: &Area<'_>, figure: &Figure) -> Drawn {
    area.fill(&WHITE)?;
    match figure {
        Figure::Confusion(rows) => confusion(area, rows)?,
        Figure::Curve { .. } => curve(area, figure)?,
        Figure::Bars(bars) => paint_bars(area, bars)?,
    }
    area.present()?;
    Ok(())
}

fn curve(area: &Area<'_>, figure: &Figure) -> Drawn {
    let Figure::Curve {
        title,
        axes: [across, up],
        points,
        diagonal,
    } = figure
    else {
        return Ok(());
    };
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(44)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..1.0, 0.0..1.02)?;
    chart
        .configure_mesh()
        .x_desc(*across)
        .y_desc(*up)
        .light_line_style(TRANSPARENT)
        .draw()?;
    if *diagonal {
        let line = [(0.0, 0.0), (1.0, 1.0)];
        chart.draw_series(LineSeries::new(line, BLACK.mix(0.3)))?;
    }
    chart.draw_series(LineSeries::new(points.iter().copied(), INK.stroke_width(2)))?;
    if points.len() <= 20 {
        let dot = |point: &(f64, f64)| Circle::new(*point, 4, INK.filled());
        chart.draw_series(points.iter().map(dot))?;
    }
    Ok(())
}

fn paint_bars(area: &Area<'_>, bars: &[(String, f64)]) -> Drawn {
    let top = bars.iter().map(|(_, value)| *value).fold(1e-6, f64::max);
    let count = bars.len().max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("Mean contribution to the attack share", ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(30)
        .y_label_area_size(NAMES_WIDTH)
        .build_cartesian_2d(0.0..top * 1.05, 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let style = text(14).pos(Pos::new(HPos::Right, VPos::Center));
    for (place, (name, value)) in bars.iter().enumerate() {
        let row = count - place as f64;
        let bar = Rectangle::new([(0.0, row - 0.85), (*value, row - 0.15)], INK.filled());
        chart.draw_series([bar])?;
        let (_, y) = chart.backend_coord(&(0.0, row - 0.5));
        area.draw(&Text::new(
            name.as_str(),
            (NAMES_WIDTH as i32 + 4, y),
            style.clone(),
        ))?;
    }
    Ok(())
}

/// A square a pair of classes, as dark as the share of the true class it holds.
fn confusion(area: &Area<'_>, rows: &BTreeMap<Class, BTreeMap<Class, usize>>) -> Drawn {
    let mut classes: Vec<Class> = rows.keys().copied().collect();
    classes.extend(rows.values().flat_map(|row| row.keys().copied()));
    classes.sort_unstable();
    classes.dedup();
    let (left, top) = (110, 70);
    let side = (SIZE.0 as i32 - left - 20) / classes.len().max(1) as i32;
    let tall = (SIZE.1 as i32 - top - 20) / classes.len().max(1) as i32;
    let middle = Pos::new(HPos::Center, VPos::Center);
    let caption = Text::new(
        "Rows: what it was. Columns: what it was called.",
        (SIZE.0 as i32 / 2, 20),
        text(18).pos(middle),
    );
    area.draw(&caption)?;
    for (down, truth) in (0..).zip(&classes) {
        let empty = BTreeMap::new();
        let row = rows.get(truth).unwrap_or(&empty);
        let total = row.values().sum::<usize>().max(1);
        let y = top + down * tall;
        let right = text(14).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(truth.as_str(), (left - 8, y + tall / 2), right))?;
        let x = left + down * side + side / 2;
        area.draw(&Text::new(
            truth.as_str(),
            (x, top - 14),
            text(14).pos(middle),
        ))?;
        for (across, called) in (0..).zip(&classes) {
            let count = row.get(called).copied().unwrap_or(0);
            let share = count as f64 / total as f64;
            let x = left + across * side;
            let square = [(x, y), (x + side - 2, y + tall - 2)];
            area.draw(&Rectangle::new(
                square,
                INK.mix(0.04 + 0.96 * share).filled(),
            ))?;
            let ink = if share > 0.5 { WHITE } else { BLACK };
            let style = ("sans-serif", 14).into_font().color(&ink).pos(middle);
            let centre = (x + side / 2, y + tall / 2);
            area.draw(&Text::new(count.to_string(), centre, style))?;
        }
    }
    Ok(())
}

fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}
