//! The leader, in steps: which messages lead to what.
