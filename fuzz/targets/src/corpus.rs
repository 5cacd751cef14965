//! The files below `fuzz/corpus`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::Target;

/// Where the inputs of a target are.
pub fn folder(target: &Target) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.join("../corpus").join(target.name)
}

/// All inputs of a target, by their names.
///
/// # Errors
///
/// If there are none, or they cannot be read.
pub fn read(target: &Target) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let folder = folder(target);
    let about = || format!("the corpus {} cannot be read", folder.display());
    let mut inputs = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(about)? {
        let entry = entry.with_context(about)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        inputs.insert(name, fs::read(entry.path()).with_context(about)?);
    }
    ensure!(
        !inputs.is_empty(),
        "the corpus {} is empty",
        folder.display()
    );
    Ok(inputs)
}

/// Writes the seeds of a target. Inputs of other names stay: a fuzzer has found them.
///
/// # Errors
///
/// If they cannot be written.
pub fn write(target: &Target) -> anyhow::Result<usize> {
    let folder = folder(target);
    fs::create_dir_all(&folder)?;
    let seeds = (target.seeds)();
    for (name, bytes) in &seeds {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(seeds.len())
}
