use std::fmt;

use bytes::Bytes;
use porpoise_wire::WireError;

use crate::field::{Fields, zigzag};
use crate::messages::notice;

/// What a server tells unasked: `Mysqlx.Notice.Frame`.
///
/// | number | field | type |
/// |---|---|---|
/// | 1 | type | uint32, required |
/// | 2 | scope | enum 1 GLOBAL (default), 2 LOCAL |
/// | 3 | payload | bytes: the notice's own message |
///
/// Follows "MySQL Source Code Documentation: X Protocol, Notices". May come at any time, and changes no state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Notice {
    /// Whether it concerns the statement that runs, and not the connection.
    pub local: bool,
    /// What it says.
    pub body: NoticeBody,
}

/// What a notice says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NoticeBody {
    /// The server is there and speaks X Protocol.
    ServerHello,
    /// A warning. A global one of level ERROR says why the server is about to end the connection.
    Warning(notice::Warning),
    /// A session variable has another value.
    SessionVariableChanged(Box<notice::SessionVariableChanged>),
    /// Rows that the statement changed.
    RowsAffected(u64),
    /// The first AUTO_INCREMENT value that the statement made.
    GeneratedInsertId(u64),
    /// The ids that the server gave to documents that had none, in order.
    GeneratedDocumentIds(Vec<Bytes>),
    /// A text for people, such as `Rows matched: 2  Changed: 2  Warnings: 0`.
    ProducedMessage(Box<str>),
    /// The connection's number.
    ClientIdAssigned(u64),
    /// The account's password has expired: only a new one can be set.
    AccountExpired,
    /// Another change of the session's state.
    SessionStateChanged(notice::SessionStateChanged),
    /// Something changed in the server's replication group.
    GroupReplicationStateChanged(notice::GroupReplicationStateChanged),
    /// A notice that this list does not know, or whose message cannot be read.
    Unknown {
        /// Its type.
        kind: u32,
        /// Its message.
        payload: Bytes,
    },
}

impl Notice {
    /// Reads a message's payload.
    ///
    /// # Errors
    /// What is no protobuf message, or has no type. A notice of a known type with a message that cannot be read is
    /// [`Unknown`](NoticeBody::Unknown): notices must not end a connection.
    pub fn parse(payload: &Bytes) -> Result<Self, WireError> {
        let (mut kind, mut local, mut body) = (None, false, &[][..]);
        for field in Fields::new(payload) {
            let (number, value) = field?;
            let wrong = WireError::BadValue { field: "wire type", value: number.into() };
            match number {
                1 => kind = Some(value.u32().ok_or(wrong)?),
                2 => local = value.varint().ok_or(wrong)? == LOCAL,
                3 => body = value.bytes().ok_or(wrong)?,
                _ => {}
            }
        }
        let kind = kind.ok_or(WireError::Truncated { field: "type", needed: 1, left: 0 })?;
        let body = payload.slice_ref(body);
        Ok(Self {
            local,
            body: NoticeBody::read(kind, &body).unwrap_or(NoticeBody::Unknown { kind, payload: body }),
        })
    }

    /// Why the server ends the connection, if this says so.
    #[must_use]
    pub fn goodbye(&self) -> Option<&notice::Warning> {
        match &self.body {
            NoticeBody::Warning(warning)
                if !self.local && warning.level() == notice::warning::Level::Error =>
            {
                Some(warning)
            }
            _ => None,
        }
    }
}

const LOCAL: u64 = notice::frame::Scope::Local as u64;

impl NoticeBody {
    fn read(kind: u32, body: &Bytes) -> Option<Self> {
        match notice::frame::Type::try_from(i32::try_from(kind).ok()?).ok()? {
            notice::frame::Type::ServerHello => Some(Self::ServerHello),
            notice::frame::Type::Warning => decode(body).map(Self::Warning),
            notice::frame::Type::SessionVariableChanged => {
                decode(body).map(|changed| Self::SessionVariableChanged(Box::new(changed)))
            }
            notice::frame::Type::SessionStateChanged => {
                Self::quick(body).or_else(|| decode(body).map(Self::SessionStateChanged))
            }
            notice::frame::Type::GroupReplicationStateChanged => {
                decode(body).map(Self::GroupReplicationStateChanged)
            }
        }
    }

