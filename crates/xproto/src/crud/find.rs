//! What only `Find` has.

use super::error::CrudError;
use super::statement::Statement;
use super::statement::private::{Conditions, Content};
use crate::expr::{self, build};
use crate::messages::crud::Find;
use crate::messages::crud::find::{RowLock, RowLockOptions};
use crate::messages::expr::Expr;

impl Statement<Find> {
    /// What is read: `EXPR [[AS] NAME], ...`, all if never said. More of it goes behind. Of documents it may be one object
    /// `{...}`, which then is the document.
    pub fn fields(mut self, fields: &str) -> Self {
        let parsed = self.scope.parse("fields", fields, expr::parse_projections);
        self.message.projection.extend(parsed.unwrap_or_default());
        self
    }

    /// How rows are grouped: `EXPR, ...`. More of it goes behind.
    pub fn group_by(mut self, grouping: &str) -> Self {
        let parsed = self.scope.parse("grouping", grouping, expr::parse_list);
        self.message.grouping.extend(parsed.unwrap_or_default());
        self
    }

    /// The condition on groups.
    pub fn having(mut self, condition: &str) -> Self {
        self.message.grouping_criteria = self.scope.expr("condition on groups", condition);
        self
    }

    /// How many are skipped.
    pub fn offset(self, rows: u64) -> Self {
        self.with_limit(None, Some(build::literal(rows)))
    }

    /// How many are skipped, as an expression: a placeholder, or a number.
    pub fn offset_expr(mut self, rows: &str) -> Self {
        let rows = self.scope.expr("offset", rows);
        self.with_limit(None, rows)
    }

    /// Others may read what is found, not change it, until the transaction ends. `contention`: what is done about rows that
    /// others have locked; by default they are waited for.
    pub fn lock_shared(self, contention: Option<RowLockOptions>) -> Self {
        self.lock(RowLock::SharedLock, contention)
    }

    /// Others may neither lock nor change what is found, until the transaction ends.
    pub fn lock_exclusive(self, contention: Option<RowLockOptions>) -> Self {
        self.lock(RowLock::ExclusiveLock, contention)
    }

    fn lock(mut self, lock: RowLock, contention: Option<RowLockOptions>) -> Self {
        self.message.locking = Some(lock.into());
        self.message.locking_options = contention.map(Into::into);
        self
    }
}

impl Content for Find {
    fn check(&self) -> Result<(), CrudError> {
        Ok(())
    }

    fn each(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        self.projection.iter_mut().for_each(|projection| visit(&mut projection.source));
        self.grouping.iter_mut().for_each(&mut *visit);
        self.grouping_criteria.iter_mut().for_each(&mut *visit);
        self.each_condition(visit);
    }
}
