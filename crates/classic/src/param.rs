use bytes::{BufMut, BytesMut};
use porpoise_value::{
    ConvertError, DateTime, ParamError, ParamRef, ParamSink, Params, Placeholders, Time, ToValue, ValueRef,
};
use porpoise_wire::Put;

use crate::ColumnType;

/// In the type of a parameter: a number without sign.
const UNSIGNED: u16 = 0x8000;

/// Appends the parameters of a COM_STMT_EXECUTE and its query attributes, or the attributes of a COM_QUERY.
///
/// Nothing is written if there are none of either. If there is an error, nothing is written, too.
///
/// | type | field | condition |
/// |---|---|---|
/// | `string<fix>` | null_bitmap, `(count + 7) / 8` bytes; the bit of parameter `i` is `i` | |
/// | `int<1>` | new_params_bind_flag: 1 | |
/// | `int<2>` | type; 0x8000 for numbers without sign | each parameter |
/// | `string<lenenc>` | name; empty for a parameter by position | each, with `with_names` |
/// | | value | each that is neither NULL nor sent ahead as long data |
///
/// `with_names` is whether CLIENT_QUERY_ATTRIBUTES was agreed on; without it there can be no attributes. What a value's
/// bytes are says [`Cells`](crate::Cells). Follows "MySQL Source Code Documentation: COM_STMT_EXECUTE" and "COM_QUERY".
///
/// # Errors
/// [`ParamError`]; the index of an attribute goes on after the last parameter.
pub fn encode_params<P, N, V>(
    out: &mut BytesMut,
    params: &P,
    placeholders: Placeholders<'_>,
    attributes: &[(N, V)],
    with_names: bool,
) -> Result<(), ParamError>
where
    P: Params + ?Sized,
    N: AsRef<str>,
    V: ToValue,
{
    let start = out.len();
    let attributes = if with_names { attributes } else { &[] };
    let result =
        Encoder::new(out, placeholders.count, attributes, with_names).run(params, placeholders, attributes);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

struct Encoder<'b> {
    out: &'b mut BytesMut,
    /// Where the bitmap is.
    bitmap: usize,
    /// Where the next type goes.
    next_type: usize,
    /// Bytes of the name behind it.
    name_len: usize,
    /// The next parameter.
    index: usize,
    /// How many may come.
    limit: usize,
}

impl<'b> Encoder<'b> {
    /// Makes room for everything that stands before the values.
    fn new<N: AsRef<str>, V>(
        out: &'b mut BytesMut,
        count: usize,
        attributes: &[(N, V)],
        with_names: bool,
    ) -> Self {
        let bitmap = out.len();
        let all = count + attributes.len();
        if all > 0 {
            out.put_bytes(0, all.div_ceil(8));
            out.put_u8(1);
        }
        let next_type = out.len();
        let name_len = usize::from(with_names);
        out.put_bytes(0, count * (2 + name_len));
        for (name, _) in attributes {
            out.put_u16_le(0);
            out.put_lenenc_bytes(name.as_ref().as_bytes());
        }
        Self { out, bitmap, next_type, name_len, index: 0, limit: count }
    }

    fn run<P, N, V>(
        mut self,
        params: &P,
        placeholders: Placeholders<'_>,
        attributes: &[(N, V)],
    ) -> Result<(), ParamError>
    where
        P: Params + ?Sized,
        N: AsRef<str>,
        V: ToValue,
    {
        params.bind(placeholders, &mut self)?;
        if self.index != self.limit {
            return Err(ParamError::count(self.limit, self.index));
        }
        for (name, value) in attributes {
            self.limit += 1;
            self.name_len = lenenc_len(name.as_ref().len());
            let index = self.index;
            let sent = value.to_value().and_then(|value| self.param(value));
            sent.map_err(|reason| ParamError::value(index, reason))?;
        }
        Ok(())
    }

    fn set_type(&mut self, column_type: ColumnType, flags: u16) {
        let [low, high] = (u16::from(column_type.byte()) | flags).to_le_bytes();
        if let Some(place) = self.out.get_mut(self.next_type..self.next_type + 2) {
            place.copy_from_slice(&[low, high]);
        }
    }

    fn string(&mut self, column_type: ColumnType, bytes: &[u8]) {
        self.set_type(column_type, 0);
        self.out.put_lenenc_bytes(bytes);
    }

