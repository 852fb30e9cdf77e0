//! Tests at the boundary; each module is one way a user meets the program.

#[cfg(test)]
mod kernel;
