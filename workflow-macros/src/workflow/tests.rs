//! The stages, each on a workflow of a few lines. What rustc makes of the
//! expansion is in `tests/ui/workflow`.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{format_ident, quote};

use crate::diagnostics::Errors;
use crate::workflow::graph::{Graph, Kind, RegionId, Slot};
use crate::workflow::{ast, check, compile, lower, parse};

fn parsed(tokens: TokenStream, errors: &mut Errors) -> ast::Workflow {
    match parse::parse(tokens, errors) {
        Ok(workflow) => workflow,
        Err(error) => panic!("{error}"),
    }
}

/// The graph of a workflow without mistakes.
fn graph(tokens: TokenStream) -> Graph {
    let mut errors = Errors::default();
    let workflow = parsed(tokens, &mut errors);
    let graph = lower::lower(&workflow, &mut errors);
    assert_eq!(errors.messages(), Vec::<String>::new());
    graph
}

/// The first lines of all that is wrong with a workflow.
fn mistakes(tokens: TokenStream) -> Vec<String> {
    let mut errors = Errors::default();
    let workflow = parsed(tokens, &mut errors);
    let graph = lower::lower(&workflow, &mut errors);
    drop(check::check(&workflow, graph, &mut errors));
    let first = |message: String| message.lines().next().unwrap_or_default().to_owned();
    errors.messages().into_iter().map(first).collect()
}

fn needs(graph: &Graph, region: RegionId, step: &str) -> Vec<String> {
    let steps = &graph.regions[region].steps;
    let Some(step) = steps.iter().find(|found| found.name == step) else { panic!("no step {step}") };
    step.needs.iter().map(|need| steps[*need].name.clone()).collect()
}

/// The fingerprints in the tables: each step's, which is the last number of
/// its row or stands after `fingerprint:`, then the workflow's.
fn fingerprints(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    each_group(compile(tokens), &mut |before, group| match before {
        "row" => found.extend(integers(group.stream()).pop()),
        _ => {
            let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
            let field = tokens.iter().position(|token| token.to_string() == "fingerprint");
            let value = field.and_then(|field| tokens.get(field + 2));
            found.extend(value.map(|value| value.to_string().replace("u64", "")));
        }
    });
    found
}

/// The slots that each step that calls a task moves.
fn moves(tokens: TokenStream) -> Vec<Vec<String>> {
    let (mut numbers, mut parts) = (Vec::new(), Vec::new());
    each_group(compile(tokens), &mut |before, group| {
        let integers = integers(group.stream());
        match before {
            // The list, and not a row that names it.
            "__WORKFLOW_NUMBERS" if numbers.is_empty() => numbers = integers,
            "row" => {
                let place = |index: usize| integers[index].parse::<usize>().unwrap();
                parts.push(place(3)..place(4));
            }
            _ => {}
        }
    });
    parts.into_iter().map(|part| numbers[part].to_vec()).collect()
}

