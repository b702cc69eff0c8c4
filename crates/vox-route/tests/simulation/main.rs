//! The judge of the formula: worlds whose truth is known, in which the real `decide` learns from the real `Evidence`.
//!
//! RT-45. Eleven offers, three tasks, six thousand requests, forty seeds. A pick is measured by its *ratio*: its true
//! expected cost until a success over that of the best offer. Nothing here is known to the code under test but outcomes.
//!
//! `VOX_SIMULATION_CURVE=docs/concepts/evidence.svg cargo test -p vox-route --test simulation curve` draws the picture in
//! `docs/concepts/evidence.md`; `VOX_SIMULATION_FIRST_SEED=1000` moves every world to other seeds.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]
#![expect(clippy::print_stdout, reason = "the figures behind the bounds are worth reading")]
#![expect(clippy::disallowed_methods, reason = "seeds and the picture are asked for by the environment")]

mod bounds;
mod curve;
mod run;
mod world;
