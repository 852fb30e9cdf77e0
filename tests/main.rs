//! Tests at the boundary; each module is one way a user meets the program.

#[cfg(test)]
mod kernel;
#[cfg(test)]
mod meter;
#[cfg(test)]
mod skip;
#[cfg(test)]
mod tshark;
