//! A program, compiled, and run on one record after the other.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use logkeep_record::Record;
use vrl::compiler::runtime::{ExecutionControl, Runtime, Terminate};
use vrl::compiler::state::ExternalEnv;
use vrl::compiler::{CompileConfig, ExpressionError, Function, TargetValue, TimeZone};
use vrl::diagnostic::{DiagnosticList, DiagnosticMessage as _, Formatter};
use vrl::path::{OwnedSegment, OwnedTargetPath, PathPrefix};
use vrl::prelude::{Collection, Kind};
use vrl::value::{Secrets, Value as Vrl};

use super::event::{Facts, PARTS, event, take_back};
use super::{bounds, functions, size};

/// Source of one program at most.
const SOURCE_BYTES: usize = 64 << 10;
/// The stack on which it is read: of a kilobyte for each level that so much source can nest.
const STACK_BYTES: usize = 128 << 20;
/// Expressions that a program may compute for one record; to read a variable or a field is two.
const EXPRESSIONS: u32 = 40_000;
/// How long a program may take for one record. Between expressions it is asked for the time now and then.
const DEADLINE: Duration = Duration::from_millis(100);
const EXPRESSIONS_PER_LOOK: u32 = 4;

/// What became of a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as the program left it.
    Done,
    /// The program said `abort`: it is not to be stored.
    Aborted,
}

/// A compiled program.
pub(crate) struct Program {
    program: vrl::compiler::Program,
    /// Parts of the record that it names.
    parts: Vec<&'static str>,
    zone: TimeZone,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Program {
    /// Compiles a program.
    ///
    /// # Errors
    /// What is wrong and where in the source, over several lines.
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        if source.len() > SOURCE_BYTES {
            return Err(format!("the program has {} bytes, at most {SOURCE_BYTES} are allowed", source.len()));
        }
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("compile-vrl".to_owned()).stack_size(STACK_BYTES);
            let compiling = builder.spawn_scoped(scope, || Self::compile_here(source));
            let compiling = compiling.map_err(|error| format!("there is no thread to compile it: {error}"))?;
            compiling
                .join()
                .unwrap_or_else(|_| Err("the compiler ended by a defect; tell us, with the program".to_owned()))
        })
    }

    fn compile_here(source: &str) -> Result<Self, String> {
        let explain = |list: DiagnosticList| explained(source, list);
        let measured = match vrl::parser::parse(source) {
            Ok(parsed) => bounds::measured(source, parsed).map_err(|found| explain(vec![found].into()))?,
            // The compiler says why.
            Err(_) => source.to_owned(),
        };
        let external = ExternalEnv::new_with_kind(kind(), Kind::object(Collection::empty()));
        let compile = |source: &str, functions: &[Box<dyn Function>]| {
            let mut config = CompileConfig::default();
            for part in PARTS.iter().filter(|part| part.is_read_only) {
                config.set_read_only_path(path(part.name), true);
            }
            vrl::compiler::compile_with_external(source, functions, &external, config)
        };
        let mut functions = functions::all();
        let written = compile(source, &functions).map_err(explain)?;
        if !written.warnings.is_empty() {
            return Err(explain(written.warnings));
        }
        functions.push(Box::new(size::Within));
        let compiled = compile(&measured, &functions);
        let compiled = compiled.map_err(|list| format!("it cannot be measured: {}", explained(&measured, list)))?;
        let parts = parts(&compiled.program)?;
        let zone = TimeZone::parse("UTC").unwrap_or_default();
        Ok(Self { program: compiled.program, parts, zone })
    }

    /// Runs it on a record.
    ///
    /// # Errors
    /// Why it failed; the record is as it was.
    pub(crate) fn run(
        &self,
        runtime: &mut Runtime,
        record: &mut Record<'_>,
        facts: &Facts<'_>,
    ) -> Result<Outcome, String> {
        let mut target = TargetValue {
            value: event(record, facts, &self.parts),
            metadata: Vrl::Object(Default::default()),
            secrets: Secrets::new(),
        };
        let mut watch = Watch { expressions: 0, since: None, over: "" };
        // A defect in a library must not take the records of others with it.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            runtime.resolve_with_control(&mut target, &self.program, &self.zone, &mut watch)
        }));
        runtime.clear();
        match ended {
            Ok(Ok(_)) => take_back(record, target.value, &self.parts).map(|()| Outcome::Done),
            Ok(Err(Terminate::Abort(ExpressionError::Abort { .. }))) => Ok(Outcome::Aborted),
            Ok(Err(Terminate::Interrupted)) => Err(watch.over.to_owned()),
            Ok(Err(Terminate::Abort(error) | Terminate::Error(error))) => Err(first_line(&error.message())),
            Err(_) => Err("it ended by a defect of ours; tell us, with the program".to_owned()),
        }
    }
}

