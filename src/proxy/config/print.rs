//! A section as commented TOML: the doc comment of each field, then its value.

use std::fmt;

use documented::DocumentedFields;
use serde::Serialize;

/// Writes one section. A field without a value leaves its comment alone, which says how to set it; one that holds settings of its own
/// is a section of its own.
pub(super) fn section<T: Serialize + DocumentedFields>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    section: &T,
) -> fmt::Result {
    // Settings are maps of plain values; what cannot be TOML would be a fault of ours, caught by the round trip.
    let values = toml::Table::try_from(section).map_err(|_| fmt::Error)?;
    write!(f, "\n[{name}]\n")?;
    for (index, (field, docs)) in T::FIELD_NAMES.iter().zip(T::FIELD_DOCS).enumerate() {
        if values.get(*field).is_some_and(toml::Value::is_table) {
            continue;
        }
        if index > 0 {
            writeln!(f)?;
        }
        for line in docs.lines() {
            writeln!(f, "{}", format!("# {}", line.replace("\\\"", "\"")).trim_end())?;
        }
        if let Some(value) = values.get(*field) {
            writeln!(f, "{field} = {value}")?;
        }
    }
    Ok(())
}
