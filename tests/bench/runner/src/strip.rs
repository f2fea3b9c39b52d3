//! Takes every emission out of a source file, by its syntax tree: what is left is as if nobody had ever thought of a
//! trace.
//!
//! | form | becomes |
//! |---|---|
//! | `x.emit(..)` and its like, `cx.enter(..)`, `trace.event(..)` | nothing |
//! | `if cx.on() {..}`, `if x.is_traced(cx) {..}`, also with `!` and `&&`, and in a match arm | what is done when nobody listens |
//! | the functions of `Cx` and of the machines that tell | nothing: a call that is left does not compile |
//! | `#[cfg(test)]` | nothing |
//!
//! A line that speaks of the trace in any other form is an error, so that a new form cannot slip through.

use anyhow::{Context as _, Result, bail};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprMatch, ExprMethodCall, File, ImplItem, Item, ItemImpl, Member,
    Meta, Stmt, Type, UnOp, parse_quote,
};

/// What tells, and does nothing else.
const TELL: [&str; 4] = ["emit", "emit_in", "emit_x", "tell_read"];
/// What asks whether to tell, and what only `Cx` has.
const ASK: [&str; 1] = ["is_traced"];
const OF_CX: [&str; 3] = ["on", "enter", "tell"];

/// What no line may hold afterwards. Imports and signatures name the types, and may stay.
const LEFT: [&str; 6] = [".emit", ".on()", ".trace.", "trace.event(", "TraceEvent::", "XEvent::"];

/// A file without its emissions, and how many there were.
pub(crate) fn strip(source: &str) -> Result<(String, usize)> {
    let mut file = syn::parse_file(source).context("not Rust")?;
    let mut strip = Strip { taken: 0 };
    strip.visit_file_mut(&mut file);
    let text = prettyplease::unparse(&file);
    match text.lines().find(|line| LEFT.iter().any(|form| line.contains(form))) {
        Some(line) => bail!("an emission in a form that is not known: {}", line.trim()),
        None => Ok((text, strip.taken)),
    }
}

struct Strip {
    taken: usize,
}

