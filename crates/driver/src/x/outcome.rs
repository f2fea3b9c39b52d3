use porpoise_xproto::messages::notice::Warning;
use porpoise_xproto::{Notice, NoticeBody};

/// So many notices of a kind are kept of one statement: more than `max_error_count` lets a server send.
const MOST: usize = 65_535;

/// What a statement did, besides the rows it gave.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// How many rows or documents it changed; matched, for an UPDATE in SQL. `None` if the server did not say.
    pub affected: Option<u64>,
    /// The first AUTO_INCREMENT value that it made.
    pub insert_id: Option<u64>,
    /// The ids that the server gave to documents without one, in their order.
    pub document_ids: Vec<String>,
    /// Its warnings.
    pub warnings: Vec<Warning>,
    /// A text for people, such as `Rows matched: 2  Changed: 2  Warnings: 0`.
    pub message: Option<Box<str>>,
}

impl Outcome {
    /// Takes note of a local notice.
    pub(super) fn observe(&mut self, notice: Notice) {
        match notice.body {
            NoticeBody::RowsAffected(rows) => self.affected = Some(rows),
            NoticeBody::GeneratedInsertId(id) => self.insert_id = Some(id),
            NoticeBody::GeneratedDocumentIds(ids) if self.document_ids.len() < MOST => {
                let text = ids.iter().map(|id| String::from_utf8_lossy(id).into_owned());
                self.document_ids.extend(text);
            }
            NoticeBody::Warning(warning) if self.warnings.len() < MOST => self.warnings.push(warning),
            NoticeBody::ProducedMessage(message) => self.message = Some(message),
            _ => {}
        }
    }
}
