//! The program's own image in memory: where its code lies.

use std::{ops::Range, sync::OnceLock};

use crate::platform;

/// The main program as the loader placed it; shared libraries aren't part of it.
pub(crate) struct Image {
    /// What the loader added to the addresses in the file.
    pub(crate) base: usize,
    /// The executable segments, as addresses in memory.
    pub(crate) code: Vec<Range<usize>>,
}

impl Image {
    /// The image of this process; nothing where the platform doesn't tell.
    ///
    /// The main program is never moved or unloaded, so it is looked up once.
    pub(crate) fn own() -> Option<&'static Self> {
        static OWN: OnceLock<Option<Image>> = OnceLock::new();
        OWN.get_or_init(platform::image).as_ref()
    }

    /// Whether the address lies in code of the main program.
    pub(crate) fn holds_code_at(&self, address: usize) -> bool {
        self.code.iter().any(|segment| segment.contains(&address))
    }
}
