//! The command phase against a server that is a list of bytes: its trace is the one that MySQL's own client was
//! recorded with, and no way of cutting the bytes changes what is told.

#[cfg(test)]
mod again;
#[cfg(test)]
mod big_rows;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod execute;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod infile;
#[cfg(test)]
mod pipeline;
#[cfg(test)]
mod random;
#[cfg(test)]
mod replica;
#[cfg(test)]
mod states;
#[cfg(test)]
mod support;
