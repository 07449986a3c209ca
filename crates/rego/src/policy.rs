//! A policy, made ready once, and what it says of a document.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::{Program, RegoVM};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, PolicyLengthConfig};
use seal::digest::{Digest, Hasher};

use crate::document::Document;
use crate::{builtins, calls, nesting};

/// The package whose rules are asked: `violations`, `allow`, or both.
pub const PACKAGE: &str = "countersign.gate";
/// Most instructions that asking one rule may take. Some fifty thousand statements, each looked at by
/// ten rules, stay far below it.
pub const BUDGET: usize = 50_000_000;
/// Largest policy file, bytes.
const LIMIT: usize = 256 << 10;
/// Most files of a policy.
const FILES: usize = 64;
const VIOLATIONS: &str = "data.countersign.gate.violations";
const ALLOW: &str = "data.countersign.gate.allow";

/// Which Rego a policy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Rego v1, as OPA 1.0 and later take it.
    #[default]
    V1,
    /// What was before it: rules without `if` and `contains`.
    V0,
}

/// A policy, ready.
///
/// It is asked twice. The engine's machine counts instructions, but takes rules that contradict each
/// other for rules that say nothing; its interpreter sees contradictions, but counts nothing. So the
/// machine says whether the work is bounded, and what both say alike is the answer.
#[derive(Clone)]
pub struct Policy {
    interpreter: Engine,
    violations: Option<Arc<Program>>,
    allow: Option<Arc<Program>>,
    digest: Digest,
}

/// A policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// No files, or more than any policy needs.
    #[error("a policy has 1 to {FILES} files, not {0}")]
    Files(usize),
    /// A file that is larger than any policy needs to be.
    #[error("{0}: larger than {LIMIT} bytes")]
    TooLong(String),
    /// Not Rego.
    #[error("the policy is no Rego of this dialect: {0}")]
    Rego(String),
    /// There is nothing to ask.
    #[error("no file has package {PACKAGE} with a rule violations or allow")]
    NoRule,
    /// Its rules call each other without end, or too deep.
    #[error("the policy cannot be bounded: {0}")]
    Calls(&'static str),
    /// It calls what no policy may.
    #[error("the policy calls {0}, which is not among the functions that a policy may call")]
    Builtin(String),
}

