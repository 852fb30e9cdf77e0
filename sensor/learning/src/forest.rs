//! Grows trees with smartcore and copies them into the flat forest.
//! The only thing it decides is which rows each tree sees; splitting is smartcore's.
//!
//! smartcore takes no row weights, so every tree is fitted on its own weighted draw of the pool (smartcore then draws
//! its bag from that): no two trees see the same rows, and a fit costs nodes × drawn rows × tried features a tree.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_classifier::{
    RandomForestClassifier, RandomForestClassifierParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::random::Random;
use super::{Error, Progress, Task, Watch};
use detection::model::{Forest, Node};

type Matrix = DenseMatrix<f32>;
type Grown = RandomForestClassifier<f32, u32, Matrix, Vec<u32>>;

/// How trees grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForestSettings {
    /// Trees that vote: below 100 the evidence gets unstable.
    pub trees: u16,
    /// Rows drawn for each tree.
    pub rows_per_tree: usize,
    /// Fewest drawn rows at a leaf.
    pub min_leaf: usize,
    /// Deepest leaf.
    pub max_depth: u16,
    /// Features tried at a split; 0 for the square root of their number.
    pub tried: usize,
    /// Threads that grow trees; the forest is the same for any number.
    pub threads: usize,
}

/// The parts of smartcore's fitted forest that are copied; the rest of its serial form is skipped.
#[derive(Deserialize)]
struct FittedForest {
    trees: Vec<FittedTree>,
    classes: Vec<u32>,
}

#[derive(Deserialize)]
struct FittedTree {
    nodes: Vec<FittedNode>,
}

#[derive(Deserialize)]
struct FittedNode {
    output: usize,
    split_feature: usize,
    split_value: Option<f64>,
    true_child: Option<usize>,
    false_child: Option<usize>,
}

impl Default for ForestSettings {
    fn default() -> Self {
        Self {
            trees: 100,
            rows_per_tree: 16_000,
            min_leaf: 2,
            max_depth: 24,
            tried: 0,
            threads: 2,
        }
    }
}

/// Grows a forest and weighs its nodes for explanations.
pub(super) fn fit(
    task: &Task<'_>,
    settings: &ForestSettings,
    watch: &Watch<'_>,
) -> Result<Forest, Error> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let total = usize::from(settings.trees);
    let work = || -> Result<Vec<(usize, Vec<Node>)>, Error> {
        let mut trees = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                return Ok(trees);
            }
            trees.push((number, grow(task, settings, number)?.1));
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            watch(Progress { done, total });
        }
    };
    let mut trees = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..settings.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        workers.into_iter().try_fold(Vec::new(), |mut all, worker| {
            all.extend(worker.join().map_err(|_| Error::Stopped)??);
            Ok::<_, Error>(all)
        })
    })?;
    trees.sort_by_key(|(number, _)| *number);
    let mut forest = Forest::new(trees.into_iter().map(|(_, tree)| tree));
    let drawn = (task.pool).draw(
        settings.rows_per_tree,
        &mut Random::new(task.seed, u64::MAX),
    );
    let attack: Vec<bool> = task.classes.iter().map(|class| class.is_attack()).collect();
    forest.weigh(drawn.iter().map(|&row| task.data.row(row)), &attack);
    Ok(forest)
}

/// One tree as smartcore has it and as we keep it, after checking that both say the same of every drawn row.
fn grow(
    task: &Task<'_>,
    settings: &ForestSettings,
    number: usize,
) -> Result<(Grown, Vec<Node>), Error> {
    let mut random = Random::new(task.seed, 0x10_0000 + number as u64);
    let rows = task.draw(settings.rows_per_tree, &mut random);
    let (x, y) = table(task, &rows)?;
    let mut parameters = RandomForestClassifierParameters::default()
        .with_n_trees(1)
        .with_min_samples_leaf(settings.min_leaf)
        .with_max_depth(settings.max_depth)
        .with_seed(Random::new(task.seed, number as u64).bits());
    if settings.tried > 0 {
        parameters = parameters.with_m(settings.tried);
    }
    let grown = Grown::fit(&x, &y, parameters).map_err(Error::Fit)?;
    let tree = flatten(&grown)?;
    let expected = grown.predict(&x).map_err(Error::Fit)?;
    let alone = Forest::new([tree.clone()]);
    for (&row, class) in rows.iter().zip(expected) {
        if alone.votes(task.data.row(row)).map(u32::from).next() != Some(class) {
            return Err(Error::Disagrees { tree: number });
        }
    }
    Ok((grown, tree))
}

