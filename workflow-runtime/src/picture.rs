//! A workflow's graph as text that other programs draw: Mermaid and Graphviz.
//!
//! Both are made by one walk over the regions, which hands what it meets to a
//! [`Pen`].

use std::fmt::Write;

use crate::task::definition::{Graph, Kind, Region, Step};

impl Graph {
    /// The graph as a Mermaid flowchart: steps are boxes, regions are frames,
    /// arrows are dependencies.
    ///
    /// ```
    /// use workflow_runtime::{Result, task, workflow};
    ///
    /// #[task]
    /// async fn fetch(url: String) -> String { url }
    ///
    /// workflow! {
    ///     /// Fetches a page.
    ///     pub fn ingest(url: String) -> Result<String> {
    ///         let page = fetch(url);
    ///         Ok(page)
    ///     }
    /// }
    ///
    /// assert!(ingest::mermaid().contains("page"));
    /// ```
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut pen = Mermaid("flowchart TD\n".to_owned());
        draw(self, &mut pen);
        pen.0
    }

    /// The graph in the language of Graphviz (`dot -Tsvg`).
    #[must_use]
    pub fn dot(&self) -> String {
        let mut pen =
            Dot(format!("digraph \"{}\" {{\n  rankdir=TB;\n  node [shape=box, style=rounded];\n", self.name));
        draw(self, &mut pen);
        pen.0.push_str("}\n");
        pen.0
    }
}

/// What draws a graph in some language.
trait Pen {
    /// A step. `shape` says what kind.
    fn step(&mut self, id: &str, label: &str, shape: NodeShape);
    /// The frame of a region begins.
    fn open(&mut self, id: &str, label: &str);
    /// The frame ends.
    fn close(&mut self);
    /// An arrow.
    fn arrow(&mut self, from: &str, to: &str, dashed: bool);
}

#[derive(Clone, Copy)]
enum NodeShape {
    Task,
    /// `if`, `match`, `for`, `while`, `select!`: it opens regions.
    Control,
    /// `signal` and `sleep`.
    Wait,
}

fn draw(graph: &Graph, pen: &mut dyn Pen) {
    if let Some(body) = graph.regions.first() {
        draw_region(graph, body, "s", pen);
    }
}

fn draw_region(graph: &Graph, region: &Region, prefix: &str, pen: &mut dyn Pen) {
    for (index, step) in region.steps.iter().enumerate() {
        let id = format!("{prefix}{index}");
        pen.step(&id, &label(step), shape(step));
        for (number, (title, inner)) in opened(graph, step).into_iter().enumerate() {
            let inner_id = format!("{id}_{number}");
            pen.open(&inner_id, &title);
            let inner_prefix = format!("{inner_id}_");
            draw_region(inner.0, inner.1, &inner_prefix, pen);
            pen.close();
            for (first, inner_step) in inner.1.steps.iter().enumerate() {
                if inner_step.needs.is_empty() {
                    pen.arrow(&id, &format!("{inner_prefix}{first}"), true);
                }
            }
        }
    }
    for (index, step) in region.steps.iter().enumerate() {
        for need in step.needs {
            pen.arrow(&format!("{prefix}{need}"), &format!("{prefix}{index}"), false);
        }
    }
}

