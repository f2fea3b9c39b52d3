//! One loop that drives porpoise's machines over any runtime: clients, deadlines, cancellation, and a blocking link.