/// Rows as smartcore takes them: features by column, classes by their position.
fn table(task: &Task<'_>, rows: &[u32]) -> Result<(Matrix, Vec<u32>), Error> {
    let width = task.data.width();
    let mut values = Vec::with_capacity(rows.len() * width);
    for column in 0..width {
        values.extend(
            rows.iter()
                .filter_map(|&row| task.data.row(row).get(column)),
        );
    }
    let x = Matrix::new(rows.len(), width, values, true).map_err(Error::Fit)?;
    Ok((x, rows.iter().map(|&row| task.position(row)).collect()))
}

/// smartcore's single tree in pre-order, left child next.
fn flatten(grown: &Grown) -> Result<Vec<Node>, Error> {
    let mut bytes = Vec::new();
    ciborium::into_writer(grown, &mut bytes).map_err(|e| Error::Export(e.to_string()))?;
    let fitted: FittedForest =
        ciborium::from_reader(bytes.as_slice()).map_err(|e| Error::Export(e.to_string()))?;
    let tree = fitted.trees.first().ok_or_else(|| missing("tree"))?;
    let mut nodes: Vec<Node> = Vec::with_capacity(tree.nodes.len());
    // What is still to be placed: a node, and whose right child it is.
    let mut open: Vec<(usize, Option<usize>)> = vec![(0, None)];
    while let Some((number, parent)) = open.pop() {
        let node = tree.nodes.get(number).ok_or_else(|| missing("node"))?;
        let place = u16::try_from(nodes.len()).map_err(|_| missing("room for a node"))?;
        if let Some(parent) = parent.and_then(|parent| nodes.get_mut(parent)) {
            parent.set_right(place);
        }
        // A node that could not be split further keeps its cut but has no children.
        match (node.true_child, node.false_child, node.split_value) {
            (Some(left), Some(right), Some(value)) => {
                let feature = u8::try_from(node.split_feature).map_err(|_| missing("feature"))?;
                nodes.push(Node::split(feature, value as f32, 0));
                open.push((right, Some(usize::from(place))));
                open.push((left, None));
            }
            _ => {
                let class = fitted.classes.get(node.output).copied();
                let class = class.and_then(|class| u8::try_from(class).ok());
                nodes.push(Node::leaf(class.ok_or_else(|| missing("class"))?));
            }
        }
    }
    Ok(nodes)
}

fn missing(part: &str) -> Error {
    Error::Export(format!("it has no {part}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Sampling;
    use crate::synthetic;
    use ciborium::Value;

    const SMALL: ForestSettings = ForestSettings {
        trees: 12,
        rows_per_tree: 600,
        min_leaf: 1,
        max_depth: 12,
        tried: 2,
        threads: 2,
    };

    #[test]
    fn every_row_gets_the_class_smartcore_predicts() {
        let data = synthetic::overlapping(900, 1);
        let all = data.rows(|_, _| true);
        let (classes, pool) = (data.classes(&all), data.pool(&all, &Sampling::default(), 1));
        let task = Task {
            data: &data,
            pool: &pool,
            classes: &classes,
            seed: 5,
        };
        let forest = fit(&task, &SMALL, &|_| ()).unwrap();
        let grown = together((0..12).map(|number| grow(&task, &SMALL, number).unwrap().0));
        let (x, _) = table(&task, &all).unwrap();
        let mut wrong = 0;
        for (&row, class) in all.iter().zip(grown.predict(&x).unwrap()) {
            let score =
                detection::model::Scorer::Forest(forest.clone()).score(data.row(row), &classes);
            assert_eq!(score.top(), classes[class as usize]);
            wrong += u32::from(score.top() != data.sample(row).unwrap().class);
        }
        assert!(wrong > 0, "rows without doubt would test no tie");
    }

    #[test]
    fn the_same_seed_grows_the_same_forest_on_any_number_of_threads() {
        let data = synthetic::overlapping(300, 1);
        let all = data.rows(|_, _| true);
        let (classes, pool) = (data.classes(&all), data.pool(&all, &Sampling::default(), 1));
        let grown = |seed, threads| {
            let task = Task {
                data: &data,
                pool: &pool,
                classes: &classes,
                seed,
            };
            fit(&task, &ForestSettings { threads, ..SMALL }, &|_| ()).unwrap()
        };
        assert_eq!(grown(5, 1), grown(5, 3));
        assert_ne!(grown(5, 1), grown(6, 1));
    }

    /// One smartcore forest of single-tree forests.
    fn together(forests: impl Iterator<Item = Grown>) -> Grown {
        let mut all: Option<Value> = None;
        for forest in forests {
            let next = Value::serialized(&forest).unwrap();
            match &mut all {
                None => all = Some(next),
                Some(all) => trees(all).append(trees(&mut next.clone())),
            }
        }
        all.unwrap().deserialized().unwrap()
    }

    fn trees(forest: &mut Value) -> &mut Vec<Value> {
        let fields = forest.as_map_mut().unwrap();
        let field = fields
            .iter_mut()
            .find(|(name, _)| name.as_text() == Some("trees"));
        field.unwrap().1.as_array_mut().unwrap()
    }
}
