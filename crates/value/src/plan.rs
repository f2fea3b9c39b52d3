use std::fmt;

use crate::{FromValue, Kind, PlanError};

/// What is known of the columns of a result set.
pub trait ColumnSource {
    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A column's name; none if the server did not tell.
    fn name(&self, index: usize) -> Option<&[u8]>;

    /// What a column's values are; none if the server did not tell.
    fn kind(&self, index: usize) -> Option<Kind>;
}

/// A field of a row type: what it wants of its column.
#[derive(Clone, Copy)]
pub struct Field {
    name: &'static str,
    optional: bool,
    accepts: fn(Kind) -> bool,
    target: fn() -> &'static str,
}

impl Field {
    /// A field of type `T` whose column has this name.
    #[must_use]
    pub const fn new<'a, T: FromValue<'a>>(name: &'static str) -> Self {
        Self { name, optional: false, accepts: T::accepts, target: T::target }
    }

    /// The same, for a column that need not be there.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Whether the column's values can fit at all.
    fn check<C: ColumnSource + ?Sized>(&self, columns: &C, index: usize) -> Result<(), PlanError> {
        // What is not known is seen value by value.
        let Some(kind) = columns.kind(index) else { return Ok(()) };
        if (self.accepts)(kind) {
            return Ok(());
        }
        let column = String::from_utf8_lossy(columns.name(index).unwrap_or_default()).into();
        Err(PlanError::Type { index, column, kind, target: (self.target)() })
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("name", &self.name).field("type", &(self.target)()).finish()
    }
}

/// How rows of a result set become values of a type: which column is which field.
///
/// Made once for a result set, by [`FromRow::plan`](crate::FromRow::plan); names and types are checked then. It
/// belongs to the type and to the columns that it was made for: with others there are errors, or values of other
/// columns, but no panic.
#[derive(Clone, Debug)]
pub struct Plan {
    columns: usize,
    fields: usize,
    /// Empty if column is field throughout.
    steps: Box<[PlanStep]>,
    nested: Vec<Self>,
}

/// A step along the columns of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanStep {
    /// So many columns are passed over first: no field takes them.
    pub skip: usize,
    /// The field that takes the next column; none at the end of the row.
    pub field: Option<usize>,
}

impl Plan {
    /// Column is field, by position: there must be as many of the one as of the other.
    ///
    /// # Errors
    /// [`PlanError::Count`], [`PlanError::Type`]. `row` is the name of the type.
    pub fn by_position<C>(columns: &C, row: &'static str, fields: &[Field]) -> Result<Self, PlanError>
    where
        C: ColumnSource + ?Sized,
    {
        if columns.len() != fields.len() {
            return Err(PlanError::Count { wanted: fields.len(), columns: columns.len(), row });
        }
        fields.iter().enumerate().try_for_each(|(index, field)| field.check(columns, index))?;
        Ok(Self::straight(fields.len()))
    }

    /// A field takes the column of its name, in any order; other columns are skipped. As in MySQL, ASCII letters
    /// of names are the same in both cases.
    ///
    /// # Errors
    /// [`PlanError::Missing`], [`PlanError::Ambiguous`], [`PlanError::Nameless`], [`PlanError::Type`]. `row` is the
    /// name of the type.
    pub fn by_name<C>(columns: &C, row: &'static str, fields: &[Field]) -> Result<Self, PlanError>
    where
        C: ColumnSource + ?Sized,
    {
        let count = columns.len();
        let named = |index, field: &Field| {
            let name = columns.name(index).ok_or(PlanError::Nameless)?;
            Ok::<_, PlanError>(name.eq_ignore_ascii_case(field.name.as_bytes()))
        };
        // Most statements are written for their type, and then nothing is allocated.
        let mut straight = count == fields.len();
        for (index, field) in fields.iter().enumerate().take(count) {
            straight = straight && named(index, field)?;
        }
        if straight {
            return Self::by_position(columns, row, fields);
        }
        let (mut steps, mut skip) = (Vec::<PlanStep>::new(), 0);
        for index in 0..count {
            let mut taken = None;
            for (place, field) in fields.iter().enumerate() {
                if !named(index, field)? {
                    continue;
                }
                if steps.iter().any(|step| step.field == Some(place)) {
                    return Err(PlanError::Ambiguous { column: field.name.into(), row });
                }
                field.check(columns, index)?;
                taken = Some(place);
            }
            if taken.is_some() {
                steps.push(PlanStep { skip: std::mem::take(&mut skip), field: taken });
            } else {
                skip += 1;
            }
        }
        if skip > 0 {
            steps.push(PlanStep { skip, field: None });
        }
        let has = |place: usize| steps.iter().any(|step| step.field == Some(place));
        let missing = fields.iter().enumerate().find(|(place, field)| !field.optional && !has(*place));
        if let Some((_, field)) = missing {
            return Err(PlanError::Missing { column: field.name.into(), row });
        }
        Ok(Self { columns: count, fields: fields.len(), steps: steps.into(), nested: Vec::new() })
    }

    /// Any columns, as the row has them, all of one kind of field.
    ///
    /// # Errors
    /// [`PlanError::Type`].
    pub fn of_all<C: ColumnSource + ?Sized>(columns: &C, field: Field) -> Result<Self, PlanError> {
        (0..columns.len()).try_for_each(|index| field.check(columns, index))?;
        Ok(Self::straight(columns.len()))
    }

    fn straight(columns: usize) -> Self {
        Self { columns, fields: columns, steps: Box::default(), nested: Vec::new() }
    }

    /// Adds the plan of a field that is made of columns of the same row.
    #[must_use]
    pub fn nest(mut self, plan: Self) -> Self {
        self.nested.push(plan);
        self
    }

    /// The plan of the nested field `index`, in the order in which they were added.
    ///
    /// # Errors
    /// [`PlanError::Foreign`].
    pub fn nested(&self, index: usize) -> Result<&Self, PlanError> {
        self.nested.get(index).ok_or(PlanError::Foreign)
    }

    /// How many columns a row must have.
    #[inline]
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Whether the columns are the fields one by one, and there are so many of them.
    #[inline]
    #[must_use]
    pub const fn is_straight(&self, fields: usize) -> bool {
        self.steps.is_empty() && self.fields == fields && self.columns == fields
    }

    /// How to go along the columns. No steps if column is field throughout.
    #[inline]
    #[must_use]
    pub const fn steps(&self) -> &[PlanStep] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT: Kind = Kind::Int { bits: 32, unsigned: false };

    struct Known(&'static [(&'static str, Kind)]);

