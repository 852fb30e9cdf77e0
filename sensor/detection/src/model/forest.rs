//! The compiled forest: every tree flat, in pre-order, walked without allocation.
//! It is given finished trees and never learns.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::packed::Bytes;
use super::scorer::Shares;
use super::{Error, MAX_FEATURES};
use contract::class::Class;

/// Bytes of one stored node.
const NODE_BYTES: usize = 8;

/// A node is a leaf when its feature is this.
const LEAF: u8 = u8::MAX;

/// Where a row goes next: left is the following node, right is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    threshold: f32,
    /// Right child from the root of its tree; for a leaf, the class it votes for.
    right: u16,
    feature: u8,
    /// Share, in 255ths, of the training rows here that end at a leaf voting for an attack.
    share: u8,
}

/// Trees that vote, one vote each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    /// Nodes of each tree, in order.
    sizes: Vec<u32>,
    #[serde(serialize_with = "write_nodes", deserialize_with = "read_nodes")]
    nodes: Vec<Node>,
}

impl Node {
    /// A node that sends a row left when `feature <= threshold`, else to `right` (counted from the tree's root).
    pub fn split(feature: u8, threshold: f32, right: u16) -> Self {
        Self {
            threshold,
            right,
            feature,
            share: 0,
        }
    }

    /// A leaf voting for the class at this position of the model's classes.
    pub fn leaf(class: u8) -> Self {
        Self {
            threshold: 0.0,
            right: u16::from(class),
            feature: LEAF,
            share: 0,
        }
    }

    /// Sets the right child, once its place is known.
    pub fn set_right(&mut self, right: u16) {
        self.right = right;
    }

    fn is_leaf(self) -> bool {
        self.feature == LEAF
    }
}

impl Forest {
    /// Puts trees together; each is in pre-order.
    pub fn new(trees: impl IntoIterator<Item = Vec<Node>>) -> Self {
        let (mut sizes, mut nodes) = (Vec::new(), Vec::new());
        for tree in trees {
            sizes.push(tree.len() as u32);
            nodes.extend(tree);
        }
        Self { sizes, nodes }
    }

    /// How many trees vote.
    pub fn trees(&self) -> usize {
        self.sizes.len()
    }

    /// How many nodes all trees have.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The class position each tree votes for, in tree order.
    pub fn votes<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = u16> + 'a {
        self.walks()
            .map(|tree| walk(tree, row, |_, _| ()).map_or(0, |leaf| leaf.right))
    }

    /// Each class position's share of the votes.
    pub(super) fn shares(&self, row: &[f32]) -> Shares {
        let mut votes = [0u32; Class::ALL.len()];
        for vote in self.votes(row) {
            if let Some(count) = votes.get_mut(usize::from(vote)) {
                *count += 1;
            }
        }
        votes.map(|count| count as f32 / self.trees() as f32)
    }

    /// Adds to `weights` what each feature did to the attack share, averaged over the trees
    /// (path contributions: Saabas 2014). `attack` tells which class positions are attacks.
    pub(super) fn contribute(&self, row: &[f32], attack: &[bool], weights: &mut [f32]) {
        let scale = 1.0 / (255.0 * self.trees().max(1) as f32);
        for tree in self.walks() {
            let mut open: Option<(u8, u8)> = None;
            let mut charge = |open: Option<(u8, u8)>, now: u8| {
                if let Some((feature, before)) = open
                    && let Some(weight) = weights.get_mut(usize::from(feature))
                {
                    *weight += (f32::from(now) - f32::from(before)) * scale;
                }
            };
            let leaf = walk(tree, row, |feature, share| {
                charge(open, share);
                open = Some((feature, share));
            });
            let voted = leaf.and_then(|leaf| attack.get(usize::from(leaf.right)));
            charge(open, if voted == Some(&true) { 255 } else { 0 });
        }
    }

    /// Sets every node's attack share by dropping `rows` through the trees.
    pub fn weigh<'a>(&mut self, rows: impl Iterator<Item = &'a [f32]> + Clone, attack: &[bool]) {
        let mut start = 0;
        for size in &self.sizes {
            let Some(tree) = self.nodes.get_mut(start..start + *size as usize) else {
                return;
            };
            start += tree.len();
            let mut seen = vec![(0u32, 0u32); tree.len()];
            for row in rows.clone() {
                charge_path(tree, row, attack, &mut seen);
            }
            for (node, (rows, attacks)) in tree.iter_mut().zip(seen) {
                node.share = (255.0 * attacks as f32 / rows.max(1) as f32).round() as u8;
            }
        }
    }

    /// Refuses trees that could loop, leave the array, or read a feature or class that is not there.
    pub(super) fn verify(&self, features: usize, classes: usize) -> Result<(), Error> {
        let total: u64 = self.sizes.iter().map(|size| u64::from(*size)).sum();
        if self.sizes.is_empty() || self.sizes.contains(&0) || total != self.nodes.len() as u64 {
            return Err(Error::Structure("the trees do not cover the nodes".into()));
        }
        for (number, tree) in self.walks().enumerate() {
            for (at, node) in tree.iter().enumerate() {
                let fault = if !node.threshold.is_finite() {
                    "has a threshold that is no number"
                } else if node.is_leaf() && usize::from(node.right) >= classes {
                    "votes for a class that is not there"
                } else if node.is_leaf() {
                    continue;
                } else if usize::from(node.feature) >= features {
                    "asks for a feature that is not there"
                } else if usize::from(node.right) <= at + 1 || usize::from(node.right) >= tree.len()
                {
                    "has a child outside its subtree"
                } else {
                    continue;
                };
                return Err(Error::Structure(format!(
                    "node {at} of tree {number} {fault}"
                )));
            }
        }
        Ok(())
    }

    fn walks(&self) -> impl Iterator<Item = &[Node]> {
        let mut rest = self.nodes.as_slice();
        self.sizes.iter().map(move |size| {
            let (tree, after) = rest.split_at_checked(*size as usize).unwrap_or((rest, &[]));
            rest = after;
            tree
        })
    }
}

