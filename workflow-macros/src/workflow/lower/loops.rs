//! Lowers `for` and `while`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::{Lower, bound_name};
use crate::private::Private;
use crate::workflow::ast::{self, Statement, Target};
use crate::workflow::certain::are_certain;
use crate::workflow::graph::*;
use crate::workflow::parse::step_in;
use crate::workflow::pattern::{pattern_names, without_references};
use crate::workflow::rewrite::is_place;
use crate::workflow::tokens::{iterator, private_at, referenced};

/// What a `for` goes over.
struct Items {
    code: Code,
    list: TokenStream,
    codec: TokenStream,
}

fn item_of(items: &Expr, list: &TokenStream) -> TokenStream {
    let span = items.span();
    quote_spanned!(span=> <#list as ::core::iter::IntoIterator>::Item)
}

impl Lower<'_> {
    pub(super) fn lower_for(
        &mut self,
        statement: &Statement,
        value: &ast::For,
        name: String,
        region: RegionId,
        expected: Option<&TokenStream>,
    ) -> (Slot, TokenStream) {
        let items_type = match &value.items {
            Expr::Reference(_) => None,
            items => self.type_of(items),
        };
        let body = self.region(Some(region), String::new(), 1);
        let outside = self.scope.len();
        let items = match items_type {
            Some(list) => self.items(value, list, region, body),
            None => self.places(value, region, body),
        };
        let item_of = |list: &TokenStream| item_of(&value.items, list);
        let wanted = expected.map(item_of);
        self.items += 1;
        let found = self.block(&value.body, body, wanted.as_ref());
        self.items -= 1;
        self.scope.leave(outside);
        let result = self.settle(&[(body, &value.body, found)], wanted, statement);

        let ty = quote!(#Private::Vec<#result>);
        let limit = statement.options.step.limit.map(|(limit, _)| limit);
        let Items { code: items, list, codec } = items;
        let kind = Kind::Map { items, region: body, limit, item: result, list, codec };
        let span = bound_name(&statement.target).map_or(value.keyword.span, Ident::span);
        let slot = self.push_step(statement, name, span, kind, vec![ty.clone()], Failure::FailRun, region);
        (slot, expected.cloned().unwrap_or(ty))
    }

    /// Items of a known type, each of which becomes a value of the run.
    fn items(&mut self, value: &ast::For, list: TokenStream, region: RegionId, body: RegionId) -> Items {
        let at = value.items.span();
        let items = self.owned(&value.items, region);
        let iterator = iterator(&items.tokens);
        let item = item_of(&value.items, &list);
        let private = private_at(at);
        let codec = quote_spanned!(at=> #private::Codec::of::<#item>);
        let code = self.wrap(items, |_| {
            quote_spanned! {at=>
                #private::Iterator::collect(#private::Iterator::map(#iterator, |item| {
                    let _ = #codec;
                    #private::Value::new(item)
                }))
            }
        });
        self.bind_pattern(body, &value.pat, Slot::Extra(0), item);
        Items { code, list, codec }
    }

    /// Items of a type that only rustc knows: what the run has of each is its
    /// place, and an item is an expression, evaluated where it is used. So it
    /// may borrow, as those of `iter()` do.
    fn places(&mut self, value: &ast::For, region: RegionId, body: RegionId) -> Items {
        value.by_place.set(true);
        let at = value.items.span();
        let private = private_at(at);
        let lent = is_place(&value.items, self);
        let computed = !are_certain(&value.items);
        let mut item = self.uncounted(&value.items);
        item.computed = computed;
        if lent {
            item.tokens = referenced(&item.tokens);
        }
        let listed = self.count(item.clone(), region);
        let code = self.wrap(listed, |items| {
            let iterator = iterator(&items);
            let count = quote_spanned!(at=> #private::Iterator::count(#iterator));
            quote_spanned!(at=> #private::Iterator::collect(#private::Iterator::map(0..#count, #private::Value::new)))
        });
        // No name of the user's: it is in no scope.
        let place = Ident::new("__workflow_place", Span::mixed_site());
        let number = quote!(::core::primitive::usize);
        let form = Form::Slot { slot: Slot::Extra(0), ty: number.clone(), pat: None, own: false };
        let binding = Binding {
            names: vec![place.clone()],
            region: body,
            form,
            mutable: false,
            uses: 0,
            crosses: false,
        };
        self.graph.bindings.push(binding);
        item.uses.push(self.graph.bindings.len() - 1);
        let iterator = iterator(&item.tokens);
        item.tokens = quote_spanned!(at=> #private::Ordered::item_at(#iterator, *#place));
        let checked = if lent { value.pat.clone() } else { without_references(&value.pat) };
        self.check_pattern(&checked, false);
        let mut names = Vec::new();
        pattern_names(&value.pat, &mut names);
        let pat = value.pat.to_token_stream();
        let form = Form::Pure { pat, ty: None, known: None, code: item, by_ref: lent };
        let item = self.bind(Binding { names, region: body, form, mutable: false, uses: 0, crosses: false });
        self.graph.borrowing.insert(item);
        let codec = quote!(#Private::Codec::of::<#number>);
        Items { code, list: quote!(#Private::Vec<#number>), codec }
    }

    pub(super) fn lower_while(&mut self, statement: &Statement, value: &ast::While, region: RegionId) {
        let keyword = value.keyword.span;
        if let Expr::Let(condition) = &value.condition {
            self.error(condition.let_token.span, "a `while` of a workflow tests a `bool`\nhelp: use a method such as `is_some()`, and `match` inside the body");
            return;
        }
        if let Some(span) = step_in(&value.condition) {
            self.error(span, "the condition of a `while` is tested before each turn, and holds no step\nhelp: bind its value before the loop, `let mut value = …;`, test that, and assign it in the body");
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
        self.loops.push((body, names.iter().map(ToString::to_string).collect(), self.items));
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