    impl ColumnSource for Known {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn name(&self, index: usize) -> Option<&[u8]> {
            self.0.get(index).map(|(name, _)| name.as_bytes())
        }

        fn kind(&self, index: usize) -> Option<Kind> {
            self.0.get(index).map(|(_, kind)| *kind)
        }
    }

    struct Unknown(usize);

    impl ColumnSource for Unknown {
        fn len(&self) -> usize {
            self.0
        }

        fn name(&self, _: usize) -> Option<&[u8]> {
            None
        }

        fn kind(&self, _: usize) -> Option<Kind> {
            None
        }
    }

    fn fields() -> [Field; 2] {
        [Field::new::<i32>("id"), Field::new::<String>("name")]
    }

    fn by_name(columns: &'static [(&'static str, Kind)]) -> Result<Vec<PlanStep>, String> {
        let plan = Plan::by_name(&Known(columns), "Fish", &fields());
        plan.map(|plan| plan.steps().to_vec()).map_err(|error| error.to_string())
    }

    const fn step(skip: usize, field: usize) -> PlanStep {
        PlanStep { skip, field: Some(field) }
    }

    #[test]
    fn columns_find_their_fields() {
        let straight =
            Plan::by_name(&Known(&[("ID", INT), ("name", Kind::Text)]), "Fish", &fields()).unwrap();
        assert!(straight.is_straight(2) && straight.steps().is_empty());
        assert_eq!(
            by_name(&[("name", Kind::Text), ("other", Kind::Bit), ("id", INT)]),
            Ok(vec![step(0, 1), step(1, 0)])
        );
        assert_eq!(
            by_name(&[("a", INT), ("b", INT), ("id", INT), ("name", Kind::Text), ("c", INT)]),
            Ok(vec![step(2, 0), step(0, 1), PlanStep { skip: 1, field: None }])
        );
    }

    #[test]
    fn what_a_plan_refuses() {
        let error = |columns| by_name(columns).unwrap_err();
        assert_eq!(error(&[("id", INT)]), "Fish needs a column `name`, and there is none");
        assert_eq!(
            error(&[("id", INT), ("name", Kind::Text), ("Id", INT)]),
            "Fish needs one column `id`, and there are several"
        );
        assert_eq!(error(&[("id", Kind::Date), ("name", Kind::Text)]), "column 0 `id` (DATE) never fits i32");
        assert_eq!(
            error(&[("name", INT), ("id", INT)]),
            "column 0 `name` (INT) never fits alloc::string::String"
        );
        let position = Plan::by_position(&Unknown(3), "Fish", &fields()).unwrap_err();
        assert_eq!(position, PlanError::Count { wanted: 2, columns: 3, row: "Fish" });
        assert_eq!(Plan::by_name(&Unknown(2), "Fish", &fields()).unwrap_err(), PlanError::Nameless);
    }

    #[test]
    fn without_definitions_there_are_positions() {
        let plan = Plan::by_position(&Unknown(2), "Fish", &fields()).unwrap();
        assert!(plan.is_straight(2) && !plan.is_straight(1));
        assert_eq!(plan.nested(0).unwrap_err(), PlanError::Foreign);
    }

    #[test]
    fn fields_that_need_not_be_there() {
        let fields = [Field::new::<i32>("id"), Field::new::<i32>("size").optional()];
        let plan = Plan::by_name(&Known(&[("id", INT)]), "Fish", &fields).unwrap();
        assert!(!plan.is_straight(2) && !plan.is_straight(1));
        assert_eq!(plan.steps(), [step(0, 0)]);
    }
}
