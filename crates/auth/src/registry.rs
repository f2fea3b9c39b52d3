use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::{
    AuthError, CachingSha2Password, ClientEd25519, Mechanism, MysqlClearPassword, MysqlNativePassword,
    PeerCredentials, SaslExternal, SaslMysql41, SaslPlain, SaslSha256Memory, Sha256Password,
};

/// Refused under any circumstances.
const OLD_PASSWORD: &str = "mysql_old_password";

/// The plugins that a client knows, by the names that servers ask for. Cheap to clone.
///
/// The default has all that are built in. What is not in the registry cannot be used, so that [`Registry::retain`]
/// is also the way to forbid a plugin. `mysql_old_password` is refused by name, even if someone registers it.
///
/// A plugin of one's own, here one that sends a token that its owner fetches when it is needed:
///
/// ```
/// use bytes::{BufMut, BytesMut};
/// use porpoise_auth::{
///     Answer, Ask, AuthError, AuthStep, Channel, Exchange, Input, Mechanism, Policy, Registry, Secret,
/// };
///
/// struct Token;
///
/// impl Mechanism for Token {
///     fn name(&self) -> &str {
///         "acme_token"
///     }
///
///     fn wants_password(&self) -> bool {
///         false
///     }
///
///     fn step(
///         &mut self,
///         input: Input<'_>,
///         exchange: &Exchange<'_>,
///         out: &mut BytesMut,
///     ) -> Result<AuthStep, AuthError> {
///         match input {
///             Input::Start { .. } if !exchange.channel.is_secure() => Err(AuthError::RequiresSecureConnection),
///             Input::Start { .. } => {
///                 Ok(AuthStep::Ask(Ask::Custom { plugin: "acme_token".into(), prompt: Vec::new() }))
///             }
///             Input::Answer(Answer::Secret(token)) => {
///                 out.reserve(token.expose().len());
///                 out.put_slice(token.expose());
///                 Ok(AuthStep::Reply { last: true })
///             }
///             Input::Answer(_) => Err(AuthError::Refused),
///             _ => Err(AuthError::OutOfTurn),
///         }
///     }
/// }
///
/// let mut registry = Registry::default();
/// registry.register("acme_token", || Box::new(Token));
///
/// // The owner of the exchange, a connector say, when the server asks for the plugin:
/// let mut mechanism = registry.make("acme_token")?;
/// let (policy, none) = (Policy::default(), Secret::default());
/// let exchange = Exchange::new(Channel::Tls { verified: true }, &policy, "app", &none);
/// let mut out = BytesMut::new();
/// let step = mechanism.step(Input::Start { challenge: Some(b"") }, &exchange, &mut out)?;
/// assert!(matches!(step, AuthStep::Ask(_)));
/// let step = mechanism.step(Input::Answer(Answer::Secret("s3cr3t".into())), &exchange, &mut out)?;
/// assert!(matches!(step, AuthStep::Reply { last: true }));
/// assert_eq!(out, "s3cr3t");
/// # Ok::<(), AuthError>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    entries: Arc<Vec<Entry>>,
}

#[derive(Clone)]
struct Entry {
    name: Cow<'static, str>,
    maker: Maker,
}

#[derive(Clone)]
enum Maker {
    BuiltIn(fn() -> Box<dyn Mechanism>),
    Own(Arc<dyn Fn() -> Box<dyn Mechanism> + Send + Sync>),
    NotBuilt { feature: &'static str },
}

/// One list for all registries that nobody changed.
static BUILT_IN: LazyLock<Arc<Vec<Entry>>> = LazyLock::new(|| {
    let ed25519 = if cfg!(feature = "ed25519") {
        entry(ClientEd25519::NAME, || Box::new(ClientEd25519::new()))
    } else {
        Entry { name: Cow::Borrowed(ClientEd25519::NAME), maker: Maker::NotBuilt { feature: "ed25519" } }
    };
    Arc::new(vec![
        entry(CachingSha2Password::NAME, || Box::new(CachingSha2Password::new())),
        entry(MysqlNativePassword::NAME, || Box::new(MysqlNativePassword::new())),
        entry(Sha256Password::NAME, || Box::new(Sha256Password::new())),
        entry(MysqlClearPassword::NAME, || Box::new(MysqlClearPassword::new())),
        ed25519,
        entry(PeerCredentials::AUTH_SOCKET, || Box::new(PeerCredentials::auth_socket())),
        entry(PeerCredentials::UNIX_SOCKET, || Box::new(PeerCredentials::unix_socket())),
    ])
});

static SASL: LazyLock<Arc<Vec<Entry>>> = LazyLock::new(|| {
    Arc::new(vec![
        entry(SaslPlain::NAME, || Box::new(SaslPlain::new())),
        entry(SaslMysql41::NAME, || Box::new(SaslMysql41::new())),
        entry(SaslSha256Memory::NAME, || Box::new(SaslSha256Memory::new())),
        entry(SaslExternal::NAME, || Box::new(SaslExternal::new())),
    ])
});

fn entry(name: &'static str, make: fn() -> Box<dyn Mechanism>) -> Entry {
    Entry { name: Cow::Borrowed(name), maker: Maker::BuiltIn(make) }
}

impl Registry {
    /// The mechanisms of X Protocol.
    #[must_use]
    pub fn sasl() -> Self {
        Self { entries: Arc::clone(&SASL) }
    }

