use std::fmt;

use crate::ConvertError;

/// A geometry as MySQL stores and sends it, borrowed: the SRID in 4 bytes, least significant first, then WKB.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GeometryRef<'a> {
    srid: u32,
    bytes: &'a [u8],
}

/// Bytes of the SRID.
const SRID: usize = 4;

impl<'a> GeometryRef<'a> {
    /// Checks that there is an SRID.
    ///
    /// # Errors
    /// [`ConvertError::Length`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let srid = bytes.first_chunk::<SRID>().ok_or(ConvertError::Length)?;
        Ok(Self { srid: u32::from_le_bytes(*srid), bytes })
    }

    /// The id of the spatial reference system; 0 for the plain.
    #[must_use]
    pub const fn srid(self) -> u32 {
        self.srid
    }

    /// The well-known binary form.
    #[must_use]
    pub fn wkb(self) -> &'a [u8] {
        self.bytes.get(SRID..).unwrap_or_default()
    }

    /// SRID and WKB.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for GeometryRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Geometry(SRID {}, {} bytes)", self.srid, self.wkb().len())
    }
}

/// A geometry, owned. See [`GeometryRef`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Geometry(Box<[u8]>);

impl Geometry {
    /// A geometry of its SRID and its well-known binary form, which is not looked into.
    #[must_use]
    pub fn new(srid: u32, wkb: &[u8]) -> Self {
        Self([&srid.to_le_bytes(), wkb].concat().into())
    }

    /// The geometry, borrowed.
    #[must_use]
    pub fn borrow(&self) -> GeometryRef<'_> {
        let srid = self.0.first_chunk::<SRID>().copied().unwrap_or_default();
        GeometryRef { srid: u32::from_le_bytes(srid), bytes: &self.0 }
    }
}

impl From<GeometryRef<'_>> for Geometry {
    fn from(geometry: GeometryRef<'_>) -> Self {
        Self(geometry.bytes.into())
    }
}

impl fmt::Debug for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A VECTOR, borrowed: `f32`s of 4 bytes each, least significant first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VectorRef<'a>(&'a [[u8; 4]]);

impl<'a> VectorRef<'a> {
    /// Checks that there are whole numbers only.
    ///
    /// # Errors
    /// [`ConvertError::Length`].
    pub const fn parse(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        match bytes.as_chunks() {
            (numbers, []) => Ok(Self(numbers)),
            _ => Err(ConvertError::Length),
        }
    }

    /// How many numbers.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The numbers.
    pub fn iter(self) -> impl ExactSizeIterator<Item = f32> + 'a {
        self.0.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0.as_flattened()
    }
}

impl fmt::Debug for VectorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_geometry_is_srid_and_wkb() {
        // SRID 4326 | little-endian, point
        let bytes = [0xe6, 0x10, 0, 0, 1, 1, 0, 0, 0];
        let geometry = GeometryRef::parse(&bytes).unwrap();
        assert_eq!((geometry.srid(), geometry.wkb()), (4326, &bytes[4..]));
        assert_eq!(Geometry::new(4326, &bytes[4..]), geometry.into());
        assert_eq!(GeometryRef::parse(&bytes[..3]), Err(ConvertError::Length));
    }

    #[test]
    fn a_vector_is_whole_floats() {
        let bytes = [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
        let vector = VectorRef::parse(&bytes).unwrap();
        assert_eq!((vector.len(), vector.iter().collect::<Vec<_>>()), (2, vec![1.0, -2.0]));
        assert_eq!(vector.as_bytes(), bytes);
        assert_eq!(VectorRef::parse(&bytes[1..]), Err(ConvertError::Length));
    }
}
