//! Orders actors below those that manage them.

use std::collections::HashMap;

use pulsar_control::ActorRow;

/// The rows, each followed by those it manages, with its depth. Rows whose manager is not in the list are at
/// depth 0. Each row appears once, whatever the rows say of each other.
pub(crate) fn tree(rows: &[ActorRow]) -> Vec<(usize, &ActorRow)> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(rows.len());
    for (place, row) in rows.iter().enumerate() {
        places.entry(row.aid.as_str()).or_insert(place);
        if !row.name.is_empty() {
            places.entry(row.name.as_str()).or_insert(place);
        }
    }
    let manager = |row: &ActorRow| {
        row.monitor
            .as_deref()
            .and_then(|manager| places.get(manager).copied())
    };
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut roots = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        match manager(row) {
            Some(manager) if manager != place => children[manager].push(place),
            _ => roots.push(place),
        }
    }
    let mut ordered = Vec::with_capacity(rows.len());
    let mut seen = vec![false; rows.len()];
    // After the roots come those of a circle, which no root leads to.
    for root in roots.into_iter().chain(0..rows.len()) {
        let mut open = vec![(0, root)];
        while let Some((depth, place)) = open.pop() {
            if !std::mem::replace(&mut seen[place], true) {
                ordered.push((depth, &rows[place]));
                open.extend(
                    children[place]
                        .iter()
                        .rev()
                        .map(|&child| (depth + 1, child)),
                );
            }
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use pulsar_control::{Placement, Role, State};

    use super::*;

    fn row(aid: &str, monitor: Option<&str>) -> ActorRow {
        ActorRow {
            aid: aid.into(),
            name: String::new(),
            role: Role::Actor,
            placement: Placement::Task,
            pid: None,
            state: State::Running,
            monitor: monitor.map(Into::into),
            uptime_s: 0.0,
            incarnation: 1,
            generation: 0,
            restarts: 0,
            last_exit: None,
            rss_bytes: None,
            cpu_percent: None,
            mailbox_depth: 0,
        }
    }

    fn order(rows: &[ActorRow]) -> Vec<(usize, &str)> {
        tree(rows)
            .into_iter()
            .map(|(depth, row)| (depth, row.aid.as_str()))
            .collect()
    }

    #[test]
    fn children_follow_their_monitor() {
        let rows = [
            row("w1", Some("m")),
            row("arbiter", None),
            row("m", Some("arbiter")),
            row("w2", Some("m")),
            row("stray", Some("gone")),
        ];
        assert_eq!(
            order(&rows),
            [(0, "arbiter"), (1, "m"), (2, "w1"), (2, "w2"), (0, "stray")]
        );
    }

    #[test]
    fn circles_and_doubles_lose_no_row() {
        let rows = [
            row("a", Some("b")),
            row("b", Some("a")),
            row("self", Some("self")),
            row("self", None),
        ];
        let order = order(&rows);
        assert_eq!(order.len(), 4);
        assert_eq!(order[2..], [(0, "a"), (1, "b")]);
    }
}
