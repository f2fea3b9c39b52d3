//! What is answered as a statement is.

use super::error::CrudError;
use super::statement::{Crud, Statement};
use super::view::{CreateView, DropView, ModifyView};
use crate::ClientMessage;
use crate::messages::{crud, sql};

/// What becomes a message that a server answers with rows, notices and a success: statements on collections and tables,
/// views, SQL, and the [commands](crate::admin) of the server's own namespace.
pub trait Request {
    /// The message.
    type Message: ClientMessage;

    /// Makes it.
    ///
    /// # Errors
    /// What was built does not add up.
    fn into_message(self) -> Result<Self::Message, CrudError>;
}

impl<M: Crud> Request for Statement<M> {
    type Message = M;

    fn into_message(self) -> Result<M, CrudError> {
        self.build()
    }
}

impl Request for CreateView {
    type Message = crud::CreateView;

    fn into_message(self) -> Result<crud::CreateView, CrudError> {
        self.build()
    }
}

impl Request for ModifyView {
    type Message = crud::ModifyView;

    fn into_message(self) -> Result<crud::ModifyView, CrudError> {
        self.build()
    }
}

impl Request for DropView {
    type Message = crud::DropView;

    fn into_message(self) -> Result<crud::DropView, CrudError> {
        Ok(self.build())
    }
}

impl Request for sql::StmtExecute {
    type Message = Self;

    fn into_message(self) -> Result<Self, CrudError> {
        Ok(self)
    }
}