/// A policy came to no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// It went on for longer than any policy needs.
    #[error("the policy took more than {BUDGET} instructions")]
    Budget,
    /// A function was called with what it does not take, or rules contradict each other.
    #[error("the policy has no answer: {0}")]
    Fault(String),
    /// The engine's two ways to the answer do not agree.
    #[error("the engine's two evaluations of {0} differ")]
    Disagreement(&'static str),
    /// The rule's value is none that a policy gives.
    #[error("{0}")]
    Shape(&'static str),
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it complains of, sorted, each once.
    pub violations: Vec<String>,
    /// What its rule `allow` says; `None` where there is no such rule.
    pub allow: Option<bool>,
}

impl Verdict {
    /// Whether nothing speaks against it: a violation counts whatever `allow` says.
    pub fn passes(&self) -> bool {
        self.violations.is_empty() && self.allow != Some(false)
    }
}

impl Policy {
    /// Reads files (name and text) and makes them ready.
    pub fn parse(files: &[(String, String)], dialect: Dialect) -> Result<Policy, PolicyError> {
        if files.is_empty() || files.len() > FILES {
            return Err(PolicyError::Files(files.len()));
        }
        let mut hasher = Hasher::new();
        let mut engine = Engine::new();
        engine.set_rego_v0(dialect == Dialect::V0);
        engine.set_strict_builtin_errors(true);
        engine.set_policy_length_config(PolicyLengthConfig::default());
        for (name, text) in files {
            if text.len() > LIMIT {
                return Err(PolicyError::TooLong(name.clone()));
            }
            if !nesting::fits(text) {
                let why = format!("{name}: more than {} brackets in each other", nesting::DEEPEST);
                return Err(PolicyError::Rego(why));
            }
            hasher.update(Digest::of(text.as_bytes()).text().as_bytes());
            engine.add_policy(name.clone(), text.clone()).map_err(rego)?;
        }
        let (violations, parts) = ready(&mut engine, VIOLATIONS, ALLOW)?;
        let (allow, other) = ready(&mut engine, ALLOW, VIOLATIONS)?;
        // A rule `violations.x` or `allow.x` makes a document that is no rule itself and would not be
        // asked; whoever wrote it believes that it is.
        if (allow.is_none() && parts) || (violations.is_none() && other) {
            return Err(PolicyError::Rego("violations or allow is defined in parts only".into()));
        }
        if violations.is_none() && allow.is_none() {
            return Err(PolicyError::NoRule);
        }
        Ok(Policy { interpreter: engine, violations, allow, digest: hasher.finish() })
    }

    /// Over the digests of its files, in their order.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says of a document.
    pub fn judge(&self, input: impl Into<Document>) -> Result<Verdict, EvalError> {
        let Document(input) = input.into();
        let violations = match &self.violations {
            None => Vec::new(),
            Some(program) => told(&self.ask(program, VIOLATIONS, &input)?)?,
        };
        let allow = match &self.allow {
            None => None,
            // A rule that comes to nothing allows nothing.
            Some(program) => Some(match self.ask(program, ALLOW, &input)? {
                regorus::Value::Bool(allow) => allow,
                regorus::Value::Undefined => false,
                _ => return Err(EvalError::Shape("allow is neither true nor false")),
            }),
        };
        Ok(Verdict { violations, allow })
    }

    fn ask(
        &self,
        program: &Arc<Program>,
        rule: &'static str,
        input: &regorus::Value,
    ) -> Result<regorus::Value, EvalError> {
        let ask = |ahead: Option<ExecutionTimerConfig>| {
            let mut interpreter = self.interpreter.clone();
            if let Some(ahead) = ahead {
                interpreter.set_execution_timer_config(ahead);
            }
            interpreter.set_input(input.clone());
            interpreter.eval_rule(rule.to_owned())
        };
        let (counted, ahead) = std::thread::scope(|scope| {
            let ahead = deep(scope, || ask(Some(AHEAD)).ok());
            (counted(program, rule, input), ahead.and_then(join).flatten())
        });
        let counted = counted?;
        // Whatever kept it from an answer, this run has the last word: its work is bounded now.
        let value = match ahead {
            Some(value) => value,
            None => std::thread::scope(|scope| deep(scope, || ask(None)).and_then(join))
                .ok_or_else(|| EvalError::Fault("there is no thread to judge it in".into()))?
                .map_err(|error| EvalError::Fault(error.to_string()))?,
        };
        if value == counted { Ok(value) } else { Err(EvalError::Disagreement(rule)) }
    }
}

/// A thread for the interpreter, which calls itself for every loop of every rule that is being asked:
/// 64 rules in a row with as many loops as a rule may have take some 5 MiB where nothing is optimised.
fn deep<'s, R: Send + 's>(
    scope: &'s std::thread::Scope<'s, '_>,
    ask: impl FnOnce() -> R + Send + 's,
) -> Option<std::thread::ScopedJoinHandle<'s, R>> {
    std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, ask).ok()
}

fn join<R>(thread: std::thread::ScopedJoinHandle<'_, R>) -> Option<R> {
    thread.join().ok()
}

/// Of which only what is used is ever there.
const STACK: usize = 64 << 20;

/// While the machine counts, the interpreter may run ahead for so long; what it does not reach by then
/// it does afterwards, from the beginning. So the time decides how long it takes and nothing else.
const AHEAD: ExecutionTimerConfig = ExecutionTimerConfig {
    limit: Duration::from_secs(2),
    check_interval: NonZeroU32::new(256).expect("not zero"),
};

/// A rule made ready, if there is one of this name, and whether anything is called `other`.
fn ready(
    engine: &mut Engine,
    rule: &str,
    other: &str,
) -> Result<(Option<Arc<Program>>, bool), PolicyError> {
    let name: Arc<str> = rule.into();
    let compiled = match engine.compile_with_entrypoint(&name) {
        Ok(compiled) => compiled,
        // The engine's words for a rule that is not there; a test holds them.
        Err(error) if error.to_string() == "not a valid rule path" => return Ok((None, false)),
        Err(error) => return Err(rego(error)),
    };
    let other = compiled.get_rules().contains_key(other);
    let program = Compiler::compile_from_policy(&compiled, &[rule])
        .map_err(|error| PolicyError::Rego(error.to_string()))?;
    calls::judge(&program).map_err(PolicyError::Calls)?;
    match program.builtin_info_table.iter().find(|called| !builtins::allowed(&called.name)) {
        Some(called) => Err(PolicyError::Builtin(called.name.clone())),
        None => Ok((Some(program), other)),
    }
}

fn counted(
    program: &Arc<Program>,
    rule: &str,
    input: &regorus::Value,
) -> Result<regorus::Value, EvalError> {
    let mut machine = RegoVM::new();
    machine.set_max_instructions(BUDGET);
    // Strict, this machine would drop the rest of a rule where a call fails: the violations of all
    // statements behind it. The interpreter is strict, and takes a failed call for no answer.
    machine.set_strict_builtin_errors(false);
    machine.load_program(program.clone());
    machine.set_input(input.clone());
    machine.set_data(regorus::Value::new_object()).map_err(fault)?;
    machine.execute_entry_point_by_name(rule).map_err(fault)
}

