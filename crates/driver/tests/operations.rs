//! Operations of a client on scripted servers: what they send, and what they leave when they are dropped.

#[path = "operations/cancel.rs"]
mod cancel;
#[path = "operations/drops.rs"]
mod drops;
#[path = "operations/infile.rs"]
mod infile;
#[path = "operations/pipeline.rs"]
mod pipeline;
#[path = "operations/server.rs"]
mod server;
#[path = "operations/statement.rs"]
mod statement;
#[path = "operations/transaction.rs"]
mod transaction;
