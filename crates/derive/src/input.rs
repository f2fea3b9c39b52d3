//! What the derive is written on.

use proc_macro2::Span;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Ident, Lifetime, LitStr, Path, Result, Type};

/// A struct that rows become.
pub(crate) struct Row<'a> {
    /// The path of `porpoise-value`.
    pub(crate) krate: Path,
    /// The lifetime of the row, if the struct borrows from it.
    pub(crate) lifetime: Option<&'a Lifetime>,
    pub(crate) fields: Vec<Field<'a>>,
    /// By position, not by name.
    pub(crate) tuple: bool,
}

pub(crate) struct Field<'a> {
    /// In a tuple struct none.
    pub(crate) ident: Option<&'a Ident>,
    pub(crate) ty: &'a Type,
    /// The column.
    pub(crate) column: LitStr,
    pub(crate) default: bool,
    pub(crate) flatten: bool,
}

impl<'a> Row<'a> {
    pub(crate) fn parse(input: &'a DeriveInput, krate: Path) -> Result<Self> {
        let fields = match &input.data {
            Data::Struct(data) => &data.fields,
            Data::Enum(data) => {
                return Err(Error::new(
                    data.enum_token.span,
                    "rows become structs: FromRow cannot be derived for an enum",
                ));
            }
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span,
                    "rows become structs: FromRow cannot be derived for a union",
                ));
            }
        };
        let tuple = match fields {
            Fields::Named(_) => false,
            Fields::Unnamed(_) => true,
            Fields::Unit => {
                return Err(Error::new_spanned(
                    &input.ident,
                    "a struct without fields has no columns to take",
                ));
            }
        };
        let mut row = Self { krate, lifetime: lifetime(input)?, fields: Vec::new(), tuple };
        row.container(input)?;
        row.fields = fields.iter().map(|field| Field::parse(field, tuple)).collect::<Result<_>>()?;
        row.distinct()?;
        Ok(row)
    }

    fn container(&mut self, input: &DeriveInput) -> Result<()> {
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("porpoise")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("crate") {
                    return Err(meta.error("a struct has only `crate = \"path\"` here"));
                }
                self.krate = meta.value()?.parse::<LitStr>()?.parse()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// No column goes to two fields.
    fn distinct(&self) -> Result<()> {
        if self.tuple {
            return Ok(());
        }
        let mut seen: Vec<String> = Vec::new();
        for field in self.own() {
            let column = field.column.value().to_ascii_lowercase();
            if seen.contains(&column) {
                return Err(Error::new(
                    field.column.span(),
                    format!("column `{column}` is taken by another field already"),
                ));
            }
            seen.push(column);
        }
        Ok(())
    }

    /// The fields that are one column each.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| !field.flatten)
    }
}

/// The only lifetime parameter.
fn lifetime(input: &DeriveInput) -> Result<Option<&Lifetime>> {
    let mut lifetimes = input.generics.params.iter().filter_map(|param| match param {
        GenericParam::Lifetime(lifetime) => Some(&lifetime.lifetime),
        _ => None,
    });
    let first = lifetimes.next();
    match lifetimes.next() {
        Some(second) => {
            Err(Error::new_spanned(second, "a row has one lifetime: a second one has nothing to borrow from"))
        }
        None => Ok(first),
    }
}

impl<'a> Field<'a> {
    fn parse(field: &'a syn::Field, tuple: bool) -> Result<Self> {
        let (mut rename, mut default, mut flatten) = (None, false, None::<Span>);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("porpoise")) {
            attribute.parse_nested_meta(|meta| {
                if tuple {
                    return Err(meta
                        .error("fields of a tuple struct are columns by position, and have no attributes"));
                }
                if meta.path.is_ident("rename") {
                    rename = Some(meta.value()?.parse::<LitStr>()?);
                } else if meta.path.is_ident("default") {
                    default = true;
                } else if meta.path.is_ident("flatten") {
                    flatten = meta.path.get_ident().map(Ident::span);
                } else {
                    return Err(meta.error("expected `rename = \"column\"`, `default` or `flatten`"));
                }
                Ok(())
            })?;
        }
        if let Some(span) = flatten.filter(|_| default || rename.is_some()) {
            return Err(Error::new(
                span,
                "a flattened field is no column: it has neither a name nor a default",
            ));
        }
        if let Type::Reference(reference) = &field.ty
            && let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")
        {
            let message =
                "a row does not live for 'static: give the struct a lifetime, or the field an owned type";
            return Err(Error::new_spanned(lifetime, message));
        }
        let ident = field.ident.as_ref();
        let own = ident.map(|ident| {
            let name = ident.to_string();
            LitStr::new(name.strip_prefix("r#").unwrap_or(&name), ident.span())
        });
        let column = rename.or(own).unwrap_or_else(|| LitStr::new("", Span::call_site()));
        Ok(Self { ident, ty: &field.ty, column, default, flatten: flatten.is_some() })
    }
}
