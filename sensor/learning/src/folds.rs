//! Splits captures so that nothing is judged by a model that has seen its like: whole sources, or whole captures, left out.
//! It fits nothing itself.

use std::collections::BTreeMap;

use super::dataset::{Capture, Dataset};

/// What is left out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// All captures of a source: the only honest test of what was never seen.
    Source,
    /// One capture: classes are spread over the folds as evenly as captures allow.
    Capture,
}

/// Rows to fit on and rows to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What is left out, by name.
    pub left_out: Vec<String>,
    /// Rows to fit on.
    pub fit: Vec<u32>,
    /// Rows to judge.
    pub judge: Vec<u32>,
}

/// At most this many folds over the groups of these rows; `usize::MAX` leaves one group out at a time.
///
/// Groups of the same main class are dealt to the folds with the fewest captures of it, the biggest first.
pub fn folds(data: &Dataset, rows: &[u32], grouping: Grouping, count: usize) -> Vec<Fold> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for &row in rows {
        if let Some((sample, capture)) = data.labelled(row) {
            let group = groups.entry(grouping.name(capture)).or_default();
            group.captures.entry(sample.capture).or_default()[sample.class.index()] += 1;
        }
    }
    let mut order: Vec<(&str, usize, usize)> = groups
        .iter()
        .map(|(name, group)| (*name, group.main_class(), group.captures.len()))
        .collect();
    order.sort_by_key(|(name, class, captures)| (*class, std::cmp::Reverse(*captures), *name));
    let count = count.clamp(1, order.len().max(1));
    let mut dealt: BTreeMap<&str, usize> = BTreeMap::new();
    // Captures of each class, then of all, in each fold.
    let mut loads = vec![(BTreeMap::<usize, usize>::new(), 0usize); count];
    for (name, class, captures) in order {
        let load = |(of, all): &(BTreeMap<usize, usize>, usize)| (of.get(&class).copied(), *all);
        let lightest = (0..count).min_by_key(|&fold| loads.get(fold).map(load));
        let fold = lightest.unwrap_or(0);
        if let Some((of, all)) = loads.get_mut(fold) {
            *of.entry(class).or_default() += captures;
            *all += captures;
        }
        dealt.insert(name, fold);
    }
    let left_out = |row: &u32| {
        let name = data
            .labelled(*row)
            .map(|(_, capture)| grouping.name(capture));
        name.and_then(|name| dealt.get(name)).copied()
    };
    let fold = |number| {
        let (judge, fit) = rows.iter().partition(|row| left_out(row) == Some(number));
        let names = dealt.iter().filter(|(_, fold)| **fold == number);
        Fold {
            left_out: names.map(|(name, _)| (*name).to_owned()).collect(),
            fit,
            judge,
        }
    };
    (0..count).map(fold).collect()
}

/// Rows of each class in each capture of a group.
#[derive(Default)]
struct Group {
    captures: BTreeMap<u32, [usize; contract::class::Class::ALL.len()]>,
}

impl Group {
    /// The attack most captures hold, or benign.
    fn main_class(&self) -> usize {
        let holding = |class: usize| {
            let captures = self.captures.values();
            captures
                .filter(|rows| rows.get(class).is_some_and(|rows| *rows > 0))
                .count()
        };
        (1..contract::class::Class::ALL.len())
            .map(|class| (holding(class), std::cmp::Reverse(class)))
            .max()
            .filter(|(captures, _)| *captures > 0)
            .map_or(0, |(_, class)| class.0)
    }
}

impl Grouping {
    fn name(self, capture: &Capture) -> &str {
        match self {
            Self::Source => &capture.source,
            Self::Capture => &capture.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Sample;
    use contract::class::Class;

    #[test]
    fn no_source_is_on_both_sides_and_every_row_is_judged_once() {
        let data = sources();
        let all = data.rows(|_, _| true);
        for count in [2, 3, usize::MAX] {
            let folds = folds(&data, &all, Grouping::Source, count);
            assert_eq!(folds.len(), count.min(6));
            let mut judged: Vec<u32> = folds.iter().flat_map(|fold| fold.judge.clone()).collect();
            judged.sort_unstable();
            assert_eq!(judged, all);
            for fold in &folds {
                assert_eq!(fold.fit.len() + fold.judge.len(), all.len());
                let source = |row: &u32| &data.labelled(*row).unwrap().1.source;
                assert!(
                    fold.judge
                        .iter()
                        .all(|row| fold.left_out.contains(source(row)))
                );
                assert!(
                    !fold
                        .fit
                        .iter()
                        .any(|row| fold.left_out.contains(source(row)))
                );
            }
        }
    }

    #[test]
    fn each_class_is_spread_over_the_folds() {
        let data = sources();
        let all = data.rows(|_, _| true);
        for fold in folds(&data, &all, Grouping::Source, 2) {
            for class in [Class::Benign, Class::Scan] {
                let held =
                    |rows: &[u32]| rows.iter().any(|&r| data.sample(r).unwrap().class == class);
                assert!(held(&fold.fit) && held(&fold.judge), "{class}");
            }
        }
        assert_eq!(folds(&data, &all, Grouping::Capture, usize::MAX).len(), 12);
    }

    /// Six sources of two captures, half of them with scans.
    fn sources() -> Dataset {
        let mut data = Dataset::new(1);
        for number in 0..12u32 {
            let capture = data.add_capture(Capture {
                name: format!("{number}"),
                source: format!("s{}", number / 2),
                split: "train".into(),
            });
            for row in 0..5 {
                let class = if number < 6 && row > 2 {
                    Class::Scan
                } else {
                    Class::Benign
                };
                let sample = Sample {
                    capture,
                    address: 0,
                    time: row,
                    class,
                    attacker: false,
                    active: true,
                };
                data.push(sample, &[0.0]);
            }
        }
        data
    }
}
