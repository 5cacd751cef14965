//! Dependencies between our crates point one way: down.

use super::manifest;
use super::problem::Problem;
use super::tree::{Dependency, Member, Tree};

/// The layers, lowest first. A crate may depend on crates of lower layers only.
const LAYERS: &[&[&str]] = &[
    &["pulsar-wire", "pulsar-sys", "pulsar-macros", "pulsar-ring"],
    &["pulsar-model"],
    &[
        "pulsar-policy",
        "pulsar-settings",
        "pulsar-loop",
        "pulsar-child",
    ],
    &["pulsar-link"],
    &["pulsar-mailbox", "pulsar-reports"],
    &["pulsar-actor"],
    &["pulsar-registry"],
    &["pulsar-core"],
    &["pulsar-monitor", "pulsar-harness"],
    &[CONTROL],
    &["pulsar-app"],
    &["pulsar-net"],
    &["pulsar-http"],
    &["pulsar-dashboard"],
    &["pulsar-actors"],
];

/// So many layers above a crate is the one that completes it: above `pulsar-actor` stands the registry, then the core.
const COMPLETED_WITHIN: usize = 2;
const CONTROL: &str = "pulsar-control";
/// An edge: a client of the control socket, nothing more.
const CLI: &str = "pulsar-cli";
/// An edge: it may reach everything, and only tests may reach it.
const TESTKIT: &str = "pulsar-testkit";
/// An edge: it may reach the policies and the words in which they are told, so that it runs with nothing
/// else; only tests and chores may reach it.
const SIMULATOR: &str = "pulsar-simulator";
const SIMULATED: &[&str] = &["pulsar-policy", "pulsar-model", "pulsar-sys"];
/// What only the actor layer may reach: what stands above uses its public API.
const HIDDEN_FROM_APPLICATIONS: &[&str] = &["pulsar-wire", "pulsar-sys"];
/// Frames and codec do no I/O.
const WIRE: &str = "pulsar-wire";

/// Where a crate of ours stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The index of its layer.
    Layer(usize),
    Cli,
    Testkit,
    Simulator,
    /// Examples, tests and chores: they may depend on anything.
    Outside,
}

pub(crate) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in &tree.members {
        let Some(place) = place(member) else {
            problems.push(unknown(member));
            continue;
        };
        for dependency in &member.dependencies {
            let wrong = wrong_arrow(tree, member, place, dependency);
            if let Some(message) = wrong.or_else(|| wrong_runtime(member, dependency)) {
                let line = member.dependency_line(&dependency.name);
                problems.push(Problem::new(&member.manifest_path(), line, message));
            }
        }
    }
    problems
}

fn place(member: &Member) -> Option<Place> {
    let layer = LAYERS
        .iter()
        .position(|layer| layer.contains(&member.name.as_str()));
    match (layer, member.name.as_str()) {
        (Some(index), _) => Some(Place::Layer(index)),
        (None, CLI) => Some(Place::Cli),
        (None, TESTKIT) => Some(Place::Testkit),
        (None, SIMULATOR) => Some(Place::Simulator),
        (None, _) => (!member.dir.starts_with("crates/")).then_some(Place::Outside),
    }
}

fn unknown(member: &Member) -> Problem {
    let name = &member.name;
    let line = manifest_name_line(member);
    let message = format!("{name} has no layer: add it to LAYERS in xtask/src/tidy/layering.rs");
    Problem::new(&member.manifest_path(), line, message)
}

fn manifest_name_line(member: &Member) -> usize {
    let written = manifest::value(&member.manifest, "package", "name").unwrap_or_default();
    let mut lines = member.manifest.lines();
    let index = lines.position(|line| line.starts_with("name") && line.contains(written));
    index.map_or(1, |index| index + 1)
}

/// What is wrong with an arrow between two crates of ours, if anything.
fn wrong_arrow(
    tree: &Tree,
    from: &Member,
    place_of_from: Place,
    arrow: &Dependency,
) -> Option<String> {
    let target = tree
        .members
        .iter()
        .find(|member| member.name == arrow.name)?;
    let (name, to) = (&from.name, &target.name);
    match (place_of_from, place(target)?) {
        (Place::Outside | Place::Testkit, _) => None,
        (Place::Simulator, _) => (!SIMULATED.contains(&to.as_str())).then(|| {
            let may = SIMULATED.join(", ");
            format!("{name} depends on {to}: of ours it may use {may} only, it simulates the rest")
        }),
        (_, Place::Testkit | Place::Simulator) if arrow.dev => None,
        (_, Place::Testkit | Place::Simulator) => Some(format!(
            "{name} depends on {to}: only tests may, make it a dev-dependency"
        )),
        (Place::Cli, _) => (to != CONTROL).then(|| {
            format!("{name} depends on {to}: of ours it may use {CONTROL} only, speak to the control socket")
        }),
        (Place::Layer(upper), Place::Layer(lower)) => {
            wrong_step(name, upper, to, lower, arrow.dev)
        }
        (Place::Layer(_), Place::Cli | Place::Outside) => Some(format!(
            "{name} depends on {to}, which is no layer: move what it needs to a lower layer"
        )),
    }
}

