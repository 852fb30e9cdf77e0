//! How fast attacks are found, blocked and answered, by month and site. The months are measured once in five minutes, and
//! kept for whoever sees the same sites.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::door::Visitor;
use super::format::{number, span};
use super::page::{Shell, Shown, html};
use super::picture::{Picture, pairs};
use super::words::Words;
use crate::api::{App, Problem};
use crate::moment;
use crate::store::{Month, Scope};

/// Months that are looked at.
const MONTHS: usize = 12;
/// How long figures are kept.
const KEPT: Duration = Duration::from_secs(300);
/// Sets of sites whose figures are kept.
const SETS: usize = 64;

/// A month by its name, and how it went at each site.
type Months = Vec<(String, BTreeMap<String, Month>)>;

/// Months, and when they were measured.
type Measured = (Instant, Arc<Months>);

/// Figures that were measured lately, by the sites they are of.
#[derive(Clone, Default)]
pub(super) struct Cache(Arc<Mutex<BTreeMap<String, Measured>>>);

/// A month at a site.
struct Row {
    month: String,
    site: String,
    incidents: String,
    detect: String,
    block: String,
    answer: String,
    answered: String,
    innocent: String,
}

#[derive(Template)]
#[template(path = "figures.html")]
struct FiguresPage {
    shell: Shell,
    picture: Picture,
    rows: Vec<Row>,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Extension(cache): Extension<Cache>,
) -> Shown {
    let words = visitor.words;
    let shell = Shell::new(&app, &visitor, ("figures", words.figures)).await?;
    let months = months(&app, &visitor.who.scope, &cache).await?;
    let rows = months.iter().rev().flat_map(|(month, sites)| {
        sites.iter().map(|(site, went)| Row {
            month: month.clone(),
            site: site.clone(),
            incidents: number(went.incidents),
            detect: mean(words, went.detect),
            block: mean(words, went.block),
            answer: mean(words, went.answer),
            answered: number(went.answer.0),
            innocent: number(went.innocent),
        })
    });
    let drawn: Vec<_> = months
        .iter()
        .filter(|(_, sites)| !sites.is_empty())
        .map(|(month, sites)| {
            let of = |pick: fn(&Month) -> (i64, i64)| {
                let (count, sum) = sites
                    .values()
                    .map(pick)
                    .fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
                (
                    if count > 0 { sum / count } else { 0 },
                    mean(words, (count, sum)),
                )
            };
            (
                month.clone(),
                [of(|went| went.detect), of(|went| went.answer)],
            )
        })
        .collect();
    let page = FiguresPage {
        rows: rows.collect(),
        picture: pairs(words.by_month, (words.mttd, words.mttr), &drawn),
        shell,
    };
    Ok(html(&page))
}

fn mean(words: &Words, (count, sum): (i64, i64)) -> String {
    if count > 0 {
        span(words, sum / count)
    } else {
        "–".to_owned()
    }
}

async fn months(app: &App, scope: &Scope, cache: &Cache) -> Result<Arc<Months>, Problem> {
    let name = scope.write();
    let known = {
        let kept = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&name)
            .filter(|(at, _)| at.elapsed() < KEPT)
            .map(|(_, months)| Arc::clone(months))
    };
    if let Some(months) = known {
        return Ok(months);
    }
    let mut months = Vec::new();
    for (name, span) in spans(moment::now()) {
        months.push((name, app.store.month(scope, span).await?));
    }
    let months = Arc::new(months);
    let mut kept = cache.0.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= SETS {
        kept.retain(|_, (at, _)| at.elapsed() < KEPT);
    }
    if kept.len() < SETS {
        kept.insert(name, (Instant::now(), Arc::clone(&months)));
    }
    Ok(months)
}

/// The last months with their beginnings and ends, the oldest first.
fn spans(now: i64) -> Vec<(String, (i64, i64))> {
    let text = moment::text(now);
    let mut parts = text.split('-').filter_map(|part| part.parse::<i64>().ok());
    let (year, month) = (parts.next().unwrap_or(1970), parts.next().unwrap_or(1));
    let begin = |count: i64| {
        let (year, month) = (count.div_euclid(12), count.rem_euclid(12) + 1);
        let name = format!("{year:04}-{month:02}");
        let at = moment::read(&format!("{name}-01T00:00:00Z")).unwrap_or(0);
        (name, at)
    };
    let last = year * 12 + month - 1;
    let first = last - i64::try_from(MONTHS).unwrap_or(12) + 1;
    (first..=last)
        .map(|count| {
            let ((name, from), (_, to)) = (begin(count), begin(count + 1));
            (name, (from, to))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_over_the_end_of_a_year() {
        let now = moment::read("2026-02-10T12:00:00Z").unwrap();
        let spans = spans(now);
        assert_eq!(
            (spans.len(), spans[0].0.as_str(), spans[11].0.as_str()),
            (12, "2025-03", "2026-02")
        );
        assert!(spans.windows(2).all(|pair| pair[0].1.1 == pair[1].1.0));
        assert!(spans[11].1.0 <= now && now < spans[11].1.1);
    }
}
