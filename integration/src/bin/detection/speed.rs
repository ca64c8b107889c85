//! What the detector costs.

/// Prints observations per second.
pub(crate) fn run() -> anyhow::Result<()> {
    Ok(())
}
