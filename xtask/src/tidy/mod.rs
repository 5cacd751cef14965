//! `cargo xtask tidy`: the rules of the house that a compiler does not hold.
//!
//! # Layout
//! - [`mod@run`]: loads the tree once, runs each check, prints what it finds.
//! - [`tree`]: what the checks look at; [`source`]: Rust text with code and comments apart;
//!   [`manifest`]: the little of TOML that the checks read; [`problem`]: one finding.
//! - One file for each check: [`layering`], [`limits`], [`unsafe_code`], [`leftovers`],
//!   [`file_names`], [`links`], [`licences`], [`manifests`], [`promises`].
//!
//! A check is a function of a [`tree::Tree`], so its tests give it a small tree made in memory.

mod file_names;
mod layering;
mod leftovers;
mod licences;
mod limits;
mod links;
mod manifest;
mod manifests;
mod problem;
mod promises;
mod run;
mod source;
mod tree;
mod unsafe_code;

pub(crate) use run::run;
