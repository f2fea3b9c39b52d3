//! What goes into each flight.

use crate::connect::{ConnectOptions, Use};
use crate::messages::connection::CapabilitiesSet;
use crate::messages::datatypes::Object;

/// The algorithm to ask for next, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compress {
    /// Not at all, or not any more.
    No,
    With(usize),
}

impl Compress {
    pub(super) fn first(options: &ConnectOptions) -> Self {
        match options.compression {
            Use::Disabled => Self::No,
            _ if options.compression_algorithms.is_empty() => Self::No,
            _ => Self::With(0),
        }
    }

    /// The one after this was refused; `None` if there is none and it is required.
    pub(super) fn next(self, options: &ConnectOptions) -> Option<Self> {
        match self {
            Self::With(place) if place + 1 < options.compression_algorithms.len() => {
                Some(Self::With(place + 1))
            }
            _ if options.compression == Use::Required => None,
            _ => Some(Self::No),
        }
    }

    /// Whether its answer must be known before the login: it is required, or one of several.
    pub(super) fn is_asked_first(self, options: &ConnectOptions) -> bool {
        match self {
            Self::No => false,
            Self::With(_) => options.compression == Use::Required || options.compression_algorithms.len() > 1,
        }
    }
}

/// Everything but the connection attributes.
pub(super) fn settings(options: &ConnectOptions, compress: Compress) -> CapabilitiesSet {
    let mut set = CapabilitiesSet::default();
    if options.interactive {
        set = set.with("client.interactive", true);
    }
    if options.expired_password_ok {
        set = set.with("client.pwd_expire_ok", true);
    }
    match compress {
        Compress::With(place) => match options.compression_algorithms.get(place) {
            Some(algorithm) => set.with_compression(*algorithm, options.compression_level),
            None => set,
        },
        Compress::No => set,
    }
}

/// The connection attributes, if there are any.
pub(super) fn with_attributes(set: CapabilitiesSet, options: &ConnectOptions) -> CapabilitiesSet {
    if options.attributes.is_empty() {
        return set;
    }
    let object = options
        .attributes
        .iter()
        .fold(Object::default(), |object, (name, value)| object.with(name.as_str(), value.as_str()));
    set.with("session_connect_attrs", object)
}
