//! Columns, and paths into documents.

use super::error::{ExprError, ExprFault};
use super::lexer::Token;
use super::parser::{Model, Parser};
use crate::messages::expr::{ColumnIdentifier, DocumentPathItem, document_path_item};

/// Parses a path into a document: `a.b[0]`, `$.a.*`, `$**.b`, or `$` alone for all of it.
///
/// # Errors
/// [`ExprError`].
pub fn parse_path(text: &str) -> Result<ColumnIdentifier, ExprError> {
    whole(text, Model::Document)
}

/// Parses a column: `[[schema.]table.]column`, with a path behind `->` if there is one.
///
/// # Errors
/// [`ExprError`].
pub fn parse_column(text: &str) -> Result<ColumnIdentifier, ExprError> {
    whole(text, Model::Table)
}

fn whole(text: &str, model: Model) -> Result<ColumnIdentifier, ExprError> {
    let mut parser = Parser::new(text, model)?;
    let identifier = parser.identifier()?;
    parser.end()?;
    Ok(identifier)
}

impl Parser {
    pub(super) fn identifier(&mut self) -> Result<ColumnIdentifier, ExprError> {
        match self.model {
            Model::Document => {
                let document_path = self.document_path()?;
                Ok(ColumnIdentifier { document_path, ..ColumnIdentifier::default() })
            }
            Model::Table => self.table_column(),
        }
    }

    fn document_path(&mut self) -> Result<Vec<DocumentPathItem>, ExprError> {
        let mut path = Vec::new();
        if self.take("$") {
            self.path_items(&mut path)?;
            if path.is_empty() {
                // All of the document: a member without a name, alone.
                path.push(member(String::new()));
            }
            return Ok(path);
        }
        path.push(self.member("a name")?);
        self.path_items(&mut path)?;
        Ok(path)
    }

    /// `.name`, `.*`, `[n]`, `[*]`, `**`, as many as there are.
    fn path_items(&mut self, path: &mut Vec<DocumentPathItem>) -> Result<(), ExprError> {
        loop {
            if self.take(".") {
                path.push(if self.take("*") {
                    item(document_path_item::Type::MemberAsterisk)
                } else {
                    self.member("a member's name or *")?
                });
            } else if self.is("[") {
                path.push(self.element()?);
            } else if self.take("**") {
                path.push(item(document_path_item::Type::DoubleAsterisk));
                // It must lead to something.
                if !self.is(".") && !self.is("[") {
                    return Err(self.expected("what ** leads to"));
                }
            } else {
                return Ok(());
            }
        }
    }

    fn member(&mut self, expected: &'static str) -> Result<DocumentPathItem, ExprError> {
        let name = match self.peek() {
            Some(Token::Word { name, .. } | Token::Text(name)) => name.clone(),
            Some(Token::Int(number)) => number.to_string(),
            _ => return Err(self.expected(expected)),
        };
        self.advance();
        Ok(member(name))
    }

    fn element(&mut self) -> Result<DocumentPathItem, ExprError> {
        self.want("[")?;
        let found = if self.take("*") {
            item(document_path_item::Type::ArrayIndexAsterisk)
        } else {
            let at = self.at();
            let Some(Token::Int(index)) = self.peek() else { return Err(self.expected("an index or *")) };
            let index = u32::try_from(*index).map_err(|_| ExprError::new(at, ExprFault::Number))?;
            self.advance();
            DocumentPathItem { index: Some(index), ..item(document_path_item::Type::ArrayIndex) }
        };
        self.want("]")?;
        Ok(found)
    }

    fn table_column(&mut self) -> Result<ColumnIdentifier, ExprError> {
        let mut names = Vec::new();
        loop {
            let Some(Token::Word { name, .. }) = self.peek() else { return Err(self.expected("a column")) };
            names.push(name.clone());
            self.advance();
            if names.len() == 3 || !self.take(".") {
                break;
            }
        }
        let mut names = names.into_iter().rev();
        let mut identifier = ColumnIdentifier {
            name: names.next(),
            table_name: names.next(),
            schema_name: names.next(),
            document_path: Vec::new(),
        };
        if self.take("->") {
            identifier.document_path = self.column_path()?;
        }
        Ok(identifier)
    }

    /// A path behind an arrow: in quotes, or not.
    pub(super) fn column_path(&mut self) -> Result<Vec<DocumentPathItem>, ExprError> {
        let at = self.at();
        if let Some(Token::Text(text)) = self.peek() {
            let path = text.clone();
            self.advance();
            let mut inner = Self::new(&path, Model::Document)?;
            if !inner.is("$") {
                return Err(ExprError::expected(at, "a path that begins with $", Some(&path)));
            }
            let path = inner.document_path()?;
            inner.end()?;
            return Ok(path);
        }
        if !self.is("$") {
            return Err(self.expected("a path that begins with $"));
        }
        self.document_path()
    }
}

fn item(kind: document_path_item::Type) -> DocumentPathItem {
    DocumentPathItem { r#type: kind.into(), value: None, index: None }
}

fn member(name: String) -> DocumentPathItem {
    DocumentPathItem { value: Some(name), ..item(document_path_item::Type::Member) }
}