    fn value(&mut self, value: ValueRef<'_>) -> Result<(), ConvertError> {
        match value {
            ValueRef::Null => {
                self.set_type(ColumnType::Null, 0);
                let (byte, bit) = (self.bitmap + self.index / 8, self.index % 8);
                if let Some(byte) = self.out.get_mut(byte) {
                    *byte |= 1 << bit;
                }
            }
            ValueRef::Int(n) => {
                self.set_type(ColumnType::LongLong, 0);
                self.out.put_i64_le(n);
            }
            ValueRef::UInt(n) | ValueRef::Bit(n) => {
                self.set_type(ColumnType::LongLong, UNSIGNED);
                self.out.put_u64_le(n);
            }
            ValueRef::Float(n) => {
                self.set_type(ColumnType::Float, 0);
                self.out.put_f32_le(n);
            }
            ValueRef::Double(n) => {
                self.set_type(ColumnType::Double, 0);
                self.out.put_f64_le(n);
            }
            ValueRef::Decimal(decimal) => self.string(ColumnType::NewDecimal, decimal.as_str().as_bytes()),
            // The server has no conversion of its own for JSON parameters: text is what it parses.
            ValueRef::Text(text) | ValueRef::Json(text) => self.string(ColumnType::VarString, text),
            ValueRef::Bytes(bytes) => self.string(ColumnType::Blob, bytes),
            // Both are stored as they are sent, and as bytes every server takes them.
            ValueRef::Geometry(geometry) => self.string(ColumnType::Blob, geometry.as_bytes()),
            ValueRef::Vector(vector) => self.string(ColumnType::Blob, vector.as_bytes()),
            ValueRef::Date(date) => {
                self.set_type(ColumnType::Date, 0);
                put_datetime(self.out, DateTime::midnight(date), true);
            }
            ValueRef::DateTime(moment) => {
                self.set_type(ColumnType::DateTime, 0);
                put_datetime(self.out, moment, false);
            }
            ValueRef::Time(time) => {
                self.set_type(ColumnType::Time, 0);
                put_time(self.out, time);
            }
            _ => return Err(ConvertError::Kind),
        }
        Ok(())
    }
}

impl ParamSink for Encoder<'_> {
    fn param(&mut self, value: ParamRef<'_>) -> Result<(), ConvertError> {
        if self.index >= self.limit {
            return Err(ConvertError::other("more parameters than the statement has"));
        }
        match value {
            ParamRef::Value(value) => self.value(value)?,
            ParamRef::Owned(value) => match value.to_value()? {
                ParamRef::Value(value) => self.value(value)?,
                ParamRef::Vector(numbers) => self.vector(numbers),
                _ => return Err(ConvertError::Kind),
            },
            ParamRef::Vector(numbers) => self.vector(numbers),
            ParamRef::LongData => self.set_type(ColumnType::Blob, 0),
            _ => return Err(ConvertError::Kind),
        }
        self.index += 1;
        self.next_type += 2 + self.name_len;
        Ok(())
    }
}

impl Encoder<'_> {
    fn vector(&mut self, numbers: &[f32]) {
        self.set_type(ColumnType::Blob, 0);
        self.out.put_lenenc_int(size_of_val(numbers) as u64);
        numbers.iter().for_each(|n| self.out.put_f32_le(*n));
    }
}

/// Bytes of a `string<lenenc>`.
const fn lenenc_len(len: usize) -> usize {
    len + match len {
        0..=0xfa => 1,
        0xfb..=0xffff => 3,
        0x1_0000..=0xff_ffff => 4,
        _ => 9,
    }
}

/// A DATE never has a time of day: servers would take it for a DATETIME.
fn put_datetime(out: &mut BytesMut, moment: DateTime, date_only: bool) {
    let date = moment.date();
    if moment.is_zero() {
        return out.put_u8(0);
    }
    out.put_u8(match moment.micro() {
        _ if date_only => 4,
        0 => 7,
        _ => 11,
    });
    out.put_u16_le(date.year());
    out.put_slice(&[date.month(), date.day()]);
    if date_only {
        return;
    }
    out.put_slice(&[moment.hour(), moment.minute(), moment.second()]);
    if moment.micro() != 0 {
        out.put_u32_le(moment.micro());
    }
}

fn put_time(out: &mut BytesMut, time: Time) {
    let (days, hours) = (time.hours() / 24, time.hours() % 24);
    out.put_u8(if time.micros() == 0 { 8 } else { 12 });
    out.put_u8(time.is_negative().into());
    out.put_u32_le(days.into());
    out.put_uint_le(hours.into(), 1);
    out.put_slice(&[time.minutes(), time.seconds()]);
    if time.micros() != 0 {
        out.put_u32_le(time.micros());
    }
}

#[cfg(test)]
mod tests {
    use porpoise_value::{LongData, Named, Value};

    use super::*;

    const NONE: &[(&str, i32)] = &[];

    fn block(params: &dyn Params, count: usize, attributes: &[(&str, i32)], with_names: bool) -> Vec<u8> {
        let mut out = BytesMut::from(&b"head"[..]);
        encode_params(&mut out, params, Placeholders::positional(count), attributes, with_names).unwrap();
        out[4..].to_vec()
    }