    /// A registry without any plugin.
    #[must_use]
    pub fn empty() -> Self {
        Self { entries: Arc::default() }
    }

    /// Adds a plugin, or replaces the one of that name. `make` is called once for each exchange.
    pub fn register(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        make: impl Fn() -> Box<dyn Mechanism> + Send + Sync + 'static,
    ) -> &mut Self {
        let (name, maker) = (name.into(), Maker::Own(Arc::new(make)));
        let entries = Arc::make_mut(&mut self.entries);
        match entries.iter_mut().find(|entry| entry.name == name) {
            Some(entry) => entry.maker = maker,
            None => entries.push(Entry { name, maker }),
        }
        self
    }

    /// Keeps only the plugins whose name passes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> &mut Self {
        Arc::make_mut(&mut self.entries).retain(|entry| keep(&entry.name));
        self
    }

    /// Makes the mechanism for one exchange.
    ///
    /// # Errors
    /// [`AuthError::UnknownPlugin`], [`AuthError::OldPassword`], [`AuthError::NotBuilt`].
    pub fn make(&self, name: &str) -> Result<Box<dyn Mechanism>, AuthError> {
        if name == OLD_PASSWORD {
            return Err(AuthError::OldPassword);
        }
        match self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.maker) {
            Some(Maker::BuiltIn(make)) => Ok(make()),
            Some(Maker::Own(make)) => Ok(make()),
            Some(&Maker::NotBuilt { feature }) => Err(AuthError::NotBuilt { feature }),
            None => Err(AuthError::UnknownPlugin),
        }
    }

    /// The names of the plugins, those that this build lacks included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| &*entry.name)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { entries: Arc::clone(&BUILT_IN) }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plugin_is_made_under_its_own_name() {
        let registry = Registry::default();
        assert_eq!(registry.names().count(), 7);
        for name in registry.names() {
            match registry.make(name) {
                Ok(mechanism) => assert_eq!(mechanism.name(), name),
                Err(AuthError::NotBuilt { feature }) if !cfg!(feature = "ed25519") => {
                    assert_eq!((name, feature), ("client_ed25519", "ed25519"));
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }

    #[test]
    fn sasl_mechanisms_have_a_registry_of_their_own() {
        let registry = Registry::sasl();
        for name in ["PLAIN", "MYSQL41", "SHA256_MEMORY", "EXTERNAL"] {
            assert_eq!(registry.make(name).unwrap().name(), name);
            assert!(matches!(Registry::default().make(name), Err(AuthError::UnknownPlugin)));
        }
        // Case matters to servers.
        assert!(matches!(registry.make("plain"), Err(AuthError::UnknownPlugin)));
    }

    #[test]
    fn only_peer_plugins_want_no_password() {
        let registry = Registry::default();
        let without =
            registry.names().filter(|name| registry.make(name).is_ok_and(|made| !made.wants_password()));
        assert_eq!(without.collect::<Vec<_>>(), ["auth_socket", "unix_socket"]);
    }

    #[test]
    fn old_password_is_refused_even_if_registered() {
        let mut registry = Registry::default();
        assert!(matches!(registry.make("mysql_old_password"), Err(AuthError::OldPassword)));
        registry.register("mysql_old_password", || Box::new(MysqlNativePassword::new()));
        assert!(matches!(registry.make("mysql_old_password"), Err(AuthError::OldPassword)));
    }

    #[test]
    fn a_change_stays_with_its_registry() {
        let mut own = Registry::default();
        own.register("acme", || Box::new(MysqlNativePassword::new()))
            .retain(|name| name != "sha256_password");
        assert!(own.make("acme").is_ok() && own.make("caching_sha2_password").is_ok());
        assert!(matches!(own.make("sha256_password"), Err(AuthError::UnknownPlugin)));
        let untouched = Registry::default();
        assert!(matches!(untouched.make("acme"), Err(AuthError::UnknownPlugin)));
        assert!(untouched.make("sha256_password").is_ok());
        assert!(Registry::empty().names().next().is_none());
    }

    #[test]
    fn a_built_in_plugin_can_be_replaced() {
        let mut registry = Registry::default();
        registry.register("mysql_clear_password", || Box::new(MysqlNativePassword::new()));
        assert_eq!(registry.names().count(), 7);
        assert_eq!(registry.make("mysql_clear_password").unwrap().name(), "mysql_native_password");
    }
}
