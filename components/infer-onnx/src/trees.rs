//! Trees of an ONNX model, held to what tract takes for granted.
//!
//! It owns that trees are trees, and that their scores mean the same everywhere: tract finds a node by its
//! place, and onnxruntime differs from the specification where scores of one class alone are transformed.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use tract_onnx::pb::{AttributeProto, NodeProto};

use crate::lower::{find, integers, wrong};

/// A tree and a node of it.
type Place = (i64, i64);

const MISSING: &str = "nodes_missing_value_tracks_true";

/// Checks the trees of a regressor with so many targets, or of a classifier of so many classes, and writes
/// `>=` as `<`: tract takes it for a leaf.
pub(crate) fn check(node: &mut NodeProto, scored: usize, classifier: bool) -> Result<(), String> {
    // Doubles, which tract does not read, instead of floats.
    let double = |attribute: &&AttributeProto| attribute.name.ends_with("_as_tensor");
    if let Some(attribute) = node.attribute.iter().find(double) {
        return Err(wrong(node, &format!("has {:.40}", attribute.name)));
    }
    let leaves = leaves(node).map_err(|why| wrong(node, why))?;
    let prefix = if classifier { "class" } else { "target" };
    let [trees, nodes, ids] =
        ["treeids", "nodeids", "ids"].map(|name| ints(node, &format!("{prefix}_{name}")));
    // One that belongs to no leaf hides all after it from tract.
    let mut of = trees.iter().copied().zip(nodes.iter().copied());
    if !of.all(|place| leaves.contains(&place)) {
        return Err(wrong(node, "has weights of what is no leaf"));
    }
    let there = 0..scored as i64;
    if ids.is_empty() || !ids.iter().all(|id| there.contains(id)) {
        return Err(wrong(node, "has weights of a class or target it has not"));
    }
    let transform = find(node, "post_transform").map_or(&b"NONE"[..], |told| &told.s);
    if !classifier && transform != b"NONE" {
        return Err(wrong(
            node,
            "has a post_transform, which onnxruntime and the specification read differently",
        ));
    }
    // Of two classes one score may stand for both: as a probability, or as what a logistic makes one.
    let one = classifier && scored == 2 && ids.iter().all(|id| Some(id) == ids.first());
    let told = match transform {
        b"NONE" => !floats(node, "class_weights")
            .iter()
            .any(|weight| *weight < 0.0),
        other => other == b"LOGISTIC",
    };
    if one && (ids.first() != Some(&0) || !told) {
        return Err(wrong(
            node,
            "scores one of two classes in a way that the specification and onnxruntime read differently",
        ));
    }
    let base = floats(node, "base_values").len();
    if base != 0 && base != if one { 1 } else { scored } {
        let what = format!("has {base} base_values for {scored} classes or targets");
        return Err(wrong(node, &what));
    }
    turn(node);
    Ok(())
}

/// The leaves. The nodes of each tree are numbered from 0, the root, one by one, and each other one is
/// the child of at most one: so a row comes to a leaf, and to the one that is meant.
fn leaves(node: &NodeProto) -> Result<BTreeSet<Place>, &'static str> {
    let modes = find(node, "nodes_modes").map_or(&[][..], |modes| &modes.strings);
    let lists = [
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_truenodeids",
        "nodes_falsenodeids",
    ]
    .map(|name| ints(node, name));
    if lists.iter().any(|list| list.len() != modes.len()) {
        return Err("has not a tree, a number, a mode and two children for each node");
    }
    let [trees, numbers, yes, no] = lists;
    let nodes = trees.iter().zip(numbers).zip(modes).zip(yes.iter().zip(no));
    let nodes: BTreeMap<Place, _> = nodes
        .map(|(((tree, number), mode), (yes, no))| ((*tree, *number), (mode, *yes, *no)))
        .collect();
    let mut last = None;
    for (tree, number) in nodes.keys().copied() {
        let next = last.filter(|(before, _)| *before == tree);
        if number != next.map_or(0, |(_, number)| number + 1) {
            return Err("has a tree whose nodes are not numbered from 0");
        }
        last = Some((tree, number));
    }
    let (mut leaves, mut children) = (BTreeSet::new(), BTreeSet::new());
    for (place, (mode, yes, no)) in &nodes {
        if *mode == b"LEAF" {
            leaves.insert(*place);
            continue;
        }
        for child in [*yes, *no].map(|child| (place.0, child)) {
            if child.1 == 0 || !nodes.contains_key(&child) || !children.insert(child) {
                return Err("has a tree that is none: not each node is the child of one other");
            }
        }
    }
    if nodes.len() != modes.len() {
        return Err("has two nodes of one number in a tree");
    }
    Ok(leaves)
}

/// `x >= v` as `x < v` with the children exchanged, and where a missing value goes with them.
fn turn(node: &mut NodeProto) {
    let modes = find(node, "nodes_modes").map_or(&[][..], |modes| &modes.strings);
    let turned: Vec<bool> = modes.iter().map(|mode| mode == b"BRANCH_GTE").collect();
    if !turned.contains(&true) {
        return;
    }
    if find(node, MISSING).is_none() {
        let nowhere = integers(MISSING, vec![0; turned.len()]);
        node.attribute.push(nowhere);
    }
    let [mut yes, mut no, mut missing] =
        ["nodes_truenodeids", "nodes_falsenodeids", MISSING].map(|name| take(node, name));
    let places = yes.iter_mut().zip(&mut no).zip(&mut missing).zip(turned);
    for (((yes, no), missing), turned) in places {
        if turned {
            mem::swap(yes, no);
            *missing = i64::from(*missing == 0);
        }
    }
    let lists = [
        ("nodes_truenodeids", yes),
        ("nodes_falsenodeids", no),
        (MISSING, missing),
    ];
    for attribute in &mut node.attribute {
        for mode in &mut attribute.strings {
            if attribute.name == "nodes_modes" && mode == b"BRANCH_GTE" {
                *mode = b"BRANCH_LT".to_vec();
            }
        }
    }
    node.attribute
        .extend(lists.map(|(name, list)| integers(name, list)));
}

/// Takes a list out of the node.
fn take(node: &mut NodeProto, name: &str) -> Vec<i64> {
    let at = node.attribute.iter().position(|there| there.name == name);
    at.map(|at| node.attribute.swap_remove(at).ints)
        .unwrap_or_default()
}

fn floats<'n>(node: &'n NodeProto, name: &str) -> &'n [f32] {
    find(node, name).map_or(&[], |attribute| &attribute.floats)
}

fn ints<'n>(node: &'n NodeProto, name: &str) -> &'n [i64] {
    find(node, name).map_or(&[], |attribute| &attribute.ints)
}
