//! Trees equal to those that Connector/Python makes of the same texts; recorded by tests/xdevapi/record.py.

use std::fs;
use std::path::Path;

use porpoise_xproto::expr::{Model, parse};
use porpoise_xproto::messages::expr::{Expr, document_path_item};
use prost::Message;

use crate::show::show;

/// The same tree where both may say the same thing in two ways.
fn normal(mut expr: Expr) -> Expr {
    if let Some(octets) = expr.literal.as_mut().and_then(|scalar| scalar.v_octets.as_mut()) {
        // A type or a unit.
        let name = octets.value.to_ascii_uppercase();
        octets.value = name.strip_suffix(b" INTEGER").unwrap_or(&name).to_vec().into();
        octets.content_type = octets.content_type.filter(|kind| *kind != 0);
    }
    if let Some(identifier) = &mut expr.identifier {
        // Connector/Python writes names that are not there as empty ones, and the root of a document as no path.
        for name in [&mut identifier.name, &mut identifier.table_name, &mut identifier.schema_name] {
            *name = name.take().filter(|name| !name.is_empty());
        }
        let root = [document_path_item::Type::Member];
        let is_root = identifier.document_path.iter().map(|item| item.r#type()).eq(root)
            && identifier.document_path[0].value().is_empty();
        if identifier.name.is_none() && is_root {
            identifier.document_path.clear();
        }
    }
    let each = |list: &mut Vec<Expr>| *list = list.drain(..).map(normal).collect();
    expr.operator.iter_mut().for_each(|operator| each(&mut operator.param));
    if let Some(call) = &mut expr.function_call {
        call.name.schema_name = call.name.schema_name.take().filter(|name| !name.is_empty());
        each(&mut call.param);
    }
    expr.array.iter_mut().for_each(|array| each(&mut array.value));
    for field in expr.object.iter_mut().flat_map(|object| &mut object.fld) {
        field.value = normal(field.value.clone());
    }
    expr
}

#[test]
fn trees_are_those_of_connector_python() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/xdevapi/expressions.tsv");
    let recorded = fs::read_to_string(path).unwrap();
    let mut compared = 0;
    for line in recorded.lines() {
        let [model, text, tree, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if tree == "-" {
            continue;
        }
        let model = if model == "table" { Model::Table } else { Model::Document };
        let bytes: Vec<u8> =
            (0..tree.len()).step_by(2).map(|at| u8::from_str_radix(&tree[at..at + 2], 16).unwrap()).collect();
        let theirs = Expr::decode(&bytes[..]).unwrap();
        let ours = parse(text, model).unwrap_or_else(|error| panic!("{text}: {error}")).expr;
        let (ours, theirs) = (normal(ours), normal(theirs));
        assert!(ours == theirs, "{model:?} {text}\n  {}\n  {}", show(&ours), show(&theirs));
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}
