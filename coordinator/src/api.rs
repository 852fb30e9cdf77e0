//! The API: JSON over HTTP, one table of routes that says who may use each. It decides nothing about attackers.

mod access;
mod app;
mod ask;
mod blocks;
mod bouncer;
mod changes;
mod guard;
mod health;
mod listings;
mod openapi;
mod orders;
mod problem;
mod reply;
mod reviews;
mod routes;
mod server;
mod stream;

pub use app::{App, AppError};
pub use routes::{Needs, Route, routes};
pub use server::{Server, ServerError};
