//! Blueprints of tables written by hand. Those of workflows, and what changes
//! of their code mean, are in `tests/it/blueprint/mod.rs`; that machines follow
//! the graphs made of them is with the machine's random tests.

use std::time::Duration;

use super::plan::{Kind, Task};
use super::*;
use crate::policy::{Backoff, Policy, Rate, Retry};
use crate::task::definition::{
    Expr, Keep, Kind as Made, Missed, Numbers, OnFailure, Outcome, Overlap, Param, ReconcileDef, Region,
    Schedule, Step, TaskDef, TaskStep, UndoDef, When, Yield,
};
use crate::value::{Codec, Value};

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

fn never<T>(reads: &'static [u16]) -> Expr<T> {
    Expr { reads, eval: |_| unreachable!("no blueprint evaluates"), keep: Keep::NOTHING }
}

fn task(name: &'static str) -> TaskDef {
    TaskDef {
        begin_kept: |_| unreachable!("it begins from its arm"),
        name,
        version: 1,
        fallible: true,
        blocking: false,
        at_most_once: false,
        transaction: false,
        policy: Policy::DEFAULT,
        concurrency: None,
        rate: None,
        cache: None,
        undo: None,
        reconcile: None,
        child: None,
        output: Codec::of::<()>(),
    }
}

fn step(name: &'static str, kind: Made) -> Step {
    Step {
        name,
        needs: Numbers::NONE,
        dependents: Numbers::NONE,
        output: 0,
        kind,
        on_failure: OnFailure::FailRun,
        always: false,
        codecs: &[],
        line: 3,
        fingerprint: 0x1234_5678_9abc_def0,
    }
}

fn call(def: TaskDef) -> Made {
    let task = leak(def);
    let start = |_: &_, _: &mut _| unreachable!("no blueprint starts");
    Made::Task(TaskStep {
        task,
        policy: &task.policy,
        reads: Numbers::of(&[1]),
        moves: Numbers::of(&[0]),
        start,
        arm: 0,
        keeps: false,
    })
}

fn region(label: &'static str, steps: Vec<Step>) -> Region {
    let result = Yield::Compute(never(&[0]));
    Region { label, captures: &[0], slots: 4, steps: steps.leak(), result, carried: &[2], onces: &[] }
}

fn graph(name: &'static str, regions: Vec<Region>) -> &'static Graph {
    leak(Graph {
        name,
        docs: "Documented.",
        file: "src/lib.rs",
        line: 7,
        params: leak([Param { name: "day", ty: "Date", codec: Codec::of::<u8>() }]),
        regions: regions.leak(),
        output: Codec::of::<()>(),
        schedule: None,
        fingerprint: 9,
    })
}

/// Everything that a table can say, once.
fn everything() -> &'static Graph {
    static CODEC: Codec = Codec::of::<()>();
    let second = Duration::from_secs(1);
    let child = graph("inner", vec![region("", vec![step("only", call(task("only")))])]);
    let policy = Policy {
        retry: Retry {
            attempts: 3,
            backoff: Backoff::Exponential { start: second, factor: 1.1, max: 9 * second },
            jitter: 0.3,
            budget: Some(second),
        },
        timeout: Some(Duration::MAX),
        deadline: None,
        losses: 3,
    };
    let full = TaskDef {
        version: 7,
        blocking: true,
        at_most_once: true,
        transaction: true,
        policy,
        concurrency: Some(4),
        rate: Some(Rate { count: 10, per: second }),
        cache: Some(second),
        undo: Some(UndoDef { task: leak(TaskDef { policy, ..task("refund") }) }),
        reconcile: Some(ReconcileDef { task: leak(task("look")) }),
        ..task("charge")
    };
    let list = Policy {
        retry: Retry { backoff: Backoff::List(leak([second, 5 * second])), ..Retry::NEVER },
        ..Policy::DEFAULT
    };
    let charge = call(full);
    let overridden = match charge {
        Made::Task(step) => Made::Task(TaskStep { policy: leak(list), ..step }),
        other => other,
    };
    let soft = OnFailure::Value(Outcome { ok: |value| value, err: Value::new });
    let body = vec![
        Step { dependents: Numbers::of(&[1, 2]), ..step("a", charge) },
        Step {
            needs: Numbers::of(&[0]),
            dependents: Numbers::of(&[3]),
            on_failure: soft,
            ..step("b", overridden)
        },
        Step {
            needs: Numbers::of(&[0]),
            codecs: leak([Codec::of::<u8>()]),
            ..step("c", call(TaskDef { child: Some(child), ..task("inner") }))
        },
        Step {
            needs: Numbers::of(&[1]),
            always: true,
            ..step("d", call(TaskDef { child: Some(child), ..task("inner") }))
        },
        step(
            "e",
            Made::Signal { name: "go", codec: &CODEC, key: Some(never(&[2])), within: Some(never(&[1])) },
        ),
        step("f", Made::Signal { name: "go", codec: &CODEC, key: None, within: None }),
        step("g", Made::Sleep(never(&[]))),
        step("h", Made::Map { items: never(&[0]), region: 1, limit: Some(8), collect: |_| Value::new(()) }),
        step("i", Made::Loop { initial: never(&[]), test: never(&[0]), region: 2, limit: 20 }),
        step("j", Made::Branch { choose: never(&[3]), arms: &[3, 4] }),
        step("k", Made::Select { race: 5, arms: &[6] }),
        step("l", Made::Compute(never(&[2]))),
    ];
    let mut regions = vec![region("", body), region("", vec![]), region("", vec![])];
    regions.extend([region("then", vec![]), region("else", vec![])]);
    regions.push(region("", vec![step("timer", Made::Sleep(never(&[])))]));
    regions.push(Region { result: Yield::Slot(2), ..region("0", vec![]) });
    let graph = graph("whole", regions);
    let schedule = Some(Schedule {
        when: When::Cron("0 2 * * *"),
        timezone: "Europe/Berlin",
        missed: Missed::All(3),
        overlap: Overlap::CancelOld,
        fill: |_| Vec::new(),
    });
    leak(Graph {
        schedule,
        regions: graph.regions,
        docs: graph.docs,
        params: graph.params,
        output: Codec::of::<()>(),
        ..*graph
    })
}

