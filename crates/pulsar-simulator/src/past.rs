//! What is known of a group's lives before the present one.

use crate::plan::{GroupPlan, Shape};

/// With what a group goes on when it begins anew; nothing at its first life.
#[derive(Clone, Default, Debug)]
pub(crate) struct Past {
    /// With which life each child begins.
    pub(crate) lives: Vec<u32>,
    /// How many children there shall be, if that was ever said.
    pub(crate) size: Option<usize>,
    /// Whom operators have stopped.
    pub(crate) stopped: Vec<usize>,
}

impl Past {
    /// The group's description, as operators have changed it.
    pub(crate) fn apply(&self, mut plan: GroupPlan) -> GroupPlan {
        if let Some(size) = self.size.filter(|_| plan.shape == Shape::Pool) {
            plan.children.resize(size, plan.like.clone());
        }
        plan
    }
}