    /// Those that come with every statement, without an allocation.
    fn quick(body: &Bytes) -> Option<Self> {
        use notice::session_state_changed::Parameter;
        let (mut param, mut value) = (None, None);
        for field in Fields::new(body) {
            match field.ok()? {
                (1, number) => param = Some(number.varint()?),
                // With several values prost takes over.
                (2, _) if value.is_some() => return Self::ids(body),
                (2, scalar) => value = Some(scalar.bytes()?),
                _ => {}
            }
        }
        let param = Parameter::try_from(i32::try_from(param?).ok()?).ok()?;
        match (param, value) {
            (Parameter::AccountExpired, None) => Some(Self::AccountExpired),
            (Parameter::RowsAffected, Some(scalar)) => unsigned(scalar).map(Self::RowsAffected),
            (Parameter::GeneratedInsertId, Some(scalar)) => unsigned(scalar).map(Self::GeneratedInsertId),
            (Parameter::ClientIdAssigned, Some(scalar)) => unsigned(scalar).map(Self::ClientIdAssigned),
            (Parameter::ProducedMessage, Some(scalar)) => {
                let text = string(scalar)?;
                Some(Self::ProducedMessage(String::from_utf8_lossy(text).into()))
            }
            (Parameter::GeneratedDocumentIds, _) => Self::ids(body),
            _ => None,
        }
    }

    fn ids(body: &Bytes) -> Option<Self> {
        use notice::session_state_changed::Parameter;
        let message: notice::SessionStateChanged = decode(body)?;
        if message.param() != Parameter::GeneratedDocumentIds {
            return Some(Self::SessionStateChanged(message));
        }
        let ids = message.value.into_iter().map(|scalar| scalar.v_octets.map(|octets| octets.value));
        ids.collect::<Option<_>>().map(Self::GeneratedDocumentIds)
    }
}

fn decode<M: prost::Message + Default>(body: &Bytes) -> Option<M> {
    M::decode(body.clone()).ok()
}

/// The number of a `Mysqlx.Datatypes.Scalar` of type V_UINT or V_SINT that is not negative.
fn unsigned(scalar: &[u8]) -> Option<u64> {
    let mut number = None;
    for field in Fields::new(scalar) {
        match field.ok()? {
            (2, value) => number = Some(u64::try_from(zigzag(value.varint()?)).ok()?),
            (3, value) => number = Some(value.varint()?),
            _ => {}
        }
    }
    number
}

