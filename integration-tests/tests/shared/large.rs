//! Values that are larger than any frame.

use pulsar::prelude::*;

use crate::{file_of, status_kib};

const LARGE: usize = 1 << 30;
/// What a process may need more than before, for whatever reason.
const SLACK_KIB: u64 = 16 << 10;

/// The first and the last byte of what it is given, which file that is, and how much memory this process has of its own
/// and of others'.
#[command]
async fn ends_of(_cx: Context, bytes: SharedBytes) -> Result<(u8, u8, u64, u64, u64), Error> {
    let (first, last) = (bytes[0], bytes[bytes.len() - 1]);
    let file = file_of(&bytes)?;
    Ok((
        first,
        last,
        file,
        status_kib("RssAnon")?,
        status_kib("RssShmem")?,
    ))
}

#[pulsar::test]
async fn a_gibibyte_is_read_elsewhere_without_a_copy() -> Result<()> {
    let reader = spawn().await?;
    let warm = SharedBytes::copy_from(b"warm")?;
    let (.., private_before, _) = send(&reader, ends_of, warm).await?;
    let mut large = SharedBytes::writer(LARGE)?;
    large[0] = 1;
    large[LARGE - 1] = 2;
    let large = large.freeze()?;
    let (first, last, file, private, shared) = send(&reader, ends_of, large.clone()).await?;
    assert_eq!((first, last, file), (1, 2, file_of(&large)?));
    assert!(
        private < private_before + SLACK_KIB && shared < SLACK_KIB,
        "{private_before} KiB of its own before, {private} after, {shared} of others'"
    );
    Ok(())
}