/// All groups, the outer ones last, each with the name that stands before it.
fn each_group(tokens: TokenStream, visit: &mut dyn FnMut(&str, &Group)) {
    let mut before = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(name) => before = name.to_string(),
            TokenTree::Group(group) => {
                each_group(group.stream(), visit);
                visit(&before, &group);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// All integers, in order.
fn integers(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(integers(group.stream())),
            TokenTree::Literal(literal) => {
                found.extend(Some(literal.to_string()).filter(|text| !text.starts_with('"')));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
    found
}

fn count(tokens: TokenStream) -> usize {
    let size = |token| match token {
        TokenTree::Group(group) => 2 + count(group.stream()),
        _ => 1,
    };
    tokens.into_iter().map(size).sum()
}

#[test]
fn a_step_needs_the_steps_whose_names_it_uses() {
    let graph = graph(quote! {
        fn w(day: u64) -> Result<u64> {
            let a = first(day);
            let b = second(day);
            let sum = a + 1;
            let c = third(sum, &b.field);
            let d = fourth(format!("{b} and {}", day));
            let e = fifth(&inner(c)?);
            Ok(e)
        }
    });
    assert_eq!(needs(&graph, 0, "a"), [""; 0]);
    assert_eq!(needs(&graph, 0, "b"), [""; 0]);
    assert_eq!(needs(&graph, 0, "c"), ["a", "b"]);
    assert_eq!(needs(&graph, 0, "d"), ["b"]);
    assert_eq!(needs(&graph, 0, "inner"), ["c"]);
    assert_eq!(needs(&graph, 0, "e"), ["inner"]);
}

#[test]
fn a_region_captures_what_it_uses_from_outside() {
    let graph = graph(quote! {
        fn w(items: Vec<u64>, factor: u64) -> Result<Vec<u64>> {
            let rate = fetch(factor);
            let other = fetch(factor);
            let priced = for item in items {
                let price = price(item, &rate);
                round(price, &factor)
            };
            Ok(priced)
        }
    });
    let [body, each] = &graph.regions[..] else { panic!("two regions") };
    assert_eq!(needs(&graph, 0, "priced"), ["rate"]);
    // The item, then what is captured, in the order of use, then the steps'.
    assert_eq!(each.extras, 1);
    assert_eq!(each.captures, [Slot::Output(0), Slot::Extra(1)]);
    assert_eq!(each.slots(), 5);
    assert_eq!(needs(&graph, 1, "round"), ["price"]);
    assert_eq!(graph.number(1, Slot::Capture(1)), 2);
    assert_eq!(graph.number(1, Slot::Output(0)), 3);
    assert_eq!(body.slots(), 5);
}

#[test]
fn a_capture_passes_through_the_regions_between() {
    let graph = graph(quote! {
        fn w(items: Vec<u64>, flag: bool) -> Result<u64> {
            let rate = fetch();
            for item in items {
                if flag {
                    price(item, &rate);
                }
            }
            Ok(1)
        }
    });
    let labels: Vec<&str> = graph.regions.iter().map(|region| region.label.as_str()).collect();
    assert_eq!(labels, ["", "", "then", "else"]);
    assert_eq!(graph.regions[1].captures.len(), 2);
    // What the arm captures is what the `for`'s body has.
    assert_eq!(graph.regions[2].captures[0], Slot::Extra(0));
    assert!(matches!(graph.regions[2].captures[1], Slot::Capture(_)));
    assert_eq!(needs(&graph, 0, "for"), ["rate"]);
}

#[test]
fn a_loop_carries_its_variables() {
    let graph = graph(quote! {
        fn w(first: u64) -> Result<u64> {
            let mut a = start(first);
            let mut b: u64 = first + 1;
            #[limit(5)]
            while a < 10 {
                b = b + 1;
                a = next(a, b);
            }
            Ok(a)
        }
    });
    let body = &graph.regions[1];
    assert_eq!((body.extras, body.carried.len()), (2, 2));
    let Some(step) = graph.regions[0].steps.iter().find(|step| step.name == "while") else { panic!() };
    assert!(matches!(step.kind, Kind::Loop { limit: Some(5), .. }));
    // One output for each variable, and the result is the loop's.
    assert_eq!(step.types.len(), 2);
    assert_eq!(needs(&graph, 1, "a"), ["b"]);
}

#[test]
fn only_the_only_use_is_moved() {
    let moves = |body: TokenStream| moves(quote!(fn w(list: Vec<u64>) -> Result<u64> { #body }));
    // Slot 0 is the parameter, slot 1 the first step's.
    assert_eq!(moves(quote!(let a = f(list); let b = g(a); Ok(b))), [["0"], ["1"]]);
    assert_eq!(moves(quote!(let a = f(&list); let b = g(a, a); Ok(b))), [[""; 0], []]);
    assert_eq!(
        moves(quote!(let a = f(list); let b = g(a); let c = h(&a); Ok(b + c))),
        [vec!["0"], vec![], vec![]]
    );
    // A region may run more than once, so it copies.
    assert_eq!(moves(quote!(let a = f(); for item in list { g(a, item); } Ok(1))), [vec![], vec!["0"]]);
}

#[test]
fn a_fingerprint_is_of_what_a_step_means() {
    let workflow = |attributes: TokenStream, argument: TokenStream, wait: &str| {
        quote! {
            fn w(day: u64, items: Vec<u64>) -> Result<u64> {
                #attributes
                let a = first(#argument);
                let b = second(a);
                let c = other(day);
                sleep(#wait);
                for item in items { each(item); }
                Ok(b + c)
            }
        }
    };
    let plain = fingerprints(workflow(quote!(), quote!(day), "1h"));
    assert_eq!(plain.len(), 7);
    assert_eq!(plain, fingerprints(workflow(quote!(), quote!(day), "1h")));
    // Retries, time limits and waits change when a step runs, not what it is.
    let limits = quote!(#[retry(attempts = 5)] #[timeout("1m")]);
    assert_eq!(plain, fingerprints(workflow(limits, quote!(day), "2h")));
    // An argument changes the step, those that need it, and the workflow.
    let changed = fingerprints(workflow(quote!(), quote!(day + 1), "1h"));
    let differ: Vec<bool> = plain.iter().zip(&changed).map(|(old, new)| old != new).collect();
    assert_eq!(differ, [true, true, false, false, false, false, true]);
}

#[test]
fn a_fingerprint_sees_through_pure_bindings() {
    let workflow = |size: TokenStream, start: TokenStream, worth: TokenStream| {
        quote! {
            fn w(day: u64, items: Vec<u64>) -> Result<u64> {
                let n = #size;
                let twice = n * 2;
                let a = first(twice);
                let b = second(day);
                let mut x: u64 = #start;
                #[limit(3)]
                while x < 3 { x = third(x); }
                let list: Vec<u64> = for item in items { let c = each(item); #worth };
                Ok(b + a)
            }
        }
    };
    let plain = || (quote!(items.len()), quote!(1), quote!(c));
    let of = |(size, start, worth)| fingerprints(workflow(size, start, worth));
    let differ = |changed: Vec<String>| -> Vec<usize> {
        let before = of(plain());
        // The last one is the workflow's, which only knows the steps' own words.
        let steps = before.iter().zip(&changed).take(before.len() - 1).enumerate();
        steps.filter(|(_, (old, new))| old != new).map(|(place, _)| place).collect()
    };
    assert_eq!(of(plain()).len(), 7, "{:?}", mistakes(workflow(quote!(items.len()), quote!(1), quote!(c))));
    assert_eq!(differ(of(plain())), [0usize; 0]);
    assert_eq!(differ(of((quote!(items.len() + 1), quote!(1), quote!(c)))), [0]);
    assert_eq!(differ(of((quote!(items.len()), quote!(2), quote!(c)))), [2]);
    assert_eq!(differ(of((quote!(items.len()), quote!(1), quote!(c + 1)))).len(), 1);
}

#[test]
fn a_mistake_costs_one_statement() {
    let found = mistakes(quote! {
        fn w(day: u64, items: Vec<u64>) -> Result<u64> {
            let a = first(day +);
            let b = second(nobody_knows);
            let c = = 3;
            for item in items {
                let d = each(item item);
                other(&itme);
            }
            let e = third(&dya, &a, &c);
            Ok(e)
        }
    });
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "unexpected end of input, expected an expression",
            "expected an expression",
            "expected `,`",
            "cannot find `itme` in workflow `w`",
            "cannot find `dya` in workflow `w`",
        ]
    );
}

#[test]
fn names_inside_macros_are_used() {
    let graph = graph(quote! {
        fn w(day: u64) -> Result<u64> {
            let a = first();
            let b = first_of(vec![a.x, 1]);
            let c = third(json!({ "a": a, "day": day }));
            let d = fourth(matches!(b, Some(a) if a > 3));
            let e = fifth(format!("{c:>width$}", width = 3));
            Ok(e)
        }
    });
    assert_eq!(needs(&graph, 0, "b"), ["a"]);
    assert_eq!(needs(&graph, 0, "c"), ["a"]);
    // The pattern's `a` is its own.
    assert_eq!(needs(&graph, 0, "d"), ["b"]);
    assert_eq!(needs(&graph, 0, "e"), ["c"]);
}

#[test]
fn a_circle_is_found_in_any_region() {
    let found = mistakes(quote! {
        fn w(items: Vec<u64>) -> Result<u64> {
            for item in items {
                #[after(c)]
                let a = first(item);
                let b = second(a);
                let c = third(b);
            }
            Ok(1)
        }
    });
    assert_eq!(found, ["the steps of workflow `w` wait for each other in a circle"]);
}

/// Build time grows with what a step expands to.
#[test]
fn the_expansion_stays_small() {
    let size = |steps: usize| {
        let statements = (0..steps).map(|index| {
            let (name, before) = (format_ident!("s{}", index + 1), format_ident!("s{}", index));
            quote!(let #name = task(&#before, day)?;)
        });
        let last = format_ident!("s{}", steps);
        count(compile(quote! {
            fn w(s0: u64, day: u64) -> Result<u64> {
                #(#statements)*
                Ok(#last)
            }
        }))
    };
    let (small, large) = (size(10), size(30));
    let step = (large - small) / 20;
    assert!(step < 200, "a step expands to {step} tokens");
    assert!(small - 10 * step < 1450, "a workflow expands to {} tokens and its steps", small - 10 * step);
}

/// How often rustc looks at the arguments of a call.
fn looks(tokens: TokenStream) -> usize {
    let mut found = 0;
    each_group(compile(tokens), &mut |before, _| found += usize::from(before == "call"));
    found
}

#[test]
fn arguments_that_are_names_are_type_checked_once_and_others_twice() {
    let looks = |step| looks(quote!(fn w(day: Day) -> Result<u64> { Ok(#step) }));
    assert_eq!(looks(quote!(first(day)?)), 1);
    assert_eq!(looks(quote!(first(&day))), 1);
    assert_eq!(looks(quote!(first(&day.hour))), 2);
}

#[test]
fn arguments_are_type_checked_where_a_mistake_leaves_no_tables() {
    let twice_the_same_name = quote! {
        fn w(day: u64) -> Result<u64> {
            let a = first(&day);
            let a = second(day);
            Ok(a)
        }
    };
    assert_eq!(looks(twice_the_same_name), 2);
}

/// Where syn accepts an attribute, and what of a workflow would be dropped
/// with it.
#[test]
fn every_attribute_is_read_or_reported() {
    let body = |statements: TokenStream| quote!(fn w(a: u64, b: u64) -> Result<u64> { #statements Ok(a) });
    let places = [
        quote!(let x = #[retry(attempts = 2)] task(a);),
        quote!(let x = task(#[name = "n"] a);),
        quote!(let x = task(&#[name = "n"] other(a));),
        quote!(let x = match a { #[limit(2)] 1 => task(a), _ => task(b) };),
        quote!(let x = match a { 1 if #[limit(2)] true => task(a), _ => task(b) };),
        quote!(let (#[limit(2)] x, y) = task(a);),
        quote!(let x: [u8; { #[limit(2)] 3 }] = task(a);),
        quote!(let x = for i in #[limit(2)] a { task(i) };),
        quote!(let x = if #[limit(2)] a > b { task(a) } else { task(b) };),
        quote!(let x = if a > b { task(a) } else #[limit(2)] { task(b) };),
        quote!(let x = task(S { #[limit(2)] a: 1 });),
        quote!(let x = task(|#[limit(2)] c| c);),
        quote!(let x = task(#[limit(2)] |c| c);),
        quote!(let x = task({ #[limit(2)] let c = 1; c });),
        quote!(let x = task(vec![#[limit(2)] a]);),
        quote!(let x = task(other!(c #[limit(2)] d));),
        quote!(let x = task(f::<#[limit(2)] u8>());),
        quote!(let x: u64 = select! { #[limit(2)] v = task(a) => v, w = other(b) => w };),
        quote!(let x: u64 = select! { v = #[limit(2)] task(a) => v, w = other(b) => w };),
        quote!(sleep(#[limit(2)] "1s");),
        quote!(let x = signal::<u64>("s").within(#[limit(2)] "1s");),
    ];
    let mut parsed = 0;
    for place in places {
        let text = place.to_string();
        let mistakes = mistakes(body(place));
        // Where syn takes none, it says so.
        assert!(!mistakes.is_empty(), "{text}");
        parsed += mistakes.iter().filter(|mistake| mistake.contains("has no effect here")).count();
    }
    assert!(parsed >= 15, "{parsed}");
    let parameter = mistakes(quote!(
        fn w(#[limit(2)] a: u64) -> Result<u64> {
            let x = task(a);
            Ok(x)
        }
    ));
    assert_eq!(parameter.len(), 1, "{parameter:?}");
}
