//! Trees as text.

use porpoise_xproto::messages::expr::{DocumentPathItem, Expr, document_path_item, expr};

pub(crate) fn path(items: &[DocumentPathItem]) -> String {
    let mut out = String::new();
    for item in items {
        match item.r#type() {
            document_path_item::Type::Member => out.push_str(&format!(".{}", item.value())),
            document_path_item::Type::MemberAsterisk => out.push_str(".*"),
            document_path_item::Type::ArrayIndex => out.push_str(&format!("[{}]", item.index())),
            document_path_item::Type::ArrayIndexAsterisk => out.push_str("[*]"),
            _ => out.push_str("**"),
        }
    }
    out
}

/// A tree as text, each operator with all of its operands in parentheses.
pub(crate) fn show(expr: &Expr) -> String {
    let list = |all: &[Expr]| all.iter().map(show).collect::<Vec<_>>().join(", ");
    match expr.r#type() {
        expr::Type::Operator => {
            let operator = expr.operator.as_ref().unwrap();
            format!("{}({})", operator.name, list(&operator.param))
        }
        expr::Type::FuncCall => {
            let call = expr.function_call.as_ref().unwrap();
            let schema = call.name.schema_name.as_ref().map(|schema| format!("{schema}."));
            format!("fn {}{}({})", schema.unwrap_or_default(), call.name.name, list(&call.param))
        }
        expr::Type::Ident => {
            let id = expr.identifier.as_ref().unwrap();
            let names = [&id.schema_name, &id.table_name, &id.name];
            let names: Vec<_> = names.into_iter().flatten().cloned().collect();
            format!("{}{}", names.join("/"), path(&id.document_path))
        }
        expr::Type::Literal => {
            let scalar = expr.literal.as_ref().unwrap();
            match scalar.text() {
                Some(text) => format!("'{}'", String::from_utf8_lossy(text)),
                None if scalar.v_bool.is_some() => scalar.v_bool().to_string(),
                None if scalar.v_signed_int.is_some() => scalar.v_signed_int().to_string(),
                None if scalar.v_unsigned_int.is_some() => format!("u{}", scalar.v_unsigned_int()),
                None if scalar.v_double.is_some() => format!("{:?}", scalar.v_double()),
                None => "null".to_owned(),
            }
        }
        expr::Type::Placeholder => format!("?{}", expr.position()),
        expr::Type::Object => {
            let fields = &expr.object.as_ref().unwrap().fld;
            let fields = fields.iter().map(|field| format!("{}: {}", field.key, show(&field.value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        expr::Type::Array => format!("[{}]", list(&expr.array.as_ref().unwrap().value)),
        _ => unreachable!("the grammar has no variables"),
    }
}