fn wrong_step(name: &str, upper: usize, to: &str, lower: usize, dev: bool) -> Option<String> {
    // A test may use a neighbour of its own layer, and an example in the documentation the layer
    // that completes it: no user of the crate ever builds that arrow.
    let points_down = lower < upper || (dev && lower <= upper + COMPLETED_WITHIN);
    let is_application = LAYERS.iter().position(|layer| layer.contains(&CONTROL)) <= Some(upper);
    if !points_down {
        Some(format!(
            "{name} depends on {to}, which is not below it: move what it needs to a lower layer"
        ))
    } else if is_application && HIDDEN_FROM_APPLICATIONS.contains(&to) {
        Some(format!(
            "{name} reaches into {to}: use the public API of pulsar-core, or widen it"
        ))
    } else {
        None
    }
}

fn wrong_runtime(member: &Member, dependency: &Dependency) -> Option<String> {
    let is_runtime = dependency.name == "tokio" || dependency.name.starts_with("tokio-");
    (member.name == WIRE && is_runtime && !dependency.dev).then(|| {
        let name = &dependency.name;
        format!("{WIRE} depends on {name}: it does no I/O, move the I/O to pulsar-core")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(dir: &str, name: &str, dependencies: &[&str]) -> Member {
        let manifest = dependencies.iter().fold(
            format!("[package]\nname = \"{name}\"\n[dependencies]\n"),
            |text, name| {
                format!(
                    "{text}{}.workspace = true\n",
                    name.trim_start_matches("dev ")
                )
            },
        );
        Member {
            name: name.to_owned(),
            dir: dir.to_owned(),
            manifest,
            dependencies: dependencies
                .iter()
                .map(|name| Dependency {
                    name: name.trim_start_matches("dev ").to_owned(),
                    dev: name.starts_with("dev "),
                })
                .collect(),
            roots: Vec::new(),
        }
    }

    /// The problems of a crate with these dependencies (`dev NAME` for tests only) beside all the known ones.
    fn found(dir: &str, name: &str, dependencies: &[&str]) -> Vec<Problem> {
        let known = LAYERS
            .iter()
            .copied()
            .flatten()
            .chain(&[CLI, TESTKIT, SIMULATOR]);
        let others = known.filter(|other| **other != name);
        let tree = others.fold(Tree::default(), |tree, other| {
            tree.with_member(member(&format!("crates/{other}"), other, &[]))
        });
        let tree = tree.with_member(member("examples/hello", "hello", &[]));
        check(&tree.with_member(member(dir, name, dependencies)))
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        for (dir, name, dependencies) in [
            (
                "crates/a",
                "pulsar-core",
                vec!["pulsar-wire", "pulsar-sys", "tokio"],
            ),
            (
                "crates/a",
                "pulsar-app",
                vec!["pulsar-core", CONTROL, "dev pulsar-testkit"],
            ),
            (
                "crates/a",
                "pulsar-wire",
                vec![
                    "bytes",
                    "dev pulsar-macros",
                    "dev pulsar-model",
                    "dev tokio",
                ],
            ),
            (
                "crates/a",
                CLI,
                vec![CONTROL, "dev pulsar-testkit", "tokio"],
            ),
            ("crates/a", TESTKIT, vec!["pulsar-sys", "pulsar-actors"]),
            (
                "crates/a",
                SIMULATOR,
                vec!["pulsar-policy", "pulsar-model", "pulsar-sys", "tokio"],
            ),
            (
                "examples/a",
                "a",
                vec!["pulsar-actors", TESTKIT, "pulsar-sys"],
            ),
        ] {
            assert_eq!(found(dir, name, &dependencies), [], "{name}");
        }
    }

    #[test]
    fn arrows_that_point_elsewhere_are_problems() {
        for (name, dependency, says) in [
            ("pulsar-core", "pulsar-app", "not below"),
            ("pulsar-core", "dev pulsar-app", "not below"),
            ("pulsar-wire", "pulsar-sys", "not below"),
            ("pulsar-app", "pulsar-sys", "reaches into"),
            (CONTROL, "pulsar-wire", "reaches into"),
            (CONTROL, "dev pulsar-wire", "reaches into"),
            ("pulsar-core", TESTKIT, "dev-dependency"),
            (CLI, TESTKIT, "dev-dependency"),
            ("pulsar-core", SIMULATOR, "dev-dependency"),
            (SIMULATOR, "pulsar-core", "simulates the rest"),
            (SIMULATOR, "dev pulsar-actor", "simulates the rest"),
            (CLI, "pulsar-core", "control socket"),
            ("pulsar-actors", CLI, "no layer"),
            ("pulsar-http", "hello", "no layer"),
            (WIRE, "tokio", "no I/O"),
            (WIRE, "tokio-util", "no I/O"),
        ] {
            let problems = found("crates/a", name, &[dependency]);
            assert_eq!(problems.len(), 1, "{name} to {dependency}: {problems:?}");
            assert!(problems[0].message.contains(says), "{}", problems[0]);
            assert_eq!(
                (problems[0].path.as_str(), problems[0].line),
                ("crates/a/Cargo.toml", 4)
            );
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_a_problem() {
        let problems = found("crates/pulsar-new", "pulsar-new", &[]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("add it"), "{}", problems[0]);
        assert_eq!(problems[0].line, 2);
    }
}
