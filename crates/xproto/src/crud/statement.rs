//! What all statements have in common.

use super::error::CrudError;
use super::scope::{Bound, Scope};
use crate::expr::{self, Model, build};
use crate::messages::crud::{self, Collection, DataModel, Limit, LimitExpr, Order};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;
use crate::messages::prepare::prepare::OneOfMessage;
use crate::messages::prepare::prepare::one_of_message::Type;

/// Reads documents or rows.
pub type Find = Statement<crud::Find>;
/// Writes documents or rows.
pub type Insert = Statement<crud::Insert>;
/// Changes documents or rows.
pub type Update = Statement<crud::Update>;
/// Removes documents or rows.
pub type Delete = Statement<crud::Delete>;

/// A statement in the making: [`Find`], [`Insert`], [`Update`] or [`Delete`].
#[derive(Clone, Debug)]
#[must_use = "nothing is sent by building it"]
pub struct Statement<M> {
    /// Boxed, as statements are moved from call to call, and messages are large.
    pub(super) message: Box<M>,
    pub(super) scope: Scope,
    limit: Option<Box<(Expr, Option<Expr>)>>,
}

/// A message, and the names of its placeholders that are not bound.
pub(super) struct Template<M> {
    pub(super) message: Box<M>,
    pub(super) parameters: Vec<String>,
    pub(super) named: bool,
}

/// A message of `Mysqlx.Crud` that a [`Statement`] builds.
pub trait Crud: crate::ClientMessage + Clone + private::Parts {}

/// One that takes a condition, an order and a limit.
pub trait Conditional: Crud + private::Conditions {}

pub(super) mod private {
    use super::{Collection, CrudError, DataModel, Expr, Limit, LimitExpr, OneOfMessage, Order, Scalar};

    #[expect(unnameable_types, reason = "sealed: only these messages are statements")]
    pub trait Parts: Content {
        fn new(collection: Collection, model: DataModel) -> Self;
        fn set_args(&mut self, args: Vec<Scalar>);
        fn into_one_of(self) -> OneOfMessage;
    }

    /// What is written for each message by hand.
    #[expect(unnameable_types, reason = "sealed: only these messages are statements")]
    pub trait Content: Sized {
        /// Whether it says what to do.
        fn check(&self) -> Result<(), CrudError>;
        /// All expressions in it.
        fn each(&mut self, visit: &mut dyn FnMut(&mut Expr));
    }

    #[expect(unnameable_types, reason = "sealed: only these messages are statements")]
    pub trait Conditions {
        fn criteria(&mut self) -> &mut Option<Expr>;
        fn order(&mut self) -> &mut Vec<Order>;
        fn limit(&mut self) -> (&mut Option<Limit>, &mut Option<LimitExpr>);

        /// All expressions in these.
        fn each_condition(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
            self.criteria().iter_mut().for_each(&mut *visit);
            self.order().iter_mut().for_each(|order| visit(&mut order.expr));
            if let (_, Some(LimitExpr { row_count, offset })) = self.limit() {
                visit(row_count);
                offset.iter_mut().for_each(visit);
            }
        }
    }
}

