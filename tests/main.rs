//! Tests at the boundary; each module is one way a user meets the program.

#[cfg(test)]
mod carriers;
#[cfg(test)]
mod control;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod firewall;
#[cfg(test)]
mod garita;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod judgement;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod learning;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod live;
#[cfg(test)]
mod local_network;
#[cfg(test)]
mod meter;
#[cfg(test)]
mod netns;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod process;
#[cfg(test)]
mod promptness;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod report;
#[cfg(test)]
mod selftest;
#[cfg(test)]
mod skip;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tshark;
#[cfg(test)]
mod tunnel;