fn fault(error: regorus::rvm::vm::VmError) -> EvalError {
    match error {
        regorus::rvm::vm::VmError::InstructionLimitExceeded { .. } => EvalError::Budget,
        error => EvalError::Fault(error.to_string()),
    }
}

fn rego(error: impl std::fmt::Display) -> PolicyError {
    PolicyError::Rego(error.to_string())
}

/// The texts of a set or a list: texts, or objects with a member `msg`.
fn told(value: &regorus::Value) -> Result<Vec<String>, EvalError> {
    const SHAPE: EvalError =
        EvalError::Shape("violations is no set or list of texts, or of objects with a text msg");
    let text = |value: &regorus::Value| match value {
        regorus::Value::String(text) => Ok(text.to_string()),
        regorus::Value::Object(_) => match &value["msg"] {
            regorus::Value::String(text) => Ok(text.to_string()),
            _ => Err(SHAPE),
        },
        _ => Err(SHAPE),
    };
    let mut told: Vec<String> = match value {
        regorus::Value::Undefined => Vec::new(),
        regorus::Value::Set(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        regorus::Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        _ => return Err(SHAPE),
    };
    told.sort();
    told.dedup();
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal::json::{Limits, Value, parse};

    fn policy(body: &str) -> Result<Policy, PolicyError> {
        let text = format!("package countersign.gate\n\n{body}\n");
        Policy::parse(&[("a.rego".into(), text)], Dialect::V1)
    }

    #[track_caller]
    fn check(body: &str, input: &str, expect: Result<(&[&str], Option<bool>), EvalError>) {
        let input = parse(input.as_bytes(), Limits::DOCUMENT).unwrap();
        let expect = expect.map(|(violations, allow)| Verdict {
            violations: violations.iter().map(|one| (*one).into()).collect(),
            allow,
        });
        assert_eq!(policy(body).unwrap().judge(&input), expect, "{body}");
    }

    #[test]
    fn a_violation_counts_whatever_allow_says() {
        let body = "allow := true\nviolations contains \"no\" if input.bad";
        check(body, r#"{"bad":true}"#, Ok((&["no"], Some(true))));
        let policy = policy(body).unwrap();
        let judged = |bad: bool| policy.judge(&Value::object([("bad", bad.into())])).unwrap();
        assert!(!judged(true).passes());
        assert!(judged(false).passes());
    }

    #[test]
    fn what_comes_to_nothing_allows_nothing() {
        check("allow if input.good", "{}", Ok((&[], Some(false))));
        check("default allow := false", "{}", Ok((&[], Some(false))));
        check("violations contains \"x\" if input.bad", "{}", Ok((&[], None)));
    }

    #[test]
    fn other_shapes_are_no_answer() {
        let texts = EvalError::Shape(
            "violations is no set or list of texts, or of objects with a text msg",
        );
        check("violations := {\"a\": true}", "{}", Err(texts.clone()));
        check("violations := true", "{}", Err(texts.clone()));
        check("violations := [1]", "{}", Err(texts));
        check("allow := \"yes\"", "{}", Err(EvalError::Shape("allow is neither true nor false")));
        check(
            "violations := [{\"msg\": \"b\", \"id\": 1}, \"a\", \"\"]",
            "{}",
            Ok((&["", "a", "b"], None)),
        );
    }

    #[test]
    fn a_call_that_fails_is_no_answer() {
        let input = parse(br#"[{"n":"2"},{"n":"two"},{"n":"3"}]"#, Limits::DOCUMENT).unwrap();
        for body in [
            "violations contains x.n if {\n  some x in input\n  to_number(x.n) > 1\n}",
            "violations contains \"x\" if {\n  some x in input\n  x.n + 1 > 2\n}",
            "violations contains \"x\" if startswith(input, \"a\")",
        ] {
            let judged = policy(body).unwrap().judge(&input);
            assert!(matches!(judged, Err(EvalError::Fault(_))), "{body}: {judged:?}");
        }
    }

    #[test]
    fn contradictions_are_no_answer() {
        let input = parse(br#"{"a":true,"b":true}"#, Limits::DOCUMENT).unwrap();
        let body = "violations := [\"a\"] if input.a\nviolations := [\"b\"] if input.b";
        let judged = policy(body).unwrap().judge(&input);
        assert!(matches!(judged, Err(EvalError::Fault(_))), "{judged:?}");
    }

    #[test]
    fn clock_network_and_chance_are_refused() {
        for (call, name) in [
            ("time.now_ns() > 0", "time.now_ns"),
            ("time[\"now_ns\"]() > 0", "time.now_ns"),
            ("rand.intn(\"a\", 2) == 1", "rand.intn"),
            ("count(numbers.range(1, 9)) > 1", "numbers.range"),
            ("count(net.cidr_expand(\"10.0.0.0/8\")) > 1", "net.cidr_expand"),
            ("trace(\"x\")", "trace"),
        ] {
            for body in [
                format!("violations contains \"x\" if {call}"),
                format!("violations contains \"x\" if f(1)\nf(_) if {call}"),
                format!(
                    "allow if data.other.f\ndefault other := {{}}\nallow if {{ x := [1 | {call}]; x }}"
                ),
            ] {
                let refused = policy(&body).err();
                let as_called = Some(PolicyError::Builtin(name.into()));
                let unknown = matches!(&refused, Some(PolicyError::Rego(_)));
                assert!(refused == as_called || unknown, "{body}: {refused:?}");
            }
        }
        for call in ["http.send({\"method\": \"get\"})", "opa.runtime()", "uuid.rfc4122(\"\")"] {
            let body = format!("violations contains \"x\" if {call}");
            assert!(policy(&body).is_err(), "{body}");
        }
    }

    /// A thread that is no thicker than others would end with the process.
    #[test]
    fn loops_within_loops_of_rules_within_rules_have_their_stack() {
        let loops: String = (0..40).map(|n| format!("  some a{n} in [1]\n")).collect();
        let rule = |n: usize| format!("f{n}(x) := y if {{\n{loops}  y := f{}(x)\n}}\n", n + 1);
        let rules: String = (0..60).map(rule).collect();
        let body = format!("{rules}f60(_) := 1\nviolations contains \"v\" if f0(1) == 1");
        check(&body, "{}", Ok((&["v"], None)));
    }

    #[test]
    fn endless_work_ends_at_the_same_place() {
        let list = Value::array((0..4_000i64).map(Value::from));
        let body =
            "violations contains \"x\" if {\n  some a in input\n  some b in input\n  a + b < 0\n}";
        let policy = policy(body).unwrap();
        assert_eq!(policy.judge(&list), Err(EvalError::Budget));
        assert_eq!(policy.judge(&list), Err(EvalError::Budget));
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for body in ["", "x := 1", "violations contains", "violations.a := \"x\""] {
            let refused = policy(body).err();
            assert!(refused.is_some(), "{body}");
        }
        assert_eq!(policy("x := 1").err(), Some(PolicyError::NoRule));
        for body in [
            "a if b\nb if a\nallow if a",
            "allow if f(1)\nf(x) if g(x)\ng(x) if f(x)",
            "violations contains x if some x in violations",
        ] {
            let refused = policy(body).err();
            assert!(matches!(refused, Some(PolicyError::Calls(_))), "{body}: {refused:?}");
        }
        assert!(policy("allow if data.countersign[input.x].allow").is_err());
        let chain = |rules: usize| {
            let step = |n: usize| format!("a{n} if a{}\n", n + 1);
            let chain: String = (0..rules - 2).map(step).collect();
            policy(&format!("{chain}a{} if input\nallow if a0", rules - 2))
        };
        let deep = chain(calls::DEEPEST).unwrap();
        assert_eq!(deep.judge(&Value::Bool(true)).map(|verdict| verdict.allow), Ok(Some(true)));
        assert!(matches!(chain(calls::DEEPEST + 1).err(), Some(PolicyError::Calls(_))));
        for nested in ["(", "[", "{", "not ", "f(", "[x | "] {
            assert!(policy(&format!("allow if {}", nested.repeat(100_000))).is_err());
        }
        let parts = policy("violations.a := \"x\"\nallow := true").err();
        assert!(matches!(parts, Some(PolicyError::Rego(_))), "{parts:?}");
        let v0 = "violations[\"x\"] { input.bad }";
        assert!(policy(v0).is_err());
        let text = format!("package countersign.gate\n{v0}\n");
        assert!(Policy::parse(&[("a".into(), text)], Dialect::V0).is_ok());
        assert_eq!(Policy::parse(&[], Dialect::V1).err(), Some(PolicyError::Files(0)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a-z .:={}\\[\\]|\"\n0-9]{0,48}") {
            let _ = policy(&format!("violations contains x if {{ {text} }}"));
            let _ = policy(&text);
        }
    }
}
