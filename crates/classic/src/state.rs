use porpoise_trace::ProtocolStage;

use crate::error::ClassicError;
use crate::row::Encoding;
use crate::{Columns, StmtPrepareOk};

/// What the session waits for. Each owns what is valid while it lasts; the public stage is derived from it.
#[derive(Debug)]
pub(crate) enum State {
    /// No reply is owed.
    Idle,
    /// OK, or EOF for some commands.
    Acknowledgement,
    /// OK, for a replica that registers.
    Registration,
    /// Events of the binary log.
    Binlog,
    /// The first packet of a result.
    Result(Encoding),
    /// The owner's blocks of a file, or the empty packet that refuses it.
    FileRequest(Encoding),
    /// The verdict on a statement whose file was sent or, if it is named here, refused.
    InfileVerdict { refused: Option<Box<[u8]>>, encoding: Encoding },
    /// Definitions of a result set's columns.
    FieldDefs { left: usize, encoding: Encoding },
    /// The EOF behind them, also when the server defines none; the rows behind it may be skipped.
    FieldDefsEof { encoding: Encoding, skip: bool },
    /// Rows, or their end.
    Rows(Encoding),
    /// The end of rows, or ERR: a packet that is there and is no row.
    RowsEnd(Encoding),
    /// More of a row that comes in parts: its first byte, and how much of it came.
    RowParts { encoding: Encoding, first: u8, size: usize },
    /// Rows of other columns than those that they would be read by, or their end.
    SkippedRows(Encoding),
    /// The text of COM_STATISTICS.
    Statistics,
    /// The first packet of the reply to COM_STMT_PREPARE.
    PsDescription,
    /// Definitions of a statement's parameters, then of its columns.
    PsDefs(Box<Preparing>),
    /// Definitions of a table's columns, in unknown number.
    FieldList,
    /// The end of a field list, which is there.
    FieldListEnd,
    /// Replies are owed that cannot be told apart, because one came out of step.
    Orphaned,
    /// COM_QUIT was written.
    Quitting,
    /// The transport is gone.
    Closed,
    /// An error ended the session.
    Failed(ClassicError),
}

/// A statement whose definitions are on their way.
#[derive(Debug)]
pub(crate) struct Preparing {
    pub(crate) ok: StmtPrepareOk,
    pub(crate) group: Group,
    /// Definitions of the group still to come; none left means that its EOF is owed.
    pub(crate) left: usize,
    pub(crate) params: Columns,
}

impl Preparing {
    /// How many the group has.
    pub(crate) fn count(&self) -> usize {
        usize::from(match self.group {
            Group::Params => self.ok.num_params(),
            Group::Columns => self.ok.num_columns(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Params,
    Columns,
}

impl State {
    pub(crate) const fn stage(&self) -> ProtocolStage {
        match self {
            Self::Idle | Self::Registration | Self::Quitting => ProtocolStage::ReadyForCommand,
            Self::Acknowledgement | Self::Result(_) | Self::InfileVerdict { .. } | Self::Orphaned => {
                ProtocolStage::WaitForResult
            }
            Self::FieldDefs { .. } | Self::FieldDefsEof { .. } | Self::FieldList | Self::FieldListEnd => {
                ProtocolStage::WaitForFieldDef
            }
            Self::FileRequest(_) => ProtocolStage::FileRequest,
            Self::Rows(_) | Self::RowsEnd(_) | Self::RowParts { .. } | Self::SkippedRows(_) => {
                ProtocolStage::WaitForRow
            }
            Self::Statistics | Self::Binlog => ProtocolStage::WaitForPacket,
            Self::PsDescription => ProtocolStage::WaitForPsDescription,
            Self::PsDefs(preparing) => match preparing.group {
                Group::Params => ProtocolStage::WaitForParamDef,
                Group::Columns => ProtocolStage::WaitForFieldDef,
            },
            Self::Closed | Self::Failed(_) => ProtocolStage::Disconnected,
        }
    }

    /// Whether more of a reply is to come.
    pub(crate) const fn is_owed(&self) -> bool {
        !matches!(self, Self::Idle | Self::Orphaned | Self::Quitting | Self::Closed | Self::Failed(_))
    }

    /// What is expected, for errors.
    pub(crate) const fn expected(&self) -> &'static str {
        match self {
            Self::Idle
            | Self::FileRequest(_)
            | Self::Orphaned
            | Self::Quitting
            | Self::Closed
            | Self::Failed(_) => "no packet",
            Self::Acknowledgement | Self::Registration => "OK or ERR",
            Self::Binlog => "an event of the binary log or the end of them",
            Self::Result(_) => "OK, ERR, a column count or a LOCAL INFILE request",
            Self::InfileVerdict { .. } => "OK or ERR after a LOCAL INFILE request",
            Self::FieldDefs { .. } => "a column definition",
            Self::FieldDefsEof { .. } => "EOF after column definitions",
            Self::Rows(encoding) | Self::RowsEnd(encoding) | Self::SkippedRows(encoding) => match encoding {
                Encoding::Text => "a text row or the end of rows",
                Encoding::Binary => "a binary row or the end of rows",
            },
            Self::RowParts { .. } => "the rest of a row",
            Self::Statistics => "statistics or ERR",
            Self::PsDescription => "COM_STMT_PREPARE_OK or ERR",
            Self::PsDefs(_) => "a definition of a prepared statement",
            Self::FieldList | Self::FieldListEnd => "a column definition or the end of the field list",
        }
    }
}