#[test]
fn a_graph_comes_back_from_its_blueprint() {
    let blueprint = Blueprint::of(everything());
    let text = blueprint.to_json();
    let again = Blueprint::parse(&text).unwrap();
    assert_eq!(again, blueprint);
    assert_eq!(again.to_json(), text);
    assert_eq!(again.hash(), blueprint.hash());
    assert_eq!(Blueprint::of(again.graph()), blueprint);
    let names: Vec<_> = blueprint.workflows.iter().map(|workflow| &*workflow.name).collect();
    assert_eq!(names, ["whole", "inner"], "a child that two steps use is there once");
    // What a machine and people look at, and what follows from the rest.
    for (made, given) in again.graph().regions.iter().zip(everything().regions) {
        let given = format!("{:?}", given.steps).replace("Codec(u8)", "Codec(unknown)");
        assert_eq!(format!("{:?}", made.steps), given);
    }
    assert_eq!(again.graph().mermaid(), everything().mermaid());
}

#[test]
fn a_graph_is_made_once() {
    let (one, two) = (Blueprint::of(everything()), Blueprint::of(everything()));
    assert!(std::ptr::eq(one.graph(), two.graph()));
}

#[test]
fn remarks_do_not_change_the_hash_and_decisions_do() {
    let hash = |change: fn(&mut Workflow)| {
        let mut blueprint = Blueprint::of(everything());
        change(&mut blueprint.workflows[0]);
        blueprint.hash()
    };
    let same = hash(|_| {});
    assert_eq!(same, hash(|workflow| workflow.line = 99));
    assert_eq!(same, hash(|workflow| workflow.docs = "Better.".to_owned()));
    assert_eq!(same, hash(|workflow| workflow.schedule = None));
    assert_eq!(same, hash(|workflow| workflow.regions[0].steps[0].line = 99));
    assert_ne!(same, hash(|workflow| workflow.params.clear()));
    assert_ne!(same, hash(|workflow| workflow.regions[0].steps[0].fingerprint = 0));
    // The fingerprint of a graph does not know a task's version.
    let other = |task: &mut Task| task.version += 1;
    let mut blueprint = Blueprint::of(everything());
    let Kind::Task { task, .. } = &mut blueprint.workflows[0].regions[0].steps[0].kind else {
        panic!("a task")
    };
    other(task);
    assert_ne!(same, blueprint.hash());
}

#[test]
fn what_stands_for_the_user_s_code_says_so() {
    let graph = Blueprint::of(everything()).graph();
    let refused = (graph.output.decode)(b"1").unwrap_err().to_string();
    assert!(refused.contains("was made from a blueprint"), "{refused}");
    assert!((graph.output.encode)(&Value::new(1)).is_err());
}

