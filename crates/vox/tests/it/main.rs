//! The real `vox` in a home of its own, against fake providers: what a user sees, with flags, messages and exit codes.

mod node;

mod gateway;
mod streams;
