//! The real `vox` in a home of its own, against fake providers: what a user sees, with flags, messages and exit codes.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]

mod node;
mod ollama;

mod catalog;
mod cli_form;
mod crash;
mod db;
mod doctor;
mod front_door;
mod gateway;
mod keys;
mod limits;
mod model;
mod money;
mod outcomes;
mod project;
mod sdk;
mod secrets;
mod shared;
mod streams;
mod usage;