    #[test]
    fn nothing_for_no_parameters() {
        assert_eq!(block(&(), 0, NONE, false), b"");
        assert_eq!(block(&(), 0, NONE, true), b"");
    }

    #[test]
    fn types_stand_before_values() {
        // bitmap: the second | 1 | BIGINT, NULL, BIGINT UNSIGNED, VAR_STRING
        let head = [0b10, 1, 8, 0, 6, 0, 8, 0x80, 253, 0];
        let values = [&(-1_i64).to_le_bytes()[..], &1_u64.to_le_bytes(), b"\x01x"].concat();
        let params = (-1, None::<i8>, 1_u8, "x");
        assert_eq!(block(&params, 4, NONE, false), [&head[..], &values].concat());
        // With query attributes each has a name.
        let head = [0b10, 1, 8, 0, 0, 6, 0, 0, 8, 0x80, 0, 253, 0, 0];
        assert_eq!(block(&params, 4, NONE, true), [&head[..], &values].concat());
    }

    #[test]
    fn attributes_follow_with_their_names() {
        let expected = [
            &[0, 1, 253, 0, 0, 8, 0, 1, b'a', 8, 0, 2, b'b', b'c', 1, b'x'][..],
            &[5, 0, 0, 0, 0, 0, 0, 0],
            &[6, 0, 0, 0, 0, 0, 0, 0],
        ];
        assert_eq!(block(&("x",), 1, &[("a", 5), ("bc", 6)], true), expected.concat());
        let long = "n".repeat(251);
        let bytes = block(&(), 0, &[(&long, 5), ("b", 6)], true);
        assert_eq!(&bytes[..7], [0, 1, 8, 0, 0xfc, 251, 0]);
        assert_eq!(&bytes[7 + 251..7 + 255], [8, 0, 1, b'b']);
        // Without the capability there is no place for them.
        assert_eq!(block(&(), 0, &[("a", 5)], false), b"");
    }

    #[test]
    fn long_data_has_a_type_and_no_value() {
        assert_eq!(block(&(LongData, 0.5_f32), 2, NONE, false), [0, 1, 252, 0, 4, 0, 0, 0, 0, 0x3f]);
    }

    #[test]
    fn dates_and_times() {
        let value = |value: Value| block(&(value,), 1, NONE, false)[4..].to_vec();
        assert_eq!(value(Value::Date("2024-02-29".parse().unwrap())), [4, 0xe8, 0x07, 2, 29]);
        let moment = |text: &str| value(Value::DateTime(text.parse().unwrap()));
        assert_eq!(moment("2024-02-29 00:00:00"), [7, 0xe8, 0x07, 2, 29, 0, 0, 0]);
        assert_eq!(moment("2024-02-29 23:59:58.000001"), [11, 0xe8, 0x07, 2, 29, 23, 59, 58, 1, 0, 0, 0]);
        assert_eq!(moment("0000-00-00 00:00:00"), [0]);
        let time = |text: &str| value(Value::Time(text.parse().unwrap()));
        assert_eq!(time("-101:02:03.000004"), [12, 1, 4, 0, 0, 0, 5, 2, 3, 4, 0, 0, 0]);
        assert_eq!(time("838:59:59"), [8, 0, 34, 0, 0, 0, 22, 59, 59]);
    }

    #[test]
    fn an_error_leaves_nothing_behind() {
        struct Two;
        impl Params for Two {
            fn bind(&self, _: Placeholders<'_>, sink: &mut dyn ParamSink) -> Result<(), ParamError> {
                (0..2).try_for_each(|index| {
                    sink.param(ValueRef::Int(index).into()).map_err(|reason| ParamError::value(0, reason))
                })
            }
        }
        let mut out = BytesMut::from(&b"head"[..]);
        let mut failed = |params: &dyn Params, count| {
            let error = encode_params(&mut out, params, Placeholders::positional(count), NONE, false);
            assert_eq!(&out[..], b"head");
            error.unwrap_err().to_string()
        };
        assert_eq!(failed(&(1,), 2), "the statement takes 2 parameters, and 1 were given");
        assert_eq!(failed(&(1, f32::NAN), 2), "parameter 1 cannot be sent: out of range");
        // Whoever writes `Params` of his own may give too many, or too few.
        assert_eq!(failed(&Two, 1), "parameter 0 cannot be sent: more parameters than the statement has");
        assert_eq!(failed(&Two, 3), "the statement takes 3 parameters, and 2 were given");
        assert!(failed(&Named(&[("a", &1)]), 1).contains("by position"));
    }
}