macro_rules! parts {
    ($($message:ident $field:ident),*) => {
        $(impl Crud for crud::$message {}

        impl private::Parts for crud::$message {
            fn new(collection: Collection, model: DataModel) -> Self {
                Self { collection, data_model: Some(model.into()), ..Self::default() }
            }

            fn set_args(&mut self, args: Vec<Scalar>) {
                self.args = args;
            }

            fn into_one_of(self) -> OneOfMessage {
                let $field = Some(self);
                OneOfMessage { r#type: Type::$message.into(), $field, ..OneOfMessage::default() }
            }
        })*
    };
}

macro_rules! conditions {
    ($($message:ident),*) => {
        $(impl Conditional for crud::$message {}

        impl private::Conditions for crud::$message {
            fn criteria(&mut self) -> &mut Option<Expr> {
                &mut self.criteria
            }

            fn order(&mut self) -> &mut Vec<Order> {
                &mut self.order
            }

            fn limit(&mut self) -> (&mut Option<Limit>, &mut Option<LimitExpr>) {
                (&mut self.limit, &mut self.limit_expr)
            }
        })*
    };
}

parts!(Find find, Insert insert, Update update, Delete delete);
conditions!(Find, Update, Delete);

impl<M: Crud> Statement<M> {
    /// On a collection.
    pub fn collection(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(Some(schema.into()), name.into(), Model::Document)
    }

    /// On a table or a view.
    pub fn table(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(Some(schema.into()), name.into(), Model::Table)
    }

    /// On a collection or table; of the session's own schema, if none is named.
    pub fn new(schema: Option<String>, name: impl Into<String>, model: Model) -> Self {
        let data_model = match model {
            Model::Document => DataModel::Document,
            Model::Table => DataModel::Table,
        };
        let message = Box::new(M::new(Collection { name: name.into(), schema }, data_model));
        Self { message, scope: Scope::new(model), limit: None }
    }

    /// Fills in a placeholder. `:name` is bound by its name, `?` by its number, "0" being the first that was given.
    pub fn bind(mut self, name: &str, value: impl Into<Scalar>) -> Self {
        self.scope.bind(name, value.into());
        self
    }

    /// Fills in placeholders in the order in which they were first given.
    pub fn args<V: Into<Scalar>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.scope.args(values.into_iter().map(Into::into));
        self
    }

    /// The message.
    ///
    /// # Errors
    /// The first text that did not parse, or [`CrudError::Unbound`] for the first placeholder without a value.
    pub fn build(self) -> Result<M, CrudError> {
        let Template { message, mut parameters, .. } = self.template()?;
        match parameters.is_empty() {
            true => Ok(*message),
            false => Err(CrudError::Unbound(parameters.swap_remove(0).into())),
        }
    }

    /// The message with what is bound. The positions of other placeholders come behind those of the bound ones.
    pub(super) fn template(mut self) -> Result<Template<M>, CrudError> {
        let Bound { positions, args, parameters, named } = self.scope.close()?;
        self.message.check()?;
        let mut readable = true;
        self.message.each(&mut |expr| {
            number(expr, &positions);
            readable &= build::is_readable(expr);
        });
        if !readable {
            return Err(CrudError::TooDeep);
        }
        self.message.set_args(args);
        Ok(Template { message: self.message, parameters, named })
    }
}

impl<M: Conditional> Statement<M> {
    /// The condition. A second one replaces the first.
    pub fn filter(mut self, condition: &str) -> Self {
        *self.message.criteria() = self.scope.expr("condition", condition);
        self
    }

    /// The condition as a tree.
    pub fn filter_expr(mut self, condition: Expr) -> Self {
        *self.message.criteria() = Some(condition);
        self
    }

    /// The order: `EXPR [ASC|DESC], ...`. More of it goes behind.
    pub fn sort(mut self, order: &str) -> Self {
        let parsed = self.scope.parse("sort order", order, expr::parse_orders);
        self.message.order().extend(parsed.unwrap_or_default());
        self
    }

    /// At most so many.
    pub fn limit(self, rows: u64) -> Self {
        self.with_limit(Some(build::literal(rows)), None)
    }

    /// At most as many as an expression says: a placeholder, or a number.
    pub fn limit_expr(mut self, rows: &str) -> Self {
        let rows = self.scope.expr("limit", rows);
        self.with_limit(rows, None)
    }

