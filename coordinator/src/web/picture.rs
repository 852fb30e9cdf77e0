//! Pictures as SVG, made by the server: a course of events in lanes, and bars. Every text in them is escaped here; colours
//! come from the style sheet, by class.

use std::fmt::{self, Write};

use askama::filters::HtmlSafe;

use super::format::plain;
use crate::moment::SECOND;

/// Sizes in the picture's own units.
const WIDTH: i64 = 1_000;
const LABEL: i64 = 190;
const RIGHT: i64 = 20;
const LANE: i64 = 30;
const TOP: i64 = 12;
const AXIS: i64 = 26;
/// Lanes at most; what is more stands in the table.
const LANES: usize = 24;
/// Letters of a lane's name at most.
const NAME: usize = 26;
/// Steps of the axis, seconds.
const STEPS: [i64; 20] = [
    1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 172_800,
    604_800, 2_592_000, 7_776_000, 31_536_000,
];

/// A picture, safe as it is.
pub(super) struct Picture(String);

impl HtmlSafe for Picture {}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something that happened at a moment.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) at: i64,
    /// `""`, `good`, `bad` or `warn`.
    pub(super) tone: &'static str,
    pub(super) text: String,
}

/// Something that lasted.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) from: i64,
    pub(super) to: i64,
    /// `span` or `held`.
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// One line of a course of events.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) marks: Vec<Mark>,
    pub(super) bars: Vec<Bar>,
}

/// A course of events: one lane each, from the first to the last moment.
pub(super) fn course(title: &str, lanes: &[Lane]) -> Picture {
    let moments = lanes.iter().flat_map(|lane| {
        let marks = lane.marks.iter().map(|mark| mark.at);
        marks.chain(lane.bars.iter().flat_map(|bar| [bar.from, bar.to]))
    });
    let (least, most) = moments.fold((i64::MAX, i64::MIN), |(least, most), at| {
        (least.min(at), most.max(at))
    });
    if least > most {
        return Picture(String::new());
    }
    let margin = ((most - least) / 40).max(SECOND);
    let (from, to) = (least - margin, most + margin);
    let x = |at: i64| {
        LABEL + (at.clamp(from, to) - from) * (WIDTH - LABEL - RIGHT) / (to - from).max(1)
    };
    let shown = lanes.get(..LANES.min(lanes.len())).unwrap_or_default();
    let bottom = TOP + LANE * i64::try_from(shown.len()).unwrap_or(0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
        bottom + AXIS,
        escaped(title)
    );
    axis(&mut svg, (from, to), (bottom, &x));
    for (lane, top) in shown.iter().zip((TOP..).step_by(LANE as usize)) {
        draw(&mut svg, lane, (top + LANE / 2, &x));
    }
    svg.push_str("</svg>");
    Picture(svg)
}

fn draw(svg: &mut String, lane: &Lane, (middle, x): (i64, &dyn Fn(i64) -> i64)) {
    let short: String = match lane.name.chars().count() > NAME {
        true => lane.name.chars().take(NAME - 1).chain(['…']).collect(),
        false => lane.name.clone(),
    };
    let _ = write!(
        svg,
        "<line class=\"lane\" x1=\"{LABEL}\" x2=\"{}\" y1=\"{middle}\" y2=\"{middle}\"/><text class=\"name\" x=\"0\" y=\"{}\">{}</text>",
        WIDTH - RIGHT,
        middle + 4,
        escaped(&short)
    );
    for bar in &lane.bars {
        let (left, right) = (x(bar.from), x(bar.to));
        let _ = write!(
            svg,
            "<rect class=\"{}\" x=\"{left}\" y=\"{}\" width=\"{}\" height=\"12\" rx=\"2\"><title>{}</title></rect>",
            bar.kind,
            middle - 6,
            (right - left).max(3),
            escaped(&bar.text)
        );
    }
    for mark in &lane.marks {
        let _ = write!(
            svg,
            "<circle class=\"mark {}\" cx=\"{}\" cy=\"{middle}\" r=\"5.5\"><title>{}: {}</title></circle>",
            mark.tone,
            x(mark.at),
            plain(mark.at),
            escaped(&mark.text)
        );
    }
}

