//! X Plugin's own error numbers: their names, and what to do.

use crate::ServerError;

type Row = (u16, &'static str, Option<&'static str>);

/// By number. Names are MySQL's; those without advice say all in their message.
///
/// Follows "MySQL Server Error Message Reference", X Plugin.
const CODES: &[Row] = &[
    (5000, "ER_X_BAD_MESSAGE", Some("The server cannot read the message, or has no place for it then.")),
    (
        5001,
        "ER_X_CAPABILITIES_PREPARE_FAILED",
        Some("The server has not this capability, or it can only be read."),
    ),
    (5002, "ER_X_CAPABILITY_NOT_FOUND", Some("The server does not know this capability.")),
    (
        5003,
        "ER_X_INVALID_PROTOCOL_DATA",
        Some("An argument of SQL must be a scalar, no array and no object."),
    ),
    (
        5004,
        "ER_X_BAD_CONNECTION_SESSION_ATTRIBUTE_VALUE_LENGTH",
        Some("A connection attribute's value may have 1024 bytes."),
    ),
    (
        5005,
        "ER_X_BAD_CONNECTION_SESSION_ATTRIBUTE_KEY_LENGTH",
        Some("A connection attribute's name may have 32 bytes."),
    ),
    (5006, "ER_X_BAD_CONNECTION_SESSION_ATTRIBUTE_EMPTY_KEY", Some("A connection attribute needs a name.")),
    (
        5007,
        "ER_X_BAD_CONNECTION_SESSION_ATTRIBUTE_LENGTH",
        Some("All connection attributes together may have 65536 bytes."),
    ),
    (
        5008,
        "ER_X_BAD_CONNECTION_SESSION_ATTRIBUTE_TYPE",
        Some("A connection attribute's value must be text."),
    ),
    (5009, "ER_X_CAPABILITY_SET_NOT_ALLOWED", Some("Set capabilities before the login.")),
    (5010, "ER_X_SERVICE_ERROR", None),
    (5011, "ER_X_SESSION", None),
    (5012, "ER_X_INVALID_ARGUMENT", None),
    (5013, "ER_X_MISSING_ARGUMENT", None),
    (
        5014,
        "ER_X_BAD_INSERT_DATA",
        Some("Give as many values as there are columns; of a document just the one."),
    ),
    (5015, "ER_X_CMD_NUM_ARGUMENTS", Some("There are too many or too few arguments.")),
    (5016, "ER_X_CMD_ARGUMENT_TYPE", None),
    (5017, "ER_X_CMD_ARGUMENT_VALUE", None),
    (5018, "ER_X_BAD_UPSERT_DATA", None),
    (5019, "ER_X_DUPLICATED_CAPABILITIES", Some("Set each capability once in a message.")),
    (5020, "ER_X_CMD_ARGUMENT_OBJECT_EMPTY", None),
    (5021, "ER_X_CMD_INVALID_ARGUMENT", Some("The command has no such field.")),
    (5050, "ER_X_BAD_UPDATE_DATA", None),
    (5051, "ER_X_BAD_TYPE_OF_UPDATE", None),
    (5052, "ER_X_BAD_COLUMN_TO_UPDATE", None),
    (
        5053,
        "ER_X_BAD_MEMBER_TO_UPDATE",
        Some("A path into the document is needed, and `_id` cannot be changed."),
    ),
    (5110, "ER_X_BAD_STATEMENT_ID", Some("The statement was not prepared, or the session was reset since.")),
    (
        5111,
        "ER_X_BAD_CURSOR_ID",
        Some("The cursor is closed: a statement has one, and preparing it anew closes that."),
    ),
    (5112, "ER_X_BAD_SCHEMA", None),
    (5113, "ER_X_BAD_TABLE", None),
    (5114, "ER_X_BAD_PROJECTION", None),
    (5115, "ER_X_DOC_ID_MISSING", Some("Give the document an `_id`, or let the server make one.")),
    (5116, "ER_X_DUPLICATE_ENTRY", Some("There is a document with this value already.")),
    (
        5117,
        "ER_X_DOC_REQUIRED_FIELD_MISSING",
        Some("The table is no collection, or the document lacks a field."),
    ),
    (
        5120,
        "ER_X_PROJ_BAD_KEY_NAME",
        Some("In the document model every projection needs a name: `a + 1 AS b`."),
    ),
    (5121, "ER_X_BAD_DOC_PATH", None),
    (5122, "ER_X_CURSOR_EXISTS", None),
    (5123, "ER_X_CURSOR_REACHED_EOF", Some("All rows were fetched.")),
    (5131, "ER_X_PREPARED_STATMENT_CAN_HAVE_ONE_CURSOR", None),
    (
        5133,
        "ER_X_PREPARED_EXECUTE_ARGUMENT_NOT_SUPPORTED",
        Some("A parameter must be a scalar, no array and no object."),
    ),
    (
        5134,
        "ER_X_PREPARED_EXECUTE_ARGUMENT_CONSISTENCY",
        Some("There are fewer parameters than placeholders."),
    ),
    (5150, "ER_X_EXPR_BAD_OPERATOR", None),
    (5151, "ER_X_EXPR_BAD_NUM_ARGS", None),
    (5152, "ER_X_EXPR_MISSING_ARG", None),
    (5153, "ER_X_EXPR_BAD_TYPE_VALUE", None),
    (5154, "ER_X_EXPR_BAD_VALUE", None),
    (5156, "ER_X_INVALID_COLLECTION", Some("There is a table of this name that is no collection.")),
    (5157, "ER_X_INVALID_ADMIN_COMMAND", Some("The server does not know this command of its own.")),
    (5158, "ER_X_EXPECT_NOT_OPEN", Some("Close as many expectation blocks as were opened.")),
    (
        5159,
        "ER_X_EXPECT_NO_ERROR_FAILED",
        Some("A message before this one in its expectation block failed: see that one's error."),
    ),
    (
        5160,
        "ER_X_EXPECT_BAD_CONDITION",
        Some("The server does not know this condition, and opened no block."),
    ),
    (
        5161,
        "ER_X_EXPECT_BAD_CONDITION_VALUE",
        Some("The condition has no such value, and no block was opened."),
    ),
    (5162, "ER_X_INVALID_NAMESPACE", Some("Namespaces are `sql` and `mysqlx`, in lower case.")),
    (5163, "ER_X_BAD_NOTICE", Some("The server has no such notice: see list_notices.")),
    (5164, "ER_X_CANNOT_DISABLE_NOTICE", Some("This notice is always sent.")),
    (5165, "ER_X_BAD_CONFIGURATION", None),
    (
        5167,
        "ER_X_MYSQLX_ACCOUNT_MISSING_PERMISSIONS",
        Some("Somebody has to give mysql.session back its privileges."),
    ),
    (5168, "ER_X_EXPECT_FIELD_EXISTS_FAILED", Some("The server is of a version that has not this field.")),
    (5169, "ER_X_BAD_LOCKING", Some("NOWAIT and SKIP LOCKED need a lock.")),
    (5170, "ER_X_FRAME_COMPRESSION_DISABLED", Some("Compression must be agreed on before the login.")),
    (5171, "ER_X_DECOMPRESSION_FAILED", None),
    (5174, "ER_X_BAD_COMPRESSED_FRAME", None),
    (
        5175,
        "ER_X_CAPABILITY_COMPRESSION_INVALID_ALGORITHM",
        Some("The server does not permit this algorithm: see mysqlx_compression_algorithms."),
    ),
    (5176, "ER_X_CAPABILITY_COMPRESSION_INVALID_SERVER_STYLE", None),
    (5177, "ER_X_CAPABILITY_COMPRESSION_INVALID_CLIENT_STYLE", None),
    (5178, "ER_X_CAPABILITY_COMPRESSION_INVALID_OPTION", Some("Compression has no such option.")),
    (5179, "ER_X_CAPABILITY_COMPRESSION_MISSING_REQUIRED_FIELDS", Some("Name the algorithm.")),
    (
        5180,
        "ER_X_DOCUMENT_DOESNT_MATCH_EXPECTED_SCHEMA",
        Some("The document does not fit its collection's schema."),
    ),
    (5181, "ER_X_COLLECTION_OPTION_DOESNT_EXISTS", Some("Collections have the option `validation`.")),
    (
        5182,
        "ER_X_INVALID_VALIDATION_SCHEMA",
        Some("The schema must be a JSON schema that the server can read."),
    ),
];

fn row(code: u16) -> Option<&'static Row> {
    CODES.binary_search_by_key(&code, |row| row.0).ok().and_then(|at| CODES.get(at))
}

impl ServerError {
    /// The name of its number, if it is one of X Plugin's own.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        row(self.code).map(|row| row.1)
    }

    /// One plain sentence on what to do, if there is anything to say.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        row(self.code).and_then(|row| row.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_and_found() {
        assert!(CODES.is_sorted_by(|one, next| one.0 < next.0));
        let error = |code| ServerError::new(crate::messages::Error { code, ..Default::default() });
        assert_eq!(error(5159).name(), Some("ER_X_EXPECT_NO_ERROR_FAILED"));
        assert!(error(5182).advice().is_some() && error(5000).advice().is_some());
        assert_eq!((error(1064).name(), error(1064).advice()), (None, None));
        for (code, name, advice) in CODES {
            assert!(name.starts_with("ER_X_") && advice.is_none_or(|text| text.ends_with('.')), "{code}");
        }
    }
}
