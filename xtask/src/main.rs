//! Garita's own tasks. It builds with no system libraries, and installs what the others need.
fn main() {}
