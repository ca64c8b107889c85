//! A section as commented TOML: the doc comment of each field, then its value.

use std::fmt;

use documented::DocumentedFields;
use serde::Serialize;

/// Writes one section. A field without a value leaves its comment alone, which says how to set it.
pub(super) fn section<T: Serialize + DocumentedFields>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    values: &T,
) -> fmt::Result {
    section_without(f, name, values, "")
}

/// The same, but for a field that is a section of its own.
pub(super) fn section_without<T: Serialize + DocumentedFields>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    section: &T,
    apart: &str,
) -> fmt::Result {
    // Settings are maps of plain values; what cannot be TOML would be a fault of ours, caught by the round trip.
    let values = toml::Table::try_from(section).map_err(|_| fmt::Error)?;
    write!(f, "\n[{name}]\n")?;
    let fields = T::FIELD_NAMES.iter().zip(T::FIELD_DOCS);
    for (index, (field, docs)) in fields.filter(|(field, _)| **field != apart).enumerate() {
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
