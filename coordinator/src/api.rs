//! The API: JSON over HTTP, one table of routes that says who may use each. It decides nothing about attackers.

pub(crate) mod access;
pub(crate) mod app;
pub(crate) mod ask;
pub(crate) mod blocks;
mod bouncer;
mod changes;
mod guard;
mod health;
pub(crate) mod listings;
mod openapi;
pub(crate) mod orders;
pub(crate) mod problem;
mod reply;
pub(crate) mod reviews;
mod routes;
mod server;
mod stream;

pub use app::{App, AppError};
pub(crate) use app::{COOKIE, CSRF, Credential, changes};
pub(crate) use problem::Problem;
pub use routes::{Needs, Route, routes};
pub use server::{Server, ServerError};
