use bytes::Bytes;
use porpoise_xproto::admin;
use porpoise_xproto::messages::sql::StmtExecute;

use super::ask::{Asking, Names, NamesOf};
use super::{Collection, Table};

/// A schema, by its name. It makes requests, and knows no session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema {
    name: String,
}

impl Schema {
    /// A schema, whether or not it is there.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// All schemas that the account may see.
    pub fn list() -> Asking<StmtExecute, Names> {
        Asking::new(sql("SHOW DATABASES".to_owned()), Names)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One of its collections.
    #[must_use]
    pub fn collection(&self, name: impl Into<String>) -> Collection {
        Collection::new(&*self.name, name)
    }

    /// One of its tables, or a view. A collection can be read as a table, too, with the columns `doc` and `_id`.
    #[must_use]
    pub fn table(&self, name: impl Into<String>) -> Table {
        Table::new(&*self.name, name)
    }

    /// Its collections.
    pub fn collections(&self) -> Asking<StmtExecute, NamesOf> {
        self.objects(&["COLLECTION"])
    }

    /// Its tables and views.
    pub fn tables(&self) -> Asking<StmtExecute, NamesOf> {
        self.objects(&["TABLE", "VIEW", "COLLECTION_VIEW"])
    }

    /// Makes it. Error 1007: it is there.
    pub fn create(&self) -> StmtExecute {
        sql(format!("CREATE DATABASE {}", quoted(&self.name)))
    }

    /// Drops it, and all in it. Error 1008: it is not there.
    pub fn drop(&self) -> StmtExecute {
        sql(format!("DROP DATABASE {}", quoted(&self.name)))
    }

    fn objects(&self, kinds: &'static [&'static str]) -> Asking<StmtExecute, NamesOf> {
        Asking::new(admin::list_objects(Some(&self.name), None), NamesOf(kinds))
    }
}

fn sql(text: String) -> StmtExecute {
    StmtExecute { stmt: Bytes::from(text), ..StmtExecute::default() }
}

/// A name in backquotes.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