/// The text of a `Mysqlx.Datatypes.Scalar` of type V_STRING.
fn string(scalar: &[u8]) -> Option<&[u8]> {
    let inner = Fields::new(scalar).flatten().find(|(number, _)| *number == 9)?.1.bytes()?;
    Fields::new(inner).flatten().find(|(number, _)| *number == 1)?.1.bytes()
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            NoticeBody::Warning(warning) => write!(f, "{}: {}", warning.code, warning.msg),
            NoticeBody::ProducedMessage(text) => f.write_str(text),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use prost::Message as _;

    use super::*;
    use crate::messages::datatypes::{Scalar, scalar};
    use notice::session_state_changed::Parameter;

    fn parse(payload: &[u8]) -> Result<Notice, WireError> {
        Notice::parse(&Bytes::copy_from_slice(payload))
    }

    fn state(param: Parameter, value: Vec<Scalar>) -> Vec<u8> {
        let payload = notice::SessionStateChanged { param: param.into(), value }.encode_to_vec();
        notice::Frame { r#type: 3, scope: Some(2), payload: Some(payload.into()) }.encode_to_vec()
    }

    fn uint(value: u64) -> Scalar {
        Scalar { r#type: scalar::Type::VUint.into(), v_unsigned_int: Some(value), ..Default::default() }
    }

    fn octets(value: &'static [u8]) -> Scalar {
        let octets = scalar::Octets { value: Bytes::from_static(value), content_type: None };
        Scalar { r#type: scalar::Type::VOctets.into(), v_octets: Some(octets), ..Default::default() }
    }

    #[test]
    fn a_hello_is_global_and_empty() {
        // type 5, payload ""
        let notice = parse(&[0x08, 0x05, 0x1a, 0x00]).unwrap();
        assert_eq!(notice, Notice { local: false, body: NoticeBody::ServerHello });
    }

    #[test]
    fn what_a_statement_did() {
        let body = |payload: Vec<u8>| {
            let notice = parse(&payload).unwrap();
            assert!(notice.local && notice.goodbye().is_none());
            notice.body
        };
        assert_eq!(body(state(Parameter::RowsAffected, vec![uint(3)])), NoticeBody::RowsAffected(3));
        let max = u64::MAX;
        assert_eq!(
            body(state(Parameter::GeneratedInsertId, vec![uint(max)])),
            NoticeBody::GeneratedInsertId(max)
        );
        assert_eq!(body(state(Parameter::ClientIdAssigned, vec![uint(7)])), NoticeBody::ClientIdAssigned(7));
        assert_eq!(body(state(Parameter::AccountExpired, vec![])), NoticeBody::AccountExpired);
        let string = scalar::String { value: Bytes::from_static(b"Records: 2"), collation: None };
        let text =
            Scalar { r#type: scalar::Type::VString.into(), v_string: Some(string), ..Default::default() };
        let produced = NoticeBody::ProducedMessage("Records: 2".into());
        assert_eq!(body(state(Parameter::ProducedMessage, vec![text])), produced);
        for ids in [&[&b"a"[..]][..], &[b"a", b"b"]] {
            let values = ids.iter().map(|id| octets(id)).collect();
            let want = ids.iter().map(|id| Bytes::from_static(id)).collect();
            assert_eq!(
                body(state(Parameter::GeneratedDocumentIds, values)),
                NoticeBody::GeneratedDocumentIds(want)
            );
        }
        let other = body(state(Parameter::RowsFound, vec![uint(1), uint(2)]));
        assert!(matches!(other, NoticeBody::SessionStateChanged(changed) if changed.value.len() == 2));
    }

    #[test]
    fn a_global_warning_of_level_error_is_a_goodbye() {
        let warning = |level, scope| {
            let payload = notice::Warning { level, code: 3169, msg: "Session was killed".to_owned() };
            let payload = Some(payload.encode_to_vec().into());
            parse(&notice::Frame { r#type: 1, scope, payload }.encode_to_vec()).unwrap()
        };
        assert_eq!(warning(Some(3), None).goodbye().map(|warning| warning.code), Some(3169));
        assert_eq!(warning(Some(2), None).goodbye(), None);
        assert_eq!(warning(None, None).goodbye(), None);
        assert_eq!(warning(Some(3), Some(2)).goodbye(), None);
    }

    #[test]
    fn what_is_unknown_is_kept() {
        // type 99, payload "x" | type 3, whose message has a length that is too long
        for (payload, kind, body) in
            [(&b"\x08\x63\x1a\x01x"[..], 99, &b"x"[..]), (b"\x08\x03\x1a\x02\x12\x05", 3, b"\x12\x05")]
        {
            let body = NoticeBody::Unknown { kind, payload: Bytes::from_static(body) };
            assert_eq!(parse(payload).unwrap().body, body);
        }
        assert!(parse(b"").is_err(), "no type");
        assert!(parse(b"\x0a\x00").is_err(), "the type is no number");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(kind in 0u8..7, body in any::<Vec<u8>>()) {
            let payload = notice::Frame { r#type: kind.into(), scope: None, payload: Some(body.into()) };
            parse(&payload.encode_to_vec()).unwrap();
        }
    }
}
