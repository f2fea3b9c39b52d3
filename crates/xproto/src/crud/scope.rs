//! What all texts of one statement share: placeholders, their values, the first error.

use std::iter;

use super::error::CrudError;
use crate::expr::{self, ExprError, Model, Placeholders};
use crate::messages::datatypes::Scalar;
use crate::messages::expr::Expr;

#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) model: Model,
    placeholders: Placeholders,
    named: Vec<(Box<str>, Scalar)>,
    /// Values of the first placeholders, whatever their names.
    positional: Vec<Scalar>,
    error: Option<CrudError>,
}

/// Where each placeholder goes, and the values.
pub(super) struct Bound {
    /// The final position of each.
    pub(super) positions: Vec<u32>,
    /// The values of those that have one.
    pub(super) args: Vec<Scalar>,
    /// The names of the others.
    pub(super) parameters: Vec<String>,
    /// Whether these are names, and not numbers.
    pub(super) named: bool,
}

impl Scope {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            placeholders: Placeholders::default(),
            named: Vec::new(),
            positional: Vec::new(),
            error: None,
        }
    }

    /// Keeps the first error.
    pub(super) fn check<R>(&mut self, clause: &'static str, parsed: Result<R, ExprError>) -> Option<R> {
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.error.get_or_insert(CrudError::Expr { clause, error });
                None
            }
        }
    }

    /// Parses with the statement's model and placeholders.
    pub(super) fn parse<R>(
        &mut self,
        clause: &'static str,
        text: &str,
        parse: impl FnOnce(&str, Model, &mut Placeholders) -> Result<R, ExprError>,
    ) -> Option<R> {
        let parsed = parse(text, self.model, &mut self.placeholders);
        self.check(clause, parsed)
    }

    pub(super) fn expr(&mut self, clause: &'static str, text: &str) -> Option<Expr> {
        self.parse(clause, text, expr::parse_with)
    }

    pub(super) fn bind(&mut self, name: &str, value: Scalar) {
        match self.named.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, before)) => *before = value,
            None => self.named.push((name.into(), value)),
        }
    }

    pub(super) fn args(&mut self, values: impl IntoIterator<Item = Scalar>) {
        self.positional.extend(values);
    }

    /// Puts those that have values in front.
    pub(super) fn close(self) -> Result<Bound, CrudError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let names = self.placeholders.names();
        if self.positional.len() > names.len() {
            return Err(CrudError::NoSuchPlaceholder(names.len().to_string().into()));
        }
        let stray = self.named.iter().find(|(name, _)| !names.iter().any(|known| **known == **name));
        if let Some((name, _)) = stray {
            return Err(CrudError::NoSuchPlaceholder(name.clone()));
        }
        let mut named = self.named;
        let positional = self.positional.into_iter().map(Some).chain(iter::repeat(None));
        let values: Vec<_> = names
            .iter()
            .zip(positional)
            .map(|(name, value)| {
                let at = named.iter().position(|(known, _)| **known == **name);
                at.map(|at| named.swap_remove(at).1).or(value)
            })
            .collect();
        let bound = values.iter().flatten().count();
        let (mut with, mut without) = (0.., bound..);
        let positions = values
            .iter()
            .filter_map(|value| if value.is_some() { with.next() } else { without.next() })
            .filter_map(|position| u32::try_from(position).ok())
            .collect();
        let parameters = names.iter().zip(&values).filter(|(_, value)| value.is_none());
        let parameters = parameters.map(|(name, _)| name.clone()).collect();
        let named = self.placeholders.are_named();
        Ok(Bound { positions, args: values.into_iter().flatten().collect(), parameters, named })
    }
}