impl VisitMut for Strip {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_test(attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let of_cx = matches!(&*item.self_ty, Type::Path(ty) if ty.path.segments.iter().any(|part| part.ident == "Cx"));
        item.items.retain(|item| match item {
            ImplItem::Fn(function) => {
                let name = function.sig.ident.to_string();
                let name = name.as_str();
                !(TELL.contains(&name) || ASK.contains(&name) || of_cx && OF_CX.contains(&name))
            }
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let before = block.stmts.len();
        block.stmts.retain(|stmt| !matches!(stmt, Stmt::Expr(expr, _) if is_told(expr)));
        self.taken += before - block.stmts.len();
        visit_mut::visit_block_mut(self, block);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Some(quiet) = unheard(expr) {
            self.taken += 1;
            *expr = quiet;
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    fn visit_expr_match_mut(&mut self, expr: &mut ExprMatch) {
        let guard = |arm: &Arm| arm.guard.as_ref().and_then(|(_, guard)| when_off(guard));
        let before = expr.arms.len();
        expr.arms.retain(|arm| guard(arm) != Some(false));
        self.taken += before - expr.arms.len();
        for arm in expr.arms.iter_mut().filter(|arm| guard(arm) == Some(true)) {
            arm.guard = None;
            self.taken += 1;
        }
        visit_mut::visit_expr_match_mut(self, expr);
    }
}

/// Whether an expression is there for the trace alone.
fn is_told(expr: &Expr) -> bool {
    match expr {
        Expr::MethodCall(call) => emits(call),
        Expr::If(expr) => expr.else_branch.is_none() && when_off(&expr.cond) == Some(false),
        _ => false,
    }
}

/// What an expression is when nobody listens, if that makes a difference.
fn unheard(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::MethodCall(call) if emits(call) => Some(parse_quote!({})),
        Expr::If(expr) => {
            let block = &expr.then_branch;
            match (when_off(&expr.cond)?, &expr.else_branch) {
                (true, _) => Some(parse_quote!(#block)),
                (false, Some((_, branch))) => Some((**branch).clone()),
                (false, None) => Some(parse_quote!({})),
            }
        }
        _ => None,
    }
}

/// A condition's value when nobody listens, if it hangs on that.
fn when_off(condition: &Expr) -> Option<bool> {
    match condition {
        Expr::Unary(not) if matches!(not.op, UnOp::Not(_)) => when_off(&not.expr).map(|value| !value),
        Expr::Binary(both) if matches!(both.op, BinOp::And(_)) => {
            let known = [when_off(&both.left), when_off(&both.right)];
            if known.contains(&Some(false)) {
                Some(false)
            } else {
                (known == [Some(true); 2]).then_some(true)
            }
        }
        Expr::MethodCall(call) => match call.method.to_string().as_str() {
            "on" => is_path(&call.receiver, "cx").then_some(false),
            name => ASK.contains(&name).then_some(false),
        },
        _ => None,
    }
}

fn emits(call: &ExprMethodCall) -> bool {
    match call.method.to_string().as_str() {
        // A login's `enter` also changes its stage, and stays.
        "enter" => is_path(&call.receiver, "cx"),
        "event" => is_trace(&call.receiver),
        name => TELL.contains(&name),
    }
}

/// `trace`, `cx.trace`.
fn is_trace(expr: &Expr) -> bool {
    match expr {
        Expr::Field(field) => matches!(&field.member, Member::Named(name) if name == "trace"),
        other => is_path(other, "trace"),
    }
}

fn is_path(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Path(path) if path.path.is_ident(name))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::strip;

    /// The body of a function without its emissions, on one line, and how many there were.
    fn body(body: &str) -> (String, usize) {
        let (text, taken) = strip(&format!("fn f() {{ {body} }}")).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        (text.trim_start_matches("fn f() {").trim_end_matches('}').trim().to_owned(), taken)
    }

    #[test]
    fn emissions_go_and_the_rest_stays() {
        let calls = "a(); cx.emit(stage, || TraceEvent::ReadPacket); self.tell_read(cx); cx.enter(|| id); \
                     cx.trace.event(stage, &TraceEvent::Connected); trace.event(stage, &event); b();";
        assert_eq!(body(calls), ("a(); b();".to_owned(), 5));
        // a stage is changed
        assert_eq!(body("login.enter(stage, cx);"), ("login.enter(stage, cx);".to_owned(), 0));
    }

    #[test]
    fn what_is_done_for_those_who_listen_goes() {
        assert_eq!(body("if cx.on() { a(); } b();"), ("b();".to_owned(), 1));
        assert_eq!(body("if is_row && self.is_traced(cx) { a(); } b();"), ("b();".to_owned(), 1));
        assert_eq!(body("if !cx.on() { a(); } b();"), ("{ a(); } b();".to_owned(), 1));
        assert_eq!(body("match x { 1 if !cx.on() => a(), _ => b() }").0, "match x { 1 => a(), _ => b(), }");
        assert_eq!(body("match x { 1 if cx.on() => a(), _ => b() }").0, "match x { _ => b(), }");
        assert_eq!(body("if cx.on() { a() } else { b() }"), ("{ b() }".to_owned(), 1));
        assert_eq!(body("let x = if cx.on() { a() } else { b() };"), ("let x = { b() };".to_owned(), 1));
        assert_eq!(
            body("match x { 1 => self.emit(cx, e), _ => b() }"),
            ("match x { 1 => {} _ => b(), }".to_owned(), 1)
        );
        assert_eq!(body("if told { cx.emit(stage, e); }"), ("if told {}".to_owned(), 1));
    }

    #[test]
    fn what_tells_is_gone_and_tests_too() {
        let source = "impl<'a, T: TraceSink> Cx<'a, T> { pub fn new() {} pub fn on(&self) -> bool { self.trace.on() } }
            #[cfg(test)] mod tests { fn f() { cx.emit(e); } }";
        let (text, _) = strip(source).unwrap();
        assert!(text.contains("fn new") && !text.contains("fn on") && !text.contains("mod tests"), "{text}");
    }

    #[test]
    fn an_unknown_form_is_an_error() {
        for source in [
            "fn f() { let told = cx.trace.on(); }",
            "fn f() { (0..3).for_each(|_| Cx::emit(cx, stage, || TraceEvent::ReadPacket)); }",
            "fn f() { let told = matches!(x, 1 if cx.on()); }",
            "fn f() { if !told && !cx.on() { a(); } }",
        ] {
            assert!(strip(source).is_err(), "{source}");
        }
        assert!(strip("fn f( {").is_err());
    }
}
