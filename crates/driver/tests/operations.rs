//! Operations of a client on scripted servers: what they send, and what they leave when they are dropped.

#[cfg(test)]
#[path = "operations/cancel.rs"]
mod cancel;
#[cfg(test)]
#[path = "operations/cost.rs"]
mod cost;
#[cfg(test)]
#[path = "operations/drops.rs"]
mod drops;
#[cfg(test)]
#[path = "operations/infile.rs"]
mod infile;
#[cfg(test)]
#[path = "operations/pipeline.rs"]
mod pipeline;
#[cfg(test)]
#[path = "operations/server.rs"]
mod server;
#[cfg(test)]
#[path = "operations/statement.rs"]
mod statement;
#[cfg(test)]
#[path = "operations/transaction.rs"]
mod transaction;
