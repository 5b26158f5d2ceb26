//! Lowers `for` and `while`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::{Lower, bound_name};
use crate::private::Private;
use crate::workflow::ast::{self, Statement, Target};
use crate::workflow::graph::*;
use crate::workflow::spelling::is_step_call;
use crate::workflow::tokens::{iterator, private_at};

impl Lower<'_> {
    pub(super) fn lower_for(
        &mut self,
        statement: &Statement,
        value: &ast::For,
        name: String,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        if let Expr::Reference(reference) = &value.items {
            self.error(
                reference.and_token.span,
                "a `for` of a workflow takes the items themselves\nhelp: remove the `&`",
            );
        }
        let item_of = |list: &TokenStream| {
            let span = value.items.span();
            quote_spanned!(span=> <#list as ::core::iter::IntoIterator>::Item)
        };
        let called = match &value.items {
            Expr::Try(tried) => &tried.expr,
            items => items,
        };
        let is_step = matches!(called, Expr::Call(call) if is_step_call(call));
        if is_step {
            self.error(
                value.items.span(),
                "a `for` takes the items of a step by the step's name\nhelp: bind the step first: `let items = task(…)?;`",
            );
        }
        let items_type = self.type_of(&value.items);
        let items = match is_step {
            true => Code { tokens: quote!(()), ..Code::default() },
            false => self.owned(&value.items, region),
        };
        let iterator = iterator(&items.tokens);
        let item = items_type.as_ref().map_or_else(|| quote!(()), item_of);
        let private = private_at(value.items.span());
        let codec = quote_spanned!(value.items.span()=> #private::Codec::of::<#item>);
        let items = self.wrap(items, |_| {
            quote_spanned! {value.items.span()=>
                #private::Iterator::collect(#private::Iterator::map(#iterator, |item| {
                    let _ = #codec;
                    #private::Value::new(item)
                }))
            }
        });
        if items_type.is_none() && !self.failed {
            let message = "the type of these items is not known to `workflow!`, and a run saves each of them\nhelp: bind them first: `let items: Vec<Item> = …;`";
            self.error(value.items.span(), message);
        }
        let body = self.region(Some(region), String::new(), 1);
        let outside = self.scope.len();
        self.bind_pattern(body, &value.pat, Slot::Extra(0), item);
        let wanted = expected.map(item_of);
        let found = self.block(&value.body, body, wanted.as_ref());
        self.scope.leave(outside);
        let result = self.settle(&[(body, &value.body, found)], wanted, statement);

        let ty = quote!(#Private::Vec<#result>);
        let limit = statement.options.step.limit.map(|(limit, _)| limit);
        let kind = Kind::Map {
            items,
            region: body,
            limit,
            item: result,
            list: items_type.unwrap_or_else(|| quote!(())),
            codec,
        };
        let span = bound_name(&statement.target).map_or(value.keyword.span, Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], Failure::FailRun, region);
        (slot, expected.cloned().unwrap_or(ty))
    }

    pub(super) fn lower_while(&mut self, statement: &Statement, value: &ast::While, region: RegionId) {
        let keyword = value.keyword.span;
        if let Expr::Let(condition) = &value.condition {
            self.error(condition.let_token.span, "a `while` of a workflow tests a `bool`\nhelp: use a method such as `is_some()`, and `match` inside the body");
            return;
        }
        let mut names: Vec<Ident> = Vec::new();
        for statement in &value.body.statements {
            if let Target::Assign { name } = &statement.target
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        let body = self.region(Some(region), String::new(), names.len());
        let outside = self.scope.len();
        let mut initial = Vec::new();
        let mut types = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let (first, ty) = self.loop_variable(name, region);
            initial.push(first);
            types.push(ty.clone());
            let binding = self.bind_slot(body, name, Slot::Extra(index), ty);
            self.graph.bindings[binding].mutable = true;
        }
        let test = self.code(&value.condition, body);
        let tests_variable = test.uses.iter().any(|used| {
            let variables = &self.scope.bound()[outside..];
            self.graph
                .closure(&[*used])
                .iter()
                .any(|used| variables.iter().any(|(_, variable)| variable == used))
        });
        if !tests_variable && !self.failed {
            self.error(keyword, "this `while` never assigns what it tests, so it would never end\nhelp: assign a name of the condition in the body: `x = task(x)?;`");
        }
        self.loops.push((body, names.iter().map(ToString::to_string).collect()));
        self.block_of_loop(&value.body, body, &names);
        self.loops.pop();
        self.scope.leave(outside);

        let name =
            statement.options.step.name.as_ref().map_or_else(|| "while".to_owned(), syn::LitStr::value);
        let limit = statement.options.step.limit.map(|(limit, _)| limit);
        let kind = Kind::Loop { initial, test, region: body, limit };
        let count = types.len();
        let slot = self.push_step(statement, name, keyword, kind, types.clone(), Failure::FailRun, region);
        let first = match slot {
            Slot::Output(first) => first,
            Slot::Extra(_) | Slot::Capture(_) => 0,
        };
        for (index, name) in names.iter().enumerate().take(count) {
            let binding = self.bind_slot(region, name, Slot::Output(first + index), types[index].clone());
            self.graph.bindings[binding].mutable = true;
        }
    }

    /// The first value and the type of a loop variable.
    fn loop_variable(&mut self, name: &Ident, region: RegionId) -> (Initial, TokenStream) {
        let text = name.to_string();
        let Some(binding) = self.lookup(&text) else {
            self.error(name.span(), format!("`{text}` is assigned before it is bound\nhelp: write `let mut {text} = …;` above the `while`"));
            return (Initial::Slot(Slot::Extra(0)), quote!(()));
        };
        if !self.graph.bindings[binding].mutable {
            self.error(
                name.span(),
                format!(
                    "`{text}` is assigned here, so it has to be `mut`\nhelp: write `let mut {text} = …;`"
                ),
            );
        }
        let Some(ty) = self.slot_type(binding) else {
            self.error(name.span(), format!("the type of `{text}` is not known to `workflow!`, and a run saves it after every turn\nhelp: write it: `let mut {text}: Type = …;`"));
            return (Initial::Slot(Slot::Extra(0)), quote!(()));
        };
        if let Form::Slot { slot, .. } = self.graph.bindings[binding].form {
            let owner = self.graph.bindings[binding].region;
            self.graph.bindings[binding].uses += 1;
            return (Initial::Slot(self.graph.import(region, owner, slot)), ty);
        }
        let code =
            Code { uses: vec![binding], tokens: quote!(#Private::Clone::clone(#name)), computed: false };
        (Initial::Compute { code: self.count(code, region), ty: ty.clone() }, ty)
    }

    /// Like `block`, and afterwards notes where the loop variables ended up.
    fn block_of_loop(&mut self, block: &ast::Block, region: RegionId, names: &[Ident]) {
        let outside = self.scope.len();
        let failed = std::mem::take(&mut self.failed);
        for statement in &block.statements {
            self.failed = false;
            self.statement(statement, region, None);
            statement.broken.set(self.failed);
        }
        self.failed = failed;
        for name in names {
            let binding = self.lookup(&name.to_string());
            if let Some(Form::Slot { slot, .. }) = binding.map(|binding| &self.graph.bindings[binding].form) {
                let slot = *slot;
                if let Some(binding) = binding {
                    self.graph.bindings[binding].uses += 1;
                }
                self.graph.regions[region].carried.push(slot);
            }
        }
        self.scope.leave(outside);
    }
}
