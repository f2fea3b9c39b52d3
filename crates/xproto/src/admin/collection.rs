//! What collections and their indexes are made with.

use crate::messages::datatypes::{Any, Object};

/// A collection's options.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollectionOptions {
    reuse: bool,
    schema: Option<String>,
    level: Option<Level>,
}

/// Whether documents are held against the collection's JSON schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// A document that does not conform is refused: error 5180.
    Strict,
    /// They are not.
    Off,
}

impl CollectionOptions {
    /// `create_collection` is content with a collection that is there already.
    #[must_use]
    pub const fn reuse_existing(mut self) -> Self {
        self.reuse = true;
        self
    }

    /// The JSON schema that documents conform to, as JSON text.
    #[must_use]
    pub fn schema(mut self, json: impl Into<String>) -> Self {
        self.schema = Some(json.into());
        self
    }

    /// Whether documents are held against it.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }

    /// Adds the options to a command's arguments, if there are any.
    pub(super) fn put(&self, args: Object) -> Object {
        let mut options = Object::default();
        if self.reuse {
            options = options.with("reuse_existing", true);
        }
        let mut validation = Object::default();
        if let Some(schema) = &self.schema {
            validation = validation.with("schema", &**schema);
        }
        if let Some(level) = self.level {
            let level = match level {
                Level::Strict => "strict",
                Level::Off => "off",
            };
            validation = validation.with("level", level);
        }
        if !validation.fld.is_empty() {
            options = options.with("validation", validation);
        }
        if options.fld.is_empty() { args } else { args.with("options", options) }
    }
}

/// An index of a collection: over members of its documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub(super) name: String,
    pub(super) unique: bool,
    pub(super) kind: Option<Box<str>>,
    pub(super) parser: Option<Box<str>>,
    pub(super) fields: Vec<IndexField>,
}

impl Index {
    /// An index without fields.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), unique: false, kind: None, parser: None, fields: Vec::new() }
    }

    /// No two documents have the same.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// An index over a geometry.
    #[must_use]
    pub fn spatial(self) -> Self {
        self.kind("SPATIAL")
    }

    /// An index over words, as a parser of the server's makes them of text. Servers up to 9.7 answer 3106: their storage
    /// engine has no such index on what documents hold.
    #[must_use]
    pub fn fulltext(mut self, parser: Option<&str>) -> Self {
        self.parser = parser.map(Into::into);
        self.kind("FULLTEXT")
    }

    /// Its type by name: INDEX, SPATIAL, FULLTEXT.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<Box<str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: IndexField) -> Self {
        self.fields.push(field);
        self
    }
}

/// A member of documents that is indexed.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexField(Object);

impl IndexField {
    /// A member by its path, `$.a.b`, and the type it is indexed as: `INTEGER`, `TEXT(64)`, `DECIMAL(10, 2)`, `GEOJSON`, ...
    #[must_use]
    pub fn new(path: &str, kind: &str) -> Self {
        Self(Object::default().with("field", path).with("type", kind))
    }

    /// A document without it is refused.
    #[must_use]
    pub fn required(self) -> Self {
        self.with("required", true)
    }

    /// Its elements are indexed.
    #[must_use]
    pub fn array(self) -> Self {
        self.with("array", true)
    }

    /// The spatial reference system of a `GEOJSON` field.
    #[must_use]
    pub fn srid(self, srid: u64) -> Self {
        self.with("srid", srid)
    }

    /// How a `GEOJSON` field is read: the second argument of `ST_GeomFromGeoJSON`.
    #[must_use]
    pub fn options(self, options: u64) -> Self {
        self.with("options", options)
    }

    fn with(self, key: &str, value: impl Into<Any>) -> Self {
        Self(self.0.with(key, value))
    }

    pub(super) fn object(&self) -> Object {
        self.0.clone()
    }
}
