//! Flashback
