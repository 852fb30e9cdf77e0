//! The console: pages made by the server, in the reader's language, within their role and their sites. It changes nothing
//! by itself: what a person asks for goes through the handlers of the API, with all their checks.

mod account;
mod act;
mod address;
mod assets;
mod audit;
mod blocks;
mod campaigns;
mod course;
mod door;
mod figures;
mod format;
mod incident;
mod incidents;
mod login;
mod overview;
mod page;
mod people;
mod picture;
mod preview;
mod reviews;
mod rows;
mod sensors;
mod settings;
mod story;
mod table;
mod words;

pub use table::{Page, pages, router};