/// The regions a step opens, with the graphs they belong to.
fn opened<'g>(graph: &'g Graph, step: &Step) -> Vec<(String, (&'g Graph, &'g Region))> {
    let region = |number: u16, title: String| {
        graph.regions.get(usize::from(number)).map(|region| (title, (graph, region)))
    };
    let regions = match step.kind {
        Kind::Map { region: body, limit, .. } => vec![region(
            body,
            limit.map_or_else(|| "for each".to_owned(), |limit| format!("for each, {limit} at a time")),
        )],
        Kind::Loop { region: body, limit, .. } => vec![region(body, format!("while, at most {limit} turns"))],
        Kind::Branch { arms, .. } | Kind::Select { arms, .. } => {
            let race = match step.kind {
                Kind::Select { race, .. } => vec![region(race, "whichever is first".to_owned())],
                _ => Vec::new(),
            };
            let arms = arms.iter().map(|arm| {
                let label = graph.regions.get(usize::from(*arm)).map_or("", |region| region.label);
                region(*arm, label.to_owned())
            });
            race.into_iter().chain(arms).collect()
        }
        Kind::Task(task) => {
            let child = task.task.child.and_then(|child| child.regions.first().map(|body| (child, body)));
            return child.map(|child| (child.0.name.to_owned(), child)).into_iter().collect();
        }
        Kind::Signal { .. } | Kind::Sleep(_) | Kind::Compute(_) | Kind::Check(_) => Vec::new(),
    };
    regions.into_iter().flatten().filter(|(_, (_, region))| !region.steps.is_empty()).collect()
}

/// The step's name, and its task's where that says more.
fn label(step: &Step) -> String {
    let what = match step.kind {
        Kind::Task(task) => task.task.name.to_owned(),
        Kind::Signal { name, .. } => format!("signal {name}"),
        Kind::Sleep(_) => "sleep".to_owned(),
        Kind::Map { .. } => "for".to_owned(),
        Kind::Loop { .. } => "while".to_owned(),
        Kind::Branch { .. } => "choice".to_owned(),
        Kind::Select { .. } => "select".to_owned(),
        Kind::Compute(_) => "value".to_owned(),
        Kind::Check(_) => "check".to_owned(),
    };
    if what == step.name { what } else { format!("{}: {what}", step.name) }
}

fn shape(step: &Step) -> NodeShape {
    match step.kind {
        Kind::Task(_) | Kind::Compute(_) | Kind::Check(_) => NodeShape::Task,
        Kind::Signal { .. } | Kind::Sleep(_) => NodeShape::Wait,
        Kind::Map { .. } | Kind::Loop { .. } | Kind::Branch { .. } | Kind::Select { .. } => {
            NodeShape::Control
        }
    }
}

struct Mermaid(String);

impl Pen for Mermaid {
    fn step(&mut self, id: &str, label: &str, shape: NodeShape) {
        let label = label.replace('"', "#quot;");
        let (open, close) = match shape {
            NodeShape::Task => ("[", "]"),
            NodeShape::Control => ("{{", "}}"),
            NodeShape::Wait => ("([", "])"),
        };
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.0, "  {id}{open}\"{label}\"{close}");
    }

    fn open(&mut self, id: &str, label: &str) {
        let label = label.replace('"', "#quot;");
        let _ = writeln!(self.0, "  subgraph {id} [\"{label}\"]");
    }

    fn close(&mut self) {
        self.0.push_str("  end\n");
    }

    fn arrow(&mut self, from: &str, to: &str, dashed: bool) {
        let arrow = if dashed { "-.->" } else { "-->" };
        let _ = writeln!(self.0, "  {from} {arrow} {to}");
    }
}

struct Dot(String);

impl Pen for Dot {
    fn step(&mut self, id: &str, label: &str, shape: NodeShape) {
        let shape = match shape {
            NodeShape::Task => "",
            NodeShape::Control => ", shape=hexagon",
            NodeShape::Wait => ", shape=oval",
        };
        let _ = writeln!(self.0, "  \"{id}\" [label={label:?}{shape}];");
    }

    fn open(&mut self, id: &str, label: &str) {
        let _ = writeln!(self.0, "  subgraph \"cluster_{id}\" {{\n  label={label:?};");
    }

    fn close(&mut self) {
        self.0.push_str("  }\n");
    }

    fn arrow(&mut self, from: &str, to: &str, dashed: bool) {
        let style = if dashed { " [style=dashed]" } else { "" };
        let _ = writeln!(self.0, "  \"{from}\" -> \"{to}\"{style};");
    }
}
