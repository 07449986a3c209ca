//! Which rule of a policy calls which. The engine takes rules that call each other in a circle, and
//! would follow them until its stack ends and the process with it.

use std::collections::BTreeMap;

use regorus::rvm::instructions::LiteralOrRegister;
use regorus::rvm::{Instruction, Program};

/// Most rules that may call one another in a row.
pub const DEEPEST: usize = 64;

/// What is wrong with the calls of a program, if anything.
pub fn judge(program: &Program) -> Result<(), &'static str> {
    let rules = program.rule_infos.len();
    let mut depth: Vec<Option<usize>> = vec![None; rules];
    let calls = calls(program)?;
    // Rules that call only rules whose depth is known get theirs, until no more do.
    loop {
        let mut found = false;
        for rule in 0..rules {
            if depth[rule].is_some() {
                continue;
            }
            let below: Option<Vec<usize>> =
                calls[rule].iter().map(|called| depth.get(*called).copied().flatten()).collect();
            if let Some(below) = below {
                let deep = below.into_iter().max().map_or(1, |deepest| deepest + 1);
                if deep > DEEPEST {
                    return Err("more than 64 rules call one another in a row");
                }
                depth[rule] = Some(deep);
                found = true;
            }
        }
        if !found {
            break;
        }
    }
    match depth.iter().all(Option::is_some) {
        true => Ok(()),
        false => Err("rules call each other in a circle"),
    }
}

/// For each rule, those it calls.
fn calls(program: &Program) -> Result<Vec<Vec<usize>>, &'static str> {
    // Instructions belong to the rule whose definition begins last before them.
    let mut begins: BTreeMap<usize, usize> = BTreeMap::new();
    for (rule, info) in program.rule_infos.iter().enumerate() {
        let definitions = info.definitions.iter().flatten().copied();
        let blocks = info.destructuring_blocks.iter().flatten().copied();
        for begin in definitions.chain(blocks) {
            begins.insert(usize::try_from(begin).map_err(|_| "is too long")?, rule);
        }
    }
    let mut calls = vec![Vec::new(); program.rule_infos.len()];
    for (at, instruction) in program.instructions.iter().enumerate() {
        let Some((_, rule)) = begins.range(..=at).next_back() else { continue };
        match instruction {
            Instruction::CallRule { rule_index, .. } => calls[*rule].push(usize::from(*rule_index)),
            Instruction::FunctionCall { params_index } => {
                let params = program.instruction_data.get_function_call_params(*params_index);
                calls[*rule].push(usize::from(params.ok_or("calls nothing")?.func_rule_index));
            }
            Instruction::VirtualDataDocumentLookup { params_index } => {
                calls[*rule].extend(below(program, *params_index)?);
            }
            _ => {}
        }
    }
    Ok(calls)
}

/// The rules that a path below `data` may lead to: those on the way to what is certain of it, and all
/// behind that.
fn below(program: &Program, params_index: u16) -> Result<Vec<usize>, &'static str> {
    let params = program.instruction_data.get_virtual_data_document_lookup_params(params_index);
    let mut certain = "data".to_owned();
    for step in &params.ok_or("looks up nothing")?.path_components {
        let LiteralOrRegister::Literal(index) = step else { break };
        match program.literals.get(usize::from(*index)) {
            Some(regorus::Value::String(name)) if is_word(name) => {
                certain.push('.');
                certain.push_str(name);
            }
            _ => break,
        }
    }
    let leads = |name: &str| {
        let within = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| {
                rest.is_empty()
                    || !rest.starts_with(char::is_alphanumeric) && !rest.starts_with('_')
            })
        };
        within(&certain, name) || within(name, &certain)
    };
    let rules = program.rule_infos.iter().enumerate();
    Ok(rules.filter(|(_, info)| leads(&info.name)).map(|(rule, _)| rule).collect())
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