/// Follows a row to its leaf, telling each split on the way.
#[inline(always)]
fn walk(tree: &[Node], row: &[f32], mut visit: impl FnMut(u8, u8)) -> Option<Node> {
    let mut at = 0;
    loop {
        let node = *tree.get(at)?;
        if node.is_leaf() {
            return Some(node);
        }
        visit(node.feature, node.share);
        let left = *row.get(usize::from(node.feature))? <= node.threshold;
        at = if left {
            at + 1
        } else {
            usize::from(node.right)
        };
    }
}

/// Counts a row at every node it passes, and again if its leaf votes for an attack.
fn charge_path(tree: &[Node], row: &[f32], attack: &[bool], seen: &mut [(u32, u32)]) {
    let vote = walk(tree, row, |_, _| ()).map_or(0, |leaf| leaf.right);
    let hit = u32::from(attack.get(usize::from(vote)) == Some(&true));
    let mut at = 0;
    while let (Some(node), Some(count)) = (tree.get(at), seen.get_mut(at)) {
        *count = (count.0 + 1, count.1 + hit);
        if node.is_leaf() {
            return;
        }
        let value = row.get(usize::from(node.feature)).copied();
        let left = value.is_some_and(|value| value <= node.threshold);
        at = if left {
            at + 1
        } else {
            usize::from(node.right)
        };
    }
}

fn write_nodes<S: Serializer>(nodes: &[Node], to: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::with_capacity(nodes.len() * NODE_BYTES);
    for node in nodes {
        bytes.extend(node.threshold.to_le_bytes());
        bytes.extend(node.right.to_le_bytes());
        bytes.extend([node.feature, node.share]);
    }
    to.serialize_bytes(&bytes)
}

fn read_nodes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Node>, D::Error> {
    let bytes = from.deserialize_byte_buf(Bytes)?;
    let (nodes, rest) = bytes.as_chunks::<NODE_BYTES>();
    if !rest.is_empty() {
        let found = bytes.len();
        return Err(serde::de::Error::invalid_length(found, &"whole nodes"));
    }
    Ok(nodes
        .iter()
        .map(|&[a, b, c, d, low, high, feature, share]| Node {
            threshold: f32::from_le_bytes([a, b, c, d]),
            right: u16::from_le_bytes([low, high]),
            feature,
            share,
        })
        .collect())
}

// A feature number must never be taken for the mark of a leaf.
const _: () = assert!(MAX_FEATURES <= LEAF as usize);

#[cfg(test)]
mod tests {
    use super::*;

    /// One question, then another on its right: benign, attack, benign.
    fn stump() -> Vec<Node> {
        vec![
            Node::split(0, 10.0, 2),
            Node::leaf(0),
            Node::split(1, 5.0, 4),
            Node::leaf(1),
            Node::leaf(0),
        ]
    }

    #[test]
    fn a_row_on_the_threshold_goes_left() {
        let forest = Forest::new([stump()]);
        let vote = |row: [f32; 2]| forest.votes(&row).next();
        assert_eq!(vote([10.0, 0.0]), Some(0));
        assert_eq!(vote([10.5, 5.0]), Some(1));
        assert_eq!(vote([10.5, 5.5]), Some(0));
    }

    #[test]
    fn contributions_lead_from_the_base_rate_to_the_vote() {
        let mut forest = Forest::new([stump()]);
        let rows = [[1.0, 1.0], [20.0, 1.0], [20.0, 9.0], [20.0, 2.0]];
        let attack = [false, true];
        forest.weigh(rows.iter().map(|row| row.as_slice()), &attack);
        let mut weights = [0.0; 2];
        forest.contribute(&[20.0, 1.0], &attack, &mut weights);
        // 2 of 4 rows are voted attacks at the root, 2 of 3 after the first question, all at the leaf.
        assert!((weights[0] - (2.0 / 3.0 - 0.5)).abs() < 0.01);
        assert!((weights[1] - (1.0 - 2.0 / 3.0)).abs() < 0.01);
    }

    #[test]
    fn trees_that_could_loop_or_leave_are_refused() {
        let faults = [
            (Node::split(0, 10.0, 0), "child"),
            (Node::split(0, 10.0, 1), "child"),
            (Node::split(0, 10.0, 5), "child"),
            (Node::split(7, 10.0, 2), "feature"),
            (Node::split(0, f32::NAN, 2), "number"),
            (Node::leaf(9), "class"),
        ];
        Forest::new([stump()]).verify(2, 2).unwrap();
        for (root, word) in faults {
            let mut tree = stump();
            tree[0] = root;
            let error = Forest::new([tree]).verify(2, 2).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(Forest::new([]).verify(2, 2).is_err());
        assert!(Forest::new([vec![]]).verify(2, 2).is_err());
    }
}
