//! What the checks look at: the files and the crates of the workspace.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, TargetKind};

use super::source::Source;

/// The repository, read once. Paths are relative to its root, with `/` between their parts.
#[derive(Default)]
pub(crate) struct Tree {
    /// Each `.rs` file.
    pub(crate) rust: Vec<RustFile>,
    /// Each `.md` file.
    pub(crate) prose: Vec<TextFile>,
    /// Each file and folder there is.
    pub(crate) paths: BTreeSet<String>,
    /// The crates of the workspace.
    pub(crate) members: Vec<Member>,
    /// The packages of others in the locked graph.
    pub(crate) third_party: Vec<ThirdParty>,
    /// Why cargo did not tell the locked graph, when it did not.
    pub(crate) graph_error: Option<String>,
    /// The text of `deny.toml`, empty when there is none.
    pub(crate) deny: String,
    /// The text of `Cargo.lock`, empty when there is none.
    pub(crate) lock: String,
}

pub(crate) struct RustFile {
    pub(crate) path: String,
    pub(crate) source: Source,
}

pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A crate of the workspace.
#[derive(Clone, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: String,
    /// The text of its `Cargo.toml`.
    pub(crate) manifest: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// The root files of its library and its binaries.
    pub(crate) roots: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only tests, benches and examples see it.
    pub(crate) dev: bool,
}

/// A package from outside the workspace.
pub(crate) struct ThirdParty {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The SPDX expression of its manifest.
    pub(crate) licence: Option<String>,
}

impl Tree {
    /// Reads the workspace that the current folder belongs to.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("cargo metadata failed: mend the manifests first")?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let (third_party, graph_error) = match third_party() {
            Ok(packages) => (packages, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let mut tree = Self {
            members: members(&metadata, &root)?,
            third_party,
            graph_error,
            deny: fs::read_to_string(root.join("deny.toml")).unwrap_or_default(),
            lock: fs::read_to_string(root.join("Cargo.lock")).unwrap_or_default(),
            ..Self::default()
        };
        tree.walk(&root, "")?;
        Ok(tree)
    }

    /// The line of a package's entry in `Cargo.lock`, 1 when it has none.
    pub(crate) fn lock_line(&self, package: &ThirdParty) -> usize {
        let name = format!("name = \"{}\"", package.name);
        let version = format!("version = \"{}\"", package.version);
        let lines: Vec<&str> = self.lock.lines().collect();
        lines
            .windows(2)
            .position(|pair| pair == [name.as_str(), version.as_str()])
            .map_or(1, |index| index + 1)
    }

    fn walk(&mut self, root: &Path, dir: &str) -> anyhow::Result<()> {
        let folder = root.join(dir);
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = join(dir, &name);
            // A link's own kind is asked, not its target's, so a loop of links cannot catch us.
            if !entry.file_type()?.is_dir() {
                self.add(root, path)?;
            } else if !is_outside(&name) {
                self.walk(root, &path)?;
                self.paths.insert(path);
            }
        }
        Ok(())
    }

    fn add(&mut self, root: &Path, path: String) -> anyhow::Result<()> {
        if is_rust(&path) || is_prose(&path) {
            let text = fs::read_to_string(root.join(&path))
                .with_context(|| format!("failed to read {path} as UTF-8 text"))?;
            self.keep(path, text);
        } else {
            self.paths.insert(path);
        }
        Ok(())
    }

    fn keep(&mut self, path: String, text: String) {
        self.paths.insert(path.clone());
        if is_rust(&path) {
            let source = Source::new(text);
            self.rust.push(RustFile { path, source });
        } else {
            self.prose.push(TextFile { path, text });
        }
    }
}

impl Member {
    /// The path of its manifest.
    pub(crate) fn manifest_path(&self) -> String {
        join(&self.dir, "Cargo.toml")
    }

    /// The line of its manifest that names a dependency, 1 when none does.
    pub(crate) fn dependency_line(&self, name: &str) -> usize {
        let names = |line: &str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
        };
        self.manifest
            .lines()
            .position(names)
            .map_or(1, |index| index + 1)
    }
}

