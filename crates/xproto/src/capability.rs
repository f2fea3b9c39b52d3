use crate::Algorithm;
use crate::messages::connection::{Capabilities, CapabilitiesSet, Capability};
use crate::messages::datatypes::{Any, Object};

impl CapabilitiesSet {
    /// Adds a capability to those that are set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Any>) -> Self {
        self.capabilities.capabilities.push(Capability { name: name.to_owned(), value: value.into() });
        self
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.capabilities.capabilities.is_empty()
    }

    /// Adds `compression`.
    #[must_use]
    pub fn with_compression(self, algorithm: Algorithm, level: Option<i32>) -> Self {
        let object = Object::default().with("algorithm", algorithm.name());
        let object = match level {
            Some(level) => object.with("level", i64::from(level)),
            None => object,
        };
        self.with("compression", object)
    }
}

impl Capabilities {
    /// The value of a capability; case matters. What is absent is not supported.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Any> {
        self.capabilities
            .iter()
            .find(|capability| capability.name == name)
            .map(|capability| &capability.value)
    }

    /// `tls`: whether it is in use; `None` if the server has none.
    #[must_use]
    pub fn tls(&self) -> Option<bool> {
        self.flag("tls")
    }

    /// `authentication.mechanisms`: those that can be used as the connection is now.
    pub fn mechanisms(&self) -> impl Iterator<Item = &str> {
        self.texts(self.get("authentication.mechanisms"))
    }

    /// `doc.formats`: "text".
    #[must_use]
    pub fn doc_formats(&self) -> Option<&str> {
        self.texts(self.get("doc.formats")).next()
    }

    /// `client.interactive`.
    #[must_use]
    pub fn client_interactive(&self) -> Option<bool> {
        self.flag("client.interactive")
    }

    /// `compression`: the algorithms that are permitted.
    pub fn compression(&self) -> impl Iterator<Item = &str> {
        self.texts(self.get("compression").and_then(|value| value.obj.as_ref()?.get("algorithm")))
    }

    /// `node_type`: "mysql", or what stands between.
    #[must_use]
    pub fn node_type(&self) -> Option<&str> {
        self.texts(self.get("node_type")).next()
    }

    /// `client.pwd_expire_ok`.
    #[must_use]
    pub fn client_pwd_expire_ok(&self) -> Option<bool> {
        self.flag("client.pwd_expire_ok")
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.get(name)?.scalar.as_ref()?.is_true())
    }

    /// The texts of a value, be it one or an array of them.
    fn texts<'a>(&'a self, value: Option<&'a Any>) -> impl Iterator<Item = &'a str> {
        let one = value.into_iter();
        let many = value.and_then(|value| value.array.as_ref()).into_iter().flat_map(|array| &array.value);
        let scalars = one.chain(many).filter_map(|value| value.scalar.as_ref());
        scalars.filter_map(|scalar| std::str::from_utf8(scalar.text()?).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::datatypes::Array;

    #[test]
    fn what_a_server_can() {
        let names = Array { value: vec!["PLAIN".into(), "SHA256_MEMORY".into()] };
        let algorithms = Array { value: vec!["lz4_message".into()] };
        let set = CapabilitiesSet::default()
            .with("tls", false)
            .with("authentication.mechanisms", names)
            .with("doc.formats", "text")
            .with("compression", Object::default().with("algorithm", algorithms))
            .with("client.pwd_expire_ok", 1_u64);
        let capabilities = &set.capabilities;
        assert_eq!((capabilities.tls(), capabilities.client_interactive()), (Some(false), None));
        assert_eq!(capabilities.mechanisms().collect::<Vec<_>>(), ["PLAIN", "SHA256_MEMORY"]);
        assert_eq!(capabilities.compression().collect::<Vec<_>>(), ["lz4_message"]);
        assert_eq!((capabilities.doc_formats(), capabilities.node_type()), (Some("text"), None));
        assert_eq!(capabilities.client_pwd_expire_ok(), Some(true));
    }
}
