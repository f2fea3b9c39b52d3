use bytes::Bytes;
use porpoise_xproto::admin::{self, CollectionOptions, Index};
use porpoise_xproto::crud::{Delete, Find, Insert, Update, Value};
use porpoise_xproto::messages::datatypes::Scalar;
use porpoise_xproto::messages::sql::StmtExecute;

use super::ask::{Asking, Exists, First, Number};

/// A collection of JSON documents, by its names. It makes requests, and knows no session: a clone costs two texts.
///
/// ```
/// use porpoise_driver::x::Collection;
/// use porpoise_driver::x::crud::Value;
///
/// let people = Collection::new("shop", "people");
/// let add = people.add([r#"{"name": "Ann", "age": 31}"#]);
/// let find = people.find("age > :age").fields("name, age").sort("age DESC").limit(10).bind("age", 30);
/// let modify = people.modify("name = 'Ann'").set("age", Value::expr("age + 1")).unset("nickname");
/// let remove = people.remove("age > :age").bind("age", 100);
/// # drop((add, find, modify, remove));
/// ```
///
/// [`Session::execute`] carries out what has one answer, [`Session::results`] what gives rows, [`Session::prepare_crud`]
/// prepares, and a [`Pipeline`] takes any. Documents are rows of one column of JSON: read them as `String`, as
/// `serde_json::Value`, or as a type of your own by `Json`.
///
/// [`Session::execute`]: super::Session::execute
/// [`Session::results`]: super::Session::results
/// [`Session::prepare_crud`]: super::Session::prepare_crud
/// [`Pipeline`]: super::Pipeline
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Collection {
    schema: String,
    name: String,
}

impl Collection {
    /// A collection, whether or not it is there.
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// Its schema.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Documents.
impl Collection {
    /// Finds documents.
    pub fn find(&self, condition: &str) -> Find {
        self.find_all().filter(condition)
    }

    /// Finds all documents.
    pub fn find_all(&self) -> Find {
        Find::collection(&*self.schema, &*self.name)
    }

    /// Adds documents: JSON texts. The server gives an `_id` to those that have none, and tells it in
    /// [`Outcome::document_ids`](super::Outcome::document_ids). Error 5116: an `_id`, or another unique member, is there
    /// already.
    pub fn add<B: Into<Bytes>>(&self, documents: impl IntoIterator<Item = B>) -> Insert {
        Insert::collection(&*self.schema, &*self.name).documents(documents)
    }

    /// Adds one document: a JSON value, an object, or a placeholder.
    pub fn add_value(&self, document: impl Into<Value>) -> Insert {
        Insert::collection(&*self.schema, &*self.name).row([document])
    }

    /// Changes documents. To change all of them the condition is `true`.
    pub fn modify(&self, condition: &str) -> Update {
        Update::collection(&*self.schema, &*self.name).filter(condition)
    }

    /// Removes documents. To remove all of them the condition is `true`.
    pub fn remove(&self, condition: &str) -> Delete {
        Delete::collection(&*self.schema, &*self.name).filter(condition)
    }

    /// How many documents there are.
    pub fn count(&self) -> Asking<Find, Number> {
        let all = Find::table(&*self.schema, &*self.name);
        Asking::new(all.fields("count(*)"), Number)
    }
}

/// One document, by its `_id`.
impl Collection {
    /// The document, if it is there.
    pub fn get_one<T>(&self, id: &str) -> Asking<Find, First<T>> {
        Asking::new(self.find("_id = :id").bind("id", id), First::new())
    }

    /// Replaces the document, if it is there; its `_id` stays.
    pub fn replace_one(&self, id: &str, document: impl Into<Bytes>) -> Update {
        self.modify("_id = :id").bind("id", id).set("$", Value::json(document))
    }

    /// Replaces the document, or adds it; its `_id` becomes `id`. The outcome's `affected` is 1 if it was added, 2 if it was
    /// replaced. Error 5116: another document has a member that must be unique.
    pub fn add_or_replace_one(&self, id: &str, document: impl Into<Bytes>) -> Insert {
        let row = Value::expr("JSON_SET(:document, '$._id', :id)");
        let insert = Insert::collection(&*self.schema, &*self.name).row([row]).upsert();
        insert.bind("document", Scalar::json(document)).bind("id", id)
    }

    /// Removes the document, if it is there.
    pub fn remove_one(&self, id: &str) -> Delete {
        self.remove("_id = :id").bind("id", id)
    }
}

/// The collection itself.
impl Collection {
    /// Makes it. Error 1050: there is something of that name.
    pub fn create(&self, options: &CollectionOptions) -> StmtExecute {
        admin::create_collection(&self.schema, &self.name, options)
    }

    /// Makes it unless it is there; one that is there gets the options, too. Error 5156: there is something else of that
    /// name.
    pub fn ensure(&self, options: &CollectionOptions) -> StmtExecute {
        admin::ensure_collection(&self.schema, &self.name, options)
    }

    /// Changes its options.
    pub fn modify_options(&self, options: &CollectionOptions) -> StmtExecute {
        admin::modify_collection_options(&self.schema, &self.name, options)
    }

    /// Its options, as JSON: `{"validation": {"level": .., "schema": ..}}`.
    pub fn options(&self) -> Asking<StmtExecute, First<String>> {
        let options = admin::get_collection_options(&self.schema, &self.name, &["validation"]);
        Asking::new(options, First::new())
    }

    /// Drops it. Error 1051: it is not there.
    pub fn drop(&self) -> StmtExecute {
        admin::drop_collection(&self.schema, &self.name)
    }

    /// Whether it is there, and a collection. Error 1049: its schema is not.
    pub fn exists(&self) -> Asking<StmtExecute, Exists> {
        let objects = admin::list_objects(Some(&self.schema), Some(&like(&self.name)));
        Asking::new(objects, Exists { name: self.name.clone(), kinds: &["COLLECTION"] })
    }

    /// Adds an index. Error 1061: there is one of that name.
    pub fn create_index(&self, index: &Index) -> StmtExecute {
        admin::create_collection_index(&self.schema, &self.name, index)
    }

    /// Drops an index. Error 1091: it is not there.
    pub fn drop_index(&self, name: &str) -> StmtExecute {
        admin::drop_collection_index(&self.schema, &self.name, name)
    }
}

/// A pattern of LIKE that only one text is like.
pub(super) fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