fn axis(svg: &mut String, (from, to): (i64, i64), (bottom, x): (i64, &dyn Fn(i64) -> i64)) {
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{LABEL}\" x2=\"{}\" y1=\"{bottom}\" y2=\"{bottom}\"/>",
        WIDTH - RIGHT
    );
    let wanted = (to - from) / 6;
    let step = STEPS
        .into_iter()
        .map(|step| step * SECOND)
        .find(|step| *step >= wanted);
    let step = step.unwrap_or(STEPS[STEPS.len() - 1] * SECOND);
    let mut at = from.div_euclid(step) * step + step;
    let mut last_day = String::new();
    while at <= to {
        let text = plain(at);
        let (day, time) = text.split_once(' ').unwrap_or((&text, ""));
        let time = if step < 60 * SECOND {
            time
        } else {
            time.get(..5).unwrap_or(time)
        };
        let day = day.get(5..).unwrap_or(day);
        let label = match (step >= 86_400 * SECOND, last_day == day) {
            (true, _) => day.to_owned(),
            (false, true) => time.to_owned(),
            (false, false) => format!("{day} {time}"),
        };
        day.clone_into(&mut last_day);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\"/><text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\">{label}</text>",
            x(at),
            TOP - 4,
            bottom + 4,
            bottom + 19
        );
        at += step;
    }
}

/// A bar that goes to the right for what spoke for something, to the left for what spoke against it. `share` is -1 to 1.
pub(super) fn share(share: f64) -> Picture {
    let share = share.clamp(-1.0, 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "it is below a hundred")]
    let width = (share.abs() * 98.0).round().max(1.0) as i64;
    let (class, left) = if share < 0.0 {
        ("against", 100 - width)
    } else {
        ("for", 100)
    };
    Picture(format!(
        "<svg viewBox=\"0 0 200 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"{class}\" x=\"{left}\" y=\"2\" width=\"{width}\" height=\"10\"/><line class=\"axis\" x1=\"100\" x2=\"100\" y1=\"0\" y2=\"14\"/></svg>"
    ))
}

/// A bar from the left. `part` is 0 to 1.
pub(super) fn part(part: f64) -> Picture {
    #[expect(clippy::cast_possible_truncation, reason = "it is below two hundred")]
    let width = (part.clamp(0.0, 1.0) * 200.0).round().max(1.0) as i64;
    Picture(format!(
        "<svg viewBox=\"0 0 200 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"for\" x=\"0\" y=\"2\" width=\"{width}\" height=\"10\"/></svg>"
    ))
}

/// Pairs of bars side by side, one pair a month: names, and two values each with its text.
pub(super) fn pairs(
    title: &str,
    names: (&str, &str),
    months: &[(String, [(i64, String); 2])],
) -> Picture {
    let (height, top, bottom) = (190, 30, 150);
    let most = months
        .iter()
        .flat_map(|(_, values)| values.iter().map(|(value, _)| *value))
        .max()
        .unwrap_or(0)
        .max(1);
    let slot = (WIDTH - 20) / i64::try_from(months.len().max(1)).unwrap_or(1);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
        escaped(title)
    );
    let _ = write!(
        svg,
        "<rect class=\"span\" x=\"0\" y=\"2\" width=\"12\" height=\"12\"/><text x=\"18\" y=\"12\">{}</text><rect class=\"held\" x=\"260\" y=\"2\" width=\"12\" height=\"12\"/><text x=\"278\" y=\"12\">{}</text><line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{bottom}\" y2=\"{bottom}\"/>",
        escaped(names.0),
        escaped(names.1)
    );
    let bar = slot.min(120) / 3;
    for ((month, values), left) in months
        .iter()
        .zip((10..).step_by(usize::try_from(slot).unwrap_or(1).max(1)))
    {
        for (at, ((value, text), class)) in values.iter().zip(["span", "held"]).enumerate() {
            let tall = (*value * (bottom - top - 14) / most).max(i64::from(*value > 0));
            let x = left + i64::try_from(at).unwrap_or(0) * (bar + 4);
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{bar}\" height=\"{tall}\"><title>{}</title></rect>",
                bottom - tall,
                escaped(text)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            left + bar,
            bottom + 18,
            escaped(month)
        );
    }
    svg.push_str("</svg>");
    Picture(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_stays_text_in_a_picture() {
        let hostile = "<script>alert(1)</script>\"'";
        let mark = |at| Mark {
            at,
            tone: "",
            text: hostile.to_owned(),
        };
        let lane = Lane {
            name: hostile.to_owned(),
            marks: vec![mark(0), mark(90 * SECOND)],
            bars: vec![Bar {
                from: 0,
                to: SECOND,
                kind: "held",
                text: hostile.to_owned(),
            }],
        };
        let text = course(hostile, &[lane]).to_string();
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;"));
        assert!(course("", &[]).to_string().is_empty());
    }
}
