//! One figure, its floor, and the table of them.

use seal::json::{Value, write_pretty};

/// A measured figure.
pub struct Figure {
    /// What was measured, with its workload.
    pub name: String,
    /// What came out.
    pub ours: f64,
    /// Of both `ours` and `floor`.
    pub unit: &'static str,
    /// What nobody can be better than here, and its name.
    pub floor: Option<(f64, String)>,
    /// CPU time (user and system) that one operation cost, microseconds.
    pub cpu: Option<f64>,
    /// The goal (docs/benchmarks.md): first landing, later.
    pub goal: Option<(f64, f64)>,
}

impl Figure {
    /// A figure without floor, CPU and goal.
    pub fn new(name: impl Into<String>, ours: f64, unit: &'static str) -> Self {
        Self { name: name.into(), ours, unit, floor: None, cpu: None, goal: None }
    }

    /// Against a floor.
    pub fn floor(mut self, floor: f64, name: impl Into<String>) -> Self {
        self.floor = Some((floor, name.into()));
        self
    }

    /// With CPU per operation.
    pub fn cpu(mut self, microseconds: f64) -> Self {
        self.cpu = Some(microseconds);
        self
    }

    /// With its goals.
    pub fn goal(mut self, first: f64, later: f64) -> Self {
        self.goal = Some((first, later));
        self
    }

    fn ratio(&self) -> Option<f64> {
        let (floor, _) = self.floor.as_ref()?;
        (*floor > 0.0).then(|| self.ours / floor)
    }
}

/// Prints figures as they come, or all at the end as JSON.
pub struct Table {
    json: bool,
    sections: Vec<(String, String, Vec<Figure>)>,
    missing: Vec<String>,
}

impl Table {
    /// An empty table; says on what machine it was made.
    pub fn new(json: bool) -> Self {
        if !json {
            println!("# Figures\n\n{}", machine());
        }
        Self { json, sections: Vec::new(), missing: Vec::new() }
    }

    /// Begins a section: a subject and its workload.
    pub fn section(&mut self, subject: &str, workload: &str) {
        if !self.json {
            println!("\n## {subject}\n\n{workload}\n");
            println!("| figure | ours | floor | ratio | CPU µs/op | goal first, later |");
            println!("|---|---:|---|---:|---:|---|");
        }
        self.sections.push((subject.to_owned(), workload.to_owned(), Vec::new()));
    }

    /// Adds a figure.
    pub fn add(&mut self, figure: Figure) {
        if !self.json {
            let floor = figure.floor.as_ref().map_or_else(
                || "–".to_owned(),
                |(value, name)| format!("{} ({name})", number(*value)),
            );
            println!(
                "| {} | {} {} | {floor} | {} | {} | {} |",
                figure.name,
                number(figure.ours),
                figure.unit,
                figure.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
                figure.cpu.map_or_else(|| "–".to_owned(), number),
                figure.goal.map_or_else(
                    || "–".to_owned(),
                    |(first, later)| format!("{}, {}", number(first), number(later))
                ),
            );
        }
        if let Some((_, _, figures)) = self.sections.last_mut() {
            figures.push(figure);
        }
    }

    /// Says loudly that something is not in the table.
    pub fn missing(&mut self, what: &str) {
        eprintln!("NOT MEASURED: {what}");
        self.missing.push(what.to_owned());
    }

    /// Prints what is printed at the end.
    pub fn finish(&self) {
        if !self.json {
            for what in &self.missing {
                println!("\n**Not measured:** {what}");
            }
            return;
        }
        let sections = self.sections.iter().map(|(subject, workload, figures)| {
            Value::object([
                ("subject", subject.as_str().into()),
                ("workload", workload.as_str().into()),
                ("figures", Value::array(figures.iter().map(describe))),
            ])
        });
        let document = Value::object([
            ("machine", Value::from(machine())),
            ("sections", Value::array(sections)),
            ("missing", Value::array(self.missing.iter())),
        ]);
        println!("{}", write_pretty(&document));
    }
}

fn describe(figure: &Figure) -> Value {
    let maybe = |value: Option<f64>| value.map_or(Value::Null, rounded);
    Value::object([
        ("name", figure.name.as_str().into()),
        ("ours", rounded(figure.ours)),
        ("unit", figure.unit.into()),
        ("floor", maybe(figure.floor.as_ref().map(|(value, _)| *value))),
        ("floor_name", figure.floor.as_ref().map_or(Value::Null, |(_, name)| name.as_str().into())),
        ("ratio", maybe(figure.ratio())),
        ("cpu_us", maybe(figure.cpu)),
        ("goal_first", maybe(figure.goal.map(|(first, _)| first))),
        ("goal_later", maybe(figure.goal.map(|(_, later)| later))),
    ])
}

fn rounded(value: f64) -> Value {
    Value::Float((value * 1e4).round() / 1e4)
}

fn number(value: f64) -> String {
    match value.abs() {
        n if n >= 1000.0 => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        n if n >= 100.0 => format!("{value:.0}"),
        n if n >= 10.0 => format!("{value:.1}"),
        n if n >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Cores at hand.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    format!(
        "{}, {} cores, Linux {}, load before the run {}",
        model.trim_start_matches([' ', '\t', ':']),
        cores(),
        kernel.trim(),
        load.join(" "),
    )
}
