use bytes::Bytes;

use crate::messages::expect::Open;
use crate::messages::expect::open::condition::{ConditionOperation, Key};
use crate::messages::expect::open::{Condition, CtxOperation};

/// A block of expectations to open.
///
/// | condition | |
/// |---|---|
/// | [`no_error`](Self::no_error) | once a message has failed, in this block or in one within it that does not catch it, all that follow fail: 5159 |
/// | [`field_exist`](Self::field_exist) | if the server's messages do not have the field, the block is open and has failed: 5168 |
/// | [`docid_generated`](Self::docid_generated) | the server makes document ids |
/// | any other | the block is **not** opened, 5160: what follows runs as if it were not guarded |
///
/// In a block that has failed the server carries out nothing but `Reset` and `Close`.
///
/// ```
/// use porpoise_xproto::crud::Expect;
///
/// let open = Expect::new().no_error().field_exist("6.1").build();
/// assert_eq!(open.cond.len(), 2);
/// ```
///
/// Follows "MySQL Source Code Documentation: X Protocol, Mysqlx.Expect.Open".
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "nothing is sent by building it"]
pub struct Expect(Open);

impl Expect {
    /// A block with the conditions of the one around it.
    pub fn new() -> Self {
        Self::default()
    }

    /// A block without the conditions of the one around it.
    pub fn empty() -> Self {
        Self(Open { op: Some(CtxOperation::ExpectCtxEmpty.into()), cond: Vec::new() })
    }

    /// After a message that fails no other is carried out.
    pub fn no_error(self) -> Self {
        self.condition(key(Key::ExpectNoError), None)
    }

    /// The server's messages have a field: the numbers of message and fields, with points between.
    pub fn field_exist(self, path: impl Into<Bytes>) -> Self {
        self.condition(key(Key::ExpectFieldExist), Some(path.into()))
    }

    /// The server makes document ids.
    pub fn docid_generated(self) -> Self {
        self.condition(key(Key::ExpectDocidGenerated), None)
    }

    /// A condition by its number.
    pub fn condition(self, key: u32, value: Option<Bytes>) -> Self {
        self.with(key, value, None)
    }

    /// Takes a condition away that the block has from the one around it.
    pub fn unset(self, key: u32, value: Option<Bytes>) -> Self {
        self.with(key, value, Some(ConditionOperation::ExpectOpUnset.into()))
    }

    /// The message.
    #[must_use]
    pub fn build(self) -> Open {
        self.0
    }

    fn with(mut self, condition_key: u32, condition_value: Option<Bytes>, op: Option<i32>) -> Self {
        self.0.cond.push(Condition { condition_key, condition_value, op });
        self
    }
}

const fn key(key: Key) -> u32 {
    key as u32
}