/// A path's parts, folders first.
pub(crate) fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() {
        name.to_owned()
    } else {
        format!("{dir}/{name}")
    }
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "rs")
}

fn is_prose(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "md")
}

/// Folders that hold nothing of ours: git's own, and what cargo builds.
fn is_outside(folder: &str) -> bool {
    matches!(folder, ".git" | "target")
}

fn members(metadata: &Metadata, root: &Path) -> anyhow::Result<Vec<Member>> {
    let packages = metadata.workspace_packages();
    packages
        .iter()
        .map(|package| member(package, root))
        .collect()
}

fn member(package: &Package, root: &Path) -> anyhow::Result<Member> {
    let manifest = package.manifest_path.as_std_path();
    let is_root = |kinds: &[TargetKind]| {
        let roots = [TargetKind::Lib, TargetKind::ProcMacro, TargetKind::Bin];
        kinds.iter().any(|kind| roots.contains(kind))
    };
    Ok(Member {
        name: package.name.to_string(),
        dir: relative(manifest.parent().unwrap_or(manifest), root),
        manifest: fs::read_to_string(manifest)
            .with_context(|| format!("failed to read {}", manifest.display()))?,
        dependencies: package.dependencies.iter().map(dependency).collect(),
        roots: package
            .targets
            .iter()
            .filter(|target| is_root(&target.kind))
            .map(|target| relative(target.src_path.as_std_path(), root))
            .collect(),
    })
}

fn dependency(found: &cargo_metadata::Dependency) -> Dependency {
    Dependency {
        name: found.name.clone(),
        dev: found.kind == DependencyKind::Development,
    }
}

fn relative(path: &Path, root: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// All features are asked for, so that a package behind an optional feature is seen too.
fn third_party() -> cargo_metadata::Result<Vec<ThirdParty>> {
    let metadata = MetadataCommand::new()
        .other_options(["--locked".to_owned(), "--all-features".to_owned()])
        .exec()?;
    let ours = |package: &Package| metadata.workspace_members.contains(&package.id);
    let packages = metadata.packages.iter().filter(|package| !ours(package));
    Ok(packages
        .map(|package| ThirdParty {
            name: package.name.to_string(),
            version: package.version.to_string(),
            licence: package.license.clone(),
        })
        .collect())
}

#[cfg(test)]
impl Tree {
    /// This tree and one more file.
    pub(crate) fn with_file(mut self, path: &str, text: &str) -> Self {
        self.keep(path.to_owned(), text.to_owned());
        self
    }

    /// This tree and one more crate.
    pub(crate) fn with_member(mut self, member: Member) -> Self {
        self.members.push(member);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_loads_with_its_crates_and_files() {
        let tree = Tree::load().expect("the workspace of this test is readable");
        let member = tree.members.iter().find(|member| member.name == "xtask");
        let member = member.expect("xtask is a member");
        assert_eq!(member.dir, "xtask");
        assert_eq!(member.roots, ["xtask/src/main.rs"]);
        assert!(member.dependency_line("anyhow") > 1);
        assert!(member.dependencies.iter().any(|d| d.name == "anyhow"));
        assert!(tree.paths.contains("xtask/src/tidy/tree.rs"));
        assert!(tree.paths.contains("xtask/src"));
        assert!(!tree.paths.iter().any(|path| path.starts_with(".git/")));
    }

    #[test]
    fn the_lock_line_is_that_of_the_asked_version() {
        let lock = "[[package]]\nname = \"syn\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"syn\"\nversion = \"3.0.0\"\n";
        let tree = Tree {
            lock: lock.to_owned(),
            ..Tree::default()
        };
        let package = |version: &str| ThirdParty {
            name: "syn".to_owned(),
            version: version.to_owned(),
            licence: None,
        };
        assert_eq!(tree.lock_line(&package("3.0.0")), 6);
        assert_eq!(tree.lock_line(&package("4.0.0")), 1);
    }
}