fn damage(change: impl FnOnce(&mut Vec<Workflow>)) -> String {
    let mut blueprint = Blueprint::of(everything());
    change(&mut blueprint.workflows);
    match Blueprint::parse(&blueprint.to_json()) {
        Err(BlueprintError::Damaged(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_that_is_no_blueprint_is_refused() {
    let foreign = |text: &str| match Blueprint::parse(text) {
        Err(error @ BlueprintError::Foreign(_)) => error.to_string(),
        other => panic!("{text}: {other:?}"),
    };
    foreign("");
    foreign("[1, 2]");
    foreign(r#"{"name": "serde"}"#);
    foreign(r#"{"format": 1}"#);
    let text = Blueprint::of(everything()).to_json();
    foreign(&text[..text.len() / 2]);
    foreign(&text.replace("\"regions\"", "\"areas\""));
    let newer = Blueprint::parse(r#"{"format": 2, "flows": []}"#).unwrap_err();
    assert!(newer.to_string().contains("use a newer version"), "{newer}");
}

#[test]
fn a_blueprint_that_contradicts_itself_is_refused() {
    assert_eq!(damage(Vec::clear), "it has no workflow");
    let body = |change: fn(&mut Vec<super::plan::Step>)| damage(|all| change(&mut all[0].regions[0].steps));
    for problem in [
        body(|steps| steps[1].needs = vec![99]),
        body(|steps| steps[1].needs = vec![2, 0]),
        body(|steps| steps[1].needs = vec![0, 0]),
    ] {
        assert_eq!(
            problem,
            "workflow `whole` has a step `b` whose needs are not steps of its region, ascending"
        );
    }
    assert_eq!(body(|steps| steps[0].needs = vec![1]), "workflow `whole` has steps that wait for each other");
    assert_eq!(
        body(|steps| steps[0].name = "b".to_owned()),
        "workflow `whole` has two steps `b` in a region"
    );
    let opens = |region: u16| Kind::For { items: Vec::new(), region, limit: None };
    let with = |kind: Kind| damage(|all| all[0].regions[0].steps[0].kind = kind);
    assert_eq!(with(opens(99)), "workflow `whole` has no region 99");
    assert_eq!(with(opens(0)), "workflow `whole` opens its region 0 twice");
    assert_eq!(with(opens(3)), "workflow `whole` opens its region 3 twice");
    let select = Kind::Select { race: 5, arms: Vec::new() };
    assert_eq!(with(select), "workflow `whole` has a step `a` with fewer arms than its race has steps");
    let child = |place: u32| {
        damage(|all| {
            let Kind::Task { task, .. } = &mut all[0].regions[0].steps[2].kind else { panic!("a child") };
            task.child = Some(place);
        })
    };
    for place in [0, 2] {
        assert_eq!(child(place), "workflow `whole` has a step `c` that runs a workflow which is not there");
    }
    assert_eq!(damage(|all| all[1].regions.clear()), "workflow `inner` has no body");
}

/// What reads a graph recurses, and each use of a child counts.
#[test]
fn a_blueprint_without_measure_is_refused() {
    let deep = damage(|all| {
        let empty = all[0].regions[1].clone();
        all[0].regions = (1..=300)
            .map(|next| {
                let mut region = empty.clone();
                let step = all[1].regions[0].steps[0].clone();
                let kind = Kind::For { items: Vec::new(), region: next, limit: None };
                region.steps = vec![super::plan::Step { kind, ..step }];
                region
            })
            .collect();
        all[0].regions.push(empty);
    });
    assert_eq!(deep, "workflow `whole` has regions that lie more than 256 deep");
    let wide = damage(|all| {
        let leaf = all.remove(1);
        let Kind::Task { task, .. } = all[0].regions[0].steps[2].kind.clone() else { panic!("a child") };
        let workflows = (1..=40).map(|next| {
            let twice = ["a", "b"].map(|name| {
                let task = Box::new(Task { child: Some(next), ..(*task).clone() });
                let kind = Kind::Task { task, policy: None, reads: Vec::new(), moves: Vec::new() };
                super::plan::Step { name: name.to_owned(), kind, ..leaf.regions[0].steps[0].clone() }
            });
            let mut workflow = leaf.clone();
            workflow.regions[0].steps = twice.to_vec();
            workflow
        });
        let mut workflows: Vec<Workflow> = workflows.collect();
        workflows.push(leaf.clone());
        *all = workflows;
    });
    assert_eq!(wide, "workflow `inner` has more than 1000000 steps");
}