/// What is wrong and where, without the compiler's advice where to read on.
fn explained(source: &str, list: DiagnosticList) -> String {
    let text = Formatter::new(source, list).to_string();
    let is_advice = |line: &&str| line.starts_with("  = ") && line.contains("vrl.dev");
    text.trim()
        .lines()
        .filter(|line| !is_advice(line))
        .collect::<Vec<_>>()
        .join("\n")
        .trim_end_matches("\n  │")
        .to_owned()
}

/// What a program says of a record need not be all of the record.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    // The innermost call that failed says of itself what those around it only repeat.
    let innermost = line.rfind("function call error for ").and_then(|at| line[at..].split_once("): "));
    innermost.map_or(line, |(_, what)| what).chars().take(200).collect()
}

/// Ends a program that goes on for too long.
struct Watch {
    expressions: u32,
    since: Option<Instant>,
    over: &'static str,
}

impl ExecutionControl for Watch {
    fn checkpoint(&mut self) -> ControlFlow<()> {
        self.expressions += 1;
        if self.expressions > EXPRESSIONS {
            self.over = "it computes more than 40,000 expressions for one record";
            return ControlFlow::Break(());
        }
        if self.expressions.is_multiple_of(EXPRESSIONS_PER_LOOK)
            && self.since.get_or_insert_with(Instant::now).elapsed() > DEADLINE
        {
            self.over = "it takes more than 100 ms for one record";
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

/// What the compiler may rely on.
fn kind() -> Kind {
    let text = || Kind::bytes().or_null();
    let mut parts = Collection::empty();
    for part in PARTS {
        let kind = match part.name {
            "body" => Kind::any(),
            "attributes" | "resource" => Kind::object(Collection::any()),
            "time" => Kind::timestamp().or_null(),
            "severity_number" => Kind::integer(),
            "severity" | "tenant" | "signal" => Kind::bytes(),
            _ => text(),
        };
        parts.known_mut().insert(part.name.into(), kind);
    }
    Kind::object(parts)
}

fn path(part: &str) -> OwnedTargetPath {
    let segments = vec![OwnedSegment::Field(part.into())];
    OwnedTargetPath { prefix: PathPrefix::Event, path: vrl::path::OwnedValuePath { segments } }
}

/// Parts of the record that a program names: all, if it names the record as a whole.
fn parts(program: &vrl::compiler::Program) -> Result<Vec<&'static str>, String> {
    let info = program.info();
    let all = || PARTS.iter().map(|part| part.name);
    let mut parts = Vec::new();
    for path in info.target_queries.iter().chain(&info.target_assignments) {
        let known = all().collect::<Vec<_>>().join(", .");
        if path.prefix == PathPrefix::Metadata {
            return Err(format!("`{path}`: a record has no metadata; it has .{known}"));
        }
        match path.path.segments.first() {
            Some(OwnedSegment::Field(name)) => {
                let part = all().find(|part| *part == name.as_str());
                parts.push(part.ok_or_else(|| format!("`{path}`: a record has no such part; it has .{known}"))?);
            }
            _ => parts.extend(all()),
        }
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}
