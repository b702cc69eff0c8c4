//! What must be alike on both engines whatever the noun: values, order, sums. Only tests.

mod order;
mod values;
