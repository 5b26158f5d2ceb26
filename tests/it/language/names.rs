//! Rule 13: a step's identity is its path. Rule 15 and the rest of the
//! section: what `workflow!` gives under the workflow's name.

use support::run;
use support::tasks::*;
use workflow_runtime::definition::Kind;
use workflow_runtime::{Task, Workflow, workflow};

workflow! {
    fn inner(value: u64) -> Result<u64> {
        let doubled = double(value);
        Ok(doubled)
    }
}

workflow! {
    /// Names of every kind.
    ///
    /// And a second paragraph.
    pub fn named(items: Vec<u64>, flag: bool) -> Result<u64> {
        let bound = give(1);
        nothing();
        #[name = "given"]
        let other = give(bound);
        #[name = "done"]
        nothing();
        let priced = for item in items {
            let quote = give(item);
            if flag { double(quote) } else { give(0) }
        };
        for item in items { give(item); }
        for item in items { give(item); }
        let mut turn: u64 = 0;
        #[limit(3)]
        while turn < 2 { turn = add(&turn, &1); }
        let matched = match bound { 0 => give(0), _ => inner(other)? };
        sleep("1s");
        sleep("2s");
        let raced = select! { first = give(1) => give(first), _ = sleep("1s") => give(2) };
        let total = sum(&priced);
        Ok(total + matched + raced + turn)
    }
}

#[test]
fn a_path_is_built_of_bindings_and_tasks_and_places() {
    let ran = run(named(vec![5, 6], true));
    assert_eq!(*ran.value(), 22 + 2 + 1 + 2);
    let paths: Vec<&str> = ran.snapshot.steps.iter().map(|step| step.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "named/bound",
            "named/nothing",
            "named/given",
            "named/done",
            "named/priced",
            "named/priced[0]/quote",
            "named/priced[0]/if",
            "named/priced[0]/if[then]/double",
            "named/priced[0]/if[else]/give",
            "named/priced[1]/quote",
            "named/priced[1]/if",
            "named/priced[1]/if[then]/double",
            "named/priced[1]/if[else]/give",
            "named/for",
            "named/for[0]/give",
            "named/for[1]/give",
            "named/for-2",
            "named/for-2[0]/give",
            "named/for-2[1]/give",
            "named/while",
            "named/while[0]/turn",
            "named/while[1]/turn",
            "named/matched",
            "named/matched[1]/inner",
            "named/matched[1]/inner/doubled",
            "named/matched[0]/give",
            "named/sleep",
            "named/sleep-2",
            "named/raced",
            "named/raced/first",
            "named/raced/sleep",
            "named/raced[0]/give",
            "named/raced[1]/give",
            "named/total",
        ]
    );
}

workflow! {
    fn raw(r#type: u64) -> Result<u64> {
        let r#match = give(r#type);
        let größe = add(&r#match, &1);
        Ok(größe)
    }
}

#[test]
fn names_may_be_raw_and_of_any_script() {
    let ran = run(raw(1));
    assert_eq!(*ran.value(), 2);
    assert_eq!(ran.started_in_order(), ["raw/match", "raw/größe"]);
}

workflow! {
    fn collisions(env: u64, moved: u64, values: Vec<u64>) -> Result<Vec<u64>> {
        let item = double(env);
        let value = give(moved);
        let items = for values in values {
            let env = give(values);
            let step = add(&double(env), &give(item));
            add(&step, &value)
        };
        let tick = sum(&items);
        Ok(vec![item, value, tick])
    }
}

#[test]
fn no_name_of_the_user_s_means_anything_of_the_expansion() {
    assert_eq!(*run(collisions(1, 5, vec![10, 20])).value(), [2, 5, 22 + 5 + 42 + 5]);
}

#[test]
fn the_graph_is_static_data() {
    const GRAPH: &workflow_runtime::definition::Graph = named::GRAPH;
    assert_eq!(GRAPH.name, "named");
    assert!(GRAPH.docs.contains("Names of every kind.") && GRAPH.docs.contains("second paragraph"));
    assert!(GRAPH.file.ends_with("names.rs"));
    let params: Vec<(&str, &str)> = GRAPH.params.iter().map(|param| (param.name, param.ty)).collect();
    assert_eq!(params, [("items", "Vec<u64>"), ("flag", "bool")]);
    assert_eq!((GRAPH.output.type_name)(), "u64");

    let body = &GRAPH.regions[0];
    let step = |name: &str| body.steps.iter().position(|step| step.name == name).unwrap();
    assert!(body.steps[step("given")].needs.contains(&u16::try_from(step("bound")).unwrap()));
    assert!(matches!(body.steps[step("priced")].kind, Kind::Map { .. }));
    for (number, step) in body.steps.iter().enumerate() {
        for need in step.needs {
            let number = u16::try_from(number).unwrap();
            assert!(body.steps[usize::from(*need)].dependents.contains(&number), "{}", step.name);
        }
    }
    assert!(std::ptr::eq(<inner as Workflow>::GRAPH, <inner as Task>::DEF.child.unwrap()));
}

#[test]
fn the_graph_can_be_drawn() {
    let mermaid = named::mermaid();
    assert!(mermaid.starts_with("flowchart") || mermaid.starts_with("graph"), "{mermaid}");
    for name in ["bound", "priced", "raced", "quote"] {
        assert!(mermaid.contains(name), "`{name}` is missing in\n{mermaid}");
    }
    assert!(named::dot().starts_with("digraph"));
    assert!(named::svg().contains("<svg"));
}

#[test]
fn an_invocation_says_what_it_is() {
    assert_eq!(format!("{:?}", named(vec![], false)), "Invocation(named)");
}

/// A change of what a step does, or of what it is given, changes its
/// fingerprint; its policy does not.
mod fingerprints {
    use super::*;

    mod first {
        use super::*;
        workflow! {
            pub fn work(a: u64, b: u64) -> Result<u64> {
                let left = double(a);
                let right = double(b);
                let both = add(&left, &right);
                Ok(both)
            }
        }
    }

    mod other_policy {
        use super::*;
        workflow! {
            pub fn work(a: u64, b: u64) -> Result<u64> {
                #[retry(attempts = 7)]
                #[timeout("1m")]
                let left = double(a);
                let right = double(b);
                let both = add(&left, &right);
                Ok(both)
            }
        }
    }

    mod other_argument {
        use super::*;
        workflow! {
            pub fn work(a: u64, b: u64) -> Result<u64> {
                let left = double(a + 1);
                let right = double(b);
                let both = add(&left, &right);
                Ok(both)
            }
        }
    }

    #[test]
    fn a_step_s_fingerprint_is_what_it_does_on_what_it_is_given() {
        let of = |graph: &'static workflow_runtime::definition::Graph| -> Vec<u64> {
            graph.regions[0].steps.iter().map(|step| step.fingerprint).collect()
        };
        let first = of(first::work::GRAPH);
        assert_eq!(first, of(other_policy::work::GRAPH));
        let other = of(other_argument::work::GRAPH);
        assert_eq!(first[1], other[1], "`right` is the same");
        assert_ne!(first[0], other[0], "`left` is given something else");
        assert_ne!(first[2], other[2], "and so is what depends on it");
    }
}
