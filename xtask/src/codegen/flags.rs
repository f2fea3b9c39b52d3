//! Sets of flags: one template for all of them.

use std::fmt::Write as _;

use super::spec::Flags;
use super::text::{doc, header};

pub(super) fn render(table: &str, spec: &Flags) -> String {
    let mut out = header(table, &format!("{} of the classic protocol.", spec.name));
    out.push_str("use std::fmt;\nuse std::ops::{BitAnd, BitOr, BitOrAssign, Not};\n\n");
    let about = format!("{}\n\nFollows \"{}\". Bits without a name are kept.", spec.doc, spec.page);
    let _ = writeln!(
        out,
        "{}#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]\npub struct {}({});\n",
        doc(&about),
        spec.name,
        spec.repr
    );
    out.push_str(&constants(spec));
    // A template, not a macro: readers of the generated file see plain methods.
    let methods = METHODS.replace("TYPE", &spec.name).replace("REPR", &spec.repr);
    out.push_str(&methods.replace("AFFIXES", &affixes(spec)));
    out.push_str(&TESTS.replace("TYPE", &spec.name).replace("REPR", &spec.repr));
    out
}

fn constants(spec: &Flags) -> String {
    let mut out = format!("impl {} {{\n", spec.name);
    for flag in &spec.flag {
        let _ = writeln!(out, "{}pub const {}: Self = Self(1 << {});", doc(&flag.doc), flag.name, flag.bit);
        if let Some(alias) = &flag.alias {
            let text = format!("Another name of [`{0}`](Self::{0}).", flag.name);
            let _ = writeln!(out, "{}pub const {alias}: Self = Self::{};", doc(&text), flag.name);
        }
    }
    out.push_str("\n/// Every flag and its name, by bit; other names of a flag follow it.\n");
    out.push_str("const NAMES: &[(Self, &'static str)] = &[\n");
    for flag in &spec.flag {
        let _ = writeln!(out, "(Self::{0}, \"{0}\"),", flag.name);
    }
    out.push_str("];\n\n/// Other names that MySQL's headers have for a flag.\n");
    out.push_str("const ALIASES: &[(Self, &'static str)] = &[\n");
    for flag in &spec.flag {
        if let Some(alias) = &flag.alias {
            let _ = writeln!(out, "(Self::{alias}, \"{alias}\"),");
        }
    }
    out.push_str("];\n}\n\n");
    out
}

/// The expression that takes prefix or suffix off `name`, and what the docs call it.
fn affixes(spec: &Flags) -> String {
    match (spec.prefix.as_str(), spec.suffix.as_str()) {
        ("", suffix) => format!("name.strip_suffix(\"{suffix}\").unwrap_or(name)"),
        (prefix, _) => format!("name.strip_prefix(\"{prefix}\").unwrap_or(name)"),
    }
}

const METHODS: &str = r#"
impl TYPE {
    /// No flags.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// The flags of a number as it travels; bits without a name are kept.
    #[must_use]
    pub const fn from_bits(bits: REPR) -> Self {
        Self(bits)
    }

    /// The number as it travels.
    #[must_use]
    pub const fn bits(self) -> REPR {
        self.0
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other`'s flags are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other`'s flags is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flags that `other` does not have.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Sets `other`'s flags.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Clears `other`'s flags.
    pub const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// The names of the flags that are set, by bit. Bits without a name are left out.
    pub fn iter_names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }

    /// The flag of a name as MySQL's headers have it, or of its distinctive part.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        fn short(name: &str) -> &str {
            AFFIXES
        }
        let all = Self::NAMES.iter().chain(Self::ALIASES);
        all.into_iter().find(|(_, known)| short(known) == short(name)).map(|(flag, _)| *flag)
    }
}

impl BitOr for TYPE {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for TYPE {
    fn bitor_assign(&mut self, other: Self) {
        self.insert(other);
    }
}

impl BitAnd for TYPE {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl Not for TYPE {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for TYPE {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unnamed = *self;
        let mut separator = "";
        f.write_str("TYPE(")?;
        for (flag, name) in Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)) {
            write!(f, "{separator}{name}")?;
            separator = " | ";
            unnamed.remove(*flag);
        }
        if !unnamed.is_empty() {
            write!(f, "{separator}{:#x}", unnamed.0)?;
        }
        f.write_str(")")
    }
}
"#;

const TESTS: &str = r#"
#[cfg(test)]
mod tests {
    use super::TYPE;

    #[test]
    fn every_name_leads_back_to_its_flag() {
        for (flag, name) in TYPE::NAMES.iter().chain(TYPE::ALIASES) {
            assert_eq!(flag.bits().count_ones(), 1);
            assert_eq!(TYPE::from_name(name), Some(*flag));
        }
        assert_eq!(TYPE::from_name("no such flag"), None);
    }

    #[test]
    fn set_operations_agree_with_bits() {
        let (a, b) = (TYPE::from_bits(0b0110), TYPE::from_bits(0b0011));
        assert_eq!((a | b).bits(), 0b0111);
        assert_eq!((a & b).bits(), 0b0010);
        assert_eq!((!a).bits(), !0b0110);
        assert_eq!(a.difference(b).bits(), 0b0100);
        assert!(a.intersects(b));
        assert!(!a.contains(b));
        assert!(a.contains(TYPE::from_bits(0b0100)));
        let mut c = a;
        c.remove(b);
        c |= TYPE::from_bits(0b1000);
        assert_eq!(c.bits(), 0b1100);
        assert!(TYPE::empty().is_empty());
    }

    #[test]
    fn debug_names_every_flag_once() {
        let (first, name) = TYPE::NAMES[0];
        assert_eq!(format!("{first:?}"), format!("TYPE({name})"));
        assert_eq!(format!("{:?}", TYPE::empty()), "TYPE()");
        let all = TYPE::from_bits(REPR::MAX);
        assert_eq!(all.iter_names().count(), TYPE::NAMES.len());
    }
}
"#;