    pub(super) fn with_limit(mut self, rows: Option<Expr>, offset: Option<Expr>) -> Self {
        let (old_rows, old_offset) = self.limit.take().map(|limit| *limit).unzip();
        // There is no offset without a limit: as many as there can be.
        let rows = rows.or(old_rows).unwrap_or_else(|| build::literal(u64::MAX));
        let offset = offset.or_else(|| old_offset.flatten());
        let number = |expr: &Expr| expr.literal.as_ref().and_then(|scalar| scalar.v_unsigned_int);
        let (limit, limit_expr) = self.message.limit();
        (*limit, *limit_expr) = match (number(&rows), offset.as_ref().map(number)) {
            (Some(row_count), None) => (Some(Limit { row_count, offset: None }), None),
            (Some(row_count), Some(Some(offset))) => (Some(Limit { row_count, offset: Some(offset) }), None),
            _ => (None, Some(LimitExpr { row_count: rows.clone(), offset: offset.clone() })),
        };
        self.limit = Some(Box::new((rows, offset)));
        self
    }
}

/// Gives placeholders their final positions.
fn number(expr: &mut Expr, positions: &[u32]) {
    if let Some(position) = &mut expr.position {
        let new = usize::try_from(*position).ok().and_then(|at| positions.get(at));
        *position = new.copied().unwrap_or(*position);
    }
    for operand in expr.operator.iter_mut().flat_map(|operator| &mut operator.param) {
        number(operand, positions);
    }
    for argument in expr.function_call.iter_mut().flat_map(|call| &mut call.param) {
        number(argument, positions);
    }
    for element in expr.array.iter_mut().flat_map(|array| &mut array.value) {
        number(element, positions);
    }
    for field in expr.object.iter_mut().flat_map(|object| &mut object.fld) {
        number(&mut field.value, positions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crud::Value;
    use crate::messages::crud::update_operation::UpdateType;
    use crate::messages::expr::{Object, expr, object};

    /// Positions of the placeholders in a message, in the order of a walk through it.
    fn positions<M: Crud>(message: &M) -> Vec<u32> {
        fn collect(expr: &Expr, all: &mut Vec<u32>) {
            all.extend(expr.position);
            expr.operator.iter().flat_map(|operator| &operator.param).for_each(|param| collect(param, all));
        }
        let mut all = Vec::new();
        message.clone().each(&mut |expr| collect(expr, &mut all));
        all
    }

    #[test]
    fn all_texts_share_placeholders() {
        let update = Update::collection("s", "c")
            .filter("a > :low AND a < :high")
            .set("n", Value::expr("n + :step"))
            .set("m", Value::expr(":low"))
            .bind("step", 2)
            .bind("high", 9)
            .bind("low", 1)
            .build()
            .unwrap();
        // Numbered as they came: low, high, step.
        assert_eq!(positions(&update), [2, 0, 0, 1]);
        assert_eq!(update.args, [Scalar::from(1_i64), Scalar::from(9_i64), Scalar::from(2_i64)]);
        let find =
            Find::table("s", "t").filter("a = ? OR b = ?").having("c > ?").args([5, 6, 7]).build().unwrap();
        assert_eq!(find.args.len(), 3);
        assert_eq!(positions(&find), [2, 0, 1]);
    }

    #[test]
    fn parameters_come_behind_what_is_bound() {
        let find = Find::collection("s", "c").filter("a = :a AND b = :b AND c = :c").limit_expr(":n");
        let prepared = find.bind("b", "x").prepare(3).unwrap();
        assert_eq!(prepared.parameters, ["a", "c", "n"]);
        let find = prepared.message.stmt.find.unwrap();
        assert_eq!((positions(&find), find.args.len()), (vec![1, 0, 2, 3], 1));
    }

    #[test]
    fn the_first_error_is_told() {
        let bad = Find::collection("s", "c").filter("a =").sort("b c").build();
        let told = "condition: a value expected, but nothing is left (at byte 3)";
        assert_eq!(bad.unwrap_err().to_string(), told);
        for (error, found) in [
            (
                CrudError::Unbound("b".into()),
                Find::collection("s", "c").filter("a > :a AND :b").args([1]).build(),
            ),
            (CrudError::NoSuchPlaceholder("x".into()), Find::collection("s", "c").bind("x", 1).build()),
            (
                CrudError::NoSuchPlaceholder("1".into()),
                Find::table("s", "c").filter("?").args([1, 2]).build(),
            ),
        ] {
            assert_eq!(found.unwrap_err(), error);
        }
        let update = || Update::collection("s", "c");
        assert_eq!(update().filter("true").build(), Err(CrudError::Empty));
        assert_eq!(update().set("a", 1).build(), Err(CrudError::NoCondition));
        assert_eq!(Delete::table("s", "t").build(), Err(CrudError::NoCondition));
        assert_eq!(Insert::table("s", "t").columns(["a"]).build(), Err(CrudError::Empty));
    }

    #[test]
    fn what_servers_do_not_read_is_not_made() {
        let nested = |around: &dyn Fn(Expr) -> Expr, times| {
            (0..times).fold(build::literal("x"), |expr, _| around(expr))
        };
        let not = |expr| build::operator("!", vec![expr]);
        let object = |value| {
            let fld = vec![object::ObjectField { key: "k".to_owned(), value }];
            Expr { r#type: expr::Type::Object.into(), object: Some(Object { fld }), ..Expr::default() }
        };
        let find = |expr| Find::collection("s", "c").filter_expr(expr).build();
        // As many as MySQL 9.7 reads in a prepared statement's value.
        assert!(find(nested(&not, 47)).is_ok() && find(nested(&object, 31)).is_ok());
        assert_eq!(find(nested(&not, 48)), Err(CrudError::TooDeep));
        assert_eq!(find(nested(&object, 32)), Err(CrudError::TooDeep));
        let text = format!("{}1{}", "{'k': ".repeat(40), "}".repeat(40));
        assert!(matches!(Find::table("s", "t").filter(&text).build(), Err(CrudError::Expr { .. })));
    }

    #[test]
    fn limits_are_numbers_as_long_as_they_can_be() {
        let find = || Find::collection("s", "c");
        let numbers = find().limit(5).offset(2).build().unwrap();
        assert_eq!(numbers.limit, Some(Limit { row_count: 5, offset: Some(2) }));
        let all = find().offset(2).build().unwrap();
        assert_eq!(all.limit, Some(Limit { row_count: u64::MAX, offset: Some(2) }));
        let by = find().limit(5).offset_expr(":o").args([2]).build().unwrap();
        assert_eq!((by.limit, positions(&by)), (None, vec![0]));
        assert_eq!(by.limit_expr.unwrap().row_count, build::literal(5_u64));
    }

    #[test]
    fn what_is_set_depends_on_the_model() {
        let kinds = |update: Update| {
            let operation = update.filter("true").build().unwrap().operation;
            operation.iter().map(|change| change.operation()).collect::<Vec<_>>()
        };
        let document = Update::collection("s", "c").set("a", 1).unset("b[0]").patch(Value::json("{}"));
        assert_eq!(kinds(document), [UpdateType::ItemSet, UpdateType::ItemRemove, UpdateType::MergePatch]);
        let table = Update::table("s", "t").set("a", 1).set("doc->'$.a'", 1).array_append("doc->'$.b'", 1);
        assert_eq!(kinds(table), [UpdateType::Set, UpdateType::ItemSet, UpdateType::ArrayAppend]);
    }

    #[test]
    fn whole_messages_are_made() {
        let insert = Insert::table("s", "t").columns(["a", "b"]).row([Value::from(1), Value::expr("? + 1")]);
        let insert = insert.args([2]).build().unwrap();
        assert_eq!((insert.row[0].field.len(), insert.args.len(), insert.projection.len()), (2, 1, 2));
        let upsert = Insert::collection("s", "c").documents(["{}", "{\"a\": 1}"]).upsert().build().unwrap();
        assert_eq!((upsert.row.len(), upsert.upsert()), (2, true));
        let octets = upsert.row[1].field[0].literal.clone().unwrap().v_octets.unwrap();
        assert_eq!((&octets.value[..], octets.content_type), (&b"{\"a\": 1}"[..], Some(2)));
    }
}
