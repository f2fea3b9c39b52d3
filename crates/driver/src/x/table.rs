use porpoise_xproto::admin;
use porpoise_xproto::crud::{Delete, Find, Insert, Update};
use porpoise_xproto::messages::sql::StmtExecute;

use super::ask::{Asking, Exists, Number};
use super::collection::like;

/// A table or a view, by its names. It makes requests, and knows no session.
///
/// ```
/// use porpoise_driver::x::Table;
/// use porpoise_driver::x::crud::Value;
///
/// let orders = Table::new("shop", "orders");
/// let select = orders.select("id, total * 2 AS twice").filter("paid AND id < :id").sort("id").bind("id", 100);
/// let insert = orders.insert(["id", "total"]).row([1, 20]).row([2, 40]);
/// let update = orders.update("id = 2").set("total", Value::expr("total + 1"));
/// let delete = orders.delete("true");
/// # drop((select, insert, update, delete));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    schema: String,
    name: String,
}

impl Table {
    /// A table, whether or not it is there.
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

    /// Reads rows: `EXPR [AS NAME], ...`.
    pub fn select(&self, fields: &str) -> Find {
        self.select_all().fields(fields)
    }

    /// Reads rows with all columns.
    pub fn select_all(&self) -> Find {
        Find::table(&*self.schema, &*self.name)
    }

    /// Writes rows with values for these columns; for all of the table, if none are given.
    pub fn insert<S: Into<String>>(&self, columns: impl IntoIterator<Item = S>) -> Insert {
        Insert::table(&*self.schema, &*self.name).columns(columns)
    }

    /// Changes rows. To change all of them the condition is `true`.
    pub fn update(&self, condition: &str) -> Update {
        Update::table(&*self.schema, &*self.name).filter(condition)
    }

    /// Removes rows. To remove all of them the condition is `true`.
    pub fn delete(&self, condition: &str) -> Delete {
        Delete::table(&*self.schema, &*self.name).filter(condition)
    }

    /// How many rows there are.
    pub fn count(&self) -> Asking<Find, Number> {
        Asking::new(self.select("count(*)"), Number)
    }

    /// Whether it is there. Error 1049: its schema is not.
    pub fn exists(&self) -> Asking<StmtExecute, Exists> {
        self.is_one_of(&["TABLE", "VIEW", "COLLECTION", "COLLECTION_VIEW"])
    }

    /// Whether it is there, and a view. Error 1049: its schema is not there.
    pub fn is_view(&self) -> Asking<StmtExecute, Exists> {
        self.is_one_of(&["VIEW", "COLLECTION_VIEW"])
    }

    fn is_one_of(&self, kinds: &'static [&'static str]) -> Asking<StmtExecute, Exists> {
        let objects = admin::list_objects(Some(&self.schema), Some(&like(&self.name)));
        Asking::new(objects, Exists { name: self.name.clone(), kinds })
    }
}
