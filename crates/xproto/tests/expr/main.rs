//! Expressions: what texts mean, what they mean to Connector/Python, and that no text does harm.

#[cfg(test)]
mod grammar;
#[cfg(test)]
mod property;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod show;
