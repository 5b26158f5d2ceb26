//! A workflow of 1,000 steps and 4,000 dependencies compiles and runs.

#[allow(clippy::all, reason = "generated, and as plain as that")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/large.rs"));
}

mod tests {
    use workflow_runtime::run::StepState;
    use workflow_runtime::{Engine, Workflow};

    use super::generated::{EXPECTED, large};

    #[test]
    fn a_thousand_steps_and_four_thousand_dependencies() {
        let graph = large::GRAPH;
        let steps = graph.regions[0].steps;
        let wanted: usize = env!("LARGE_STEPS").parse().unwrap();
        assert_eq!(steps.len(), wanted);
        assert_eq!(steps.iter().map(|step| step.needs.len()).sum::<usize>(), 4 * wanted);
        assert!(std::ptr::eq(graph, <large as Workflow>::GRAPH));

        let ran = support::run(large());
        assert_eq!(*ran.value(), EXPECTED);
        assert_eq!(ran.snapshot.steps.len(), wanted);
        let succeeded = StepState::Succeeded { cached: false };
        assert!(ran.snapshot.steps.iter().all(|step| step.state == succeeded && step.attempt == 1));
    }

    #[test]
    fn on_several_threads_it_gives_the_same() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = Engine::in_memory().start().await.unwrap();
            for _ in 0..20 {
                assert_eq!(engine.start(large()).await.unwrap().await.unwrap(), EXPECTED);
            }
        });
    }

    #[test]
    fn its_picture_is_drawn() {
        let mermaid = large::mermaid();
        assert!(mermaid.lines().count() >= 1_000);
    }
}
