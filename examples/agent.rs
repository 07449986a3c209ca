//! An agent whose every step leaves a signed receipt, and the walk back from its last one.
//!
//! `cargo run -p countersign --example agent -- chain.jsonl`

use countersign::{Action, AgentIdentity, ProvenanceLogger, Scanner, Tracer, Value};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "agent-chain.jsonl".into());
    let agent = AgentIdentity::generate("agent:mailer")?
        .allowed_models(["simulator"])
        .allowed_tools(["send_email"])
        .issue()?;
    let mut log = ProvenanceLogger::to_file(&agent, path.as_ref())?;

    let prompt = "Tell Dana that invoice 4711 is paid.";
    let asked = log.record_user_input(prompt)?;

    let scan = Scanner::builtin().scan(prompt);
    let scanned = log.record_guardrail_scan(&[asked], prompt, &scan)?;
    if scan.action() == Action::Block {
        return Err(format!("refused: {}", scan.verdict).into());
    }

    let answer = "send_email to dana@example.org: invoice 4711 is paid"; // your model's answer
    let called = log.record_model_call(&[scanned], "simulator", prompt, answer)?;

    let arguments = Value::object([("to", "dana@example.org".into())]);
    let result = Value::object([("sent", true.into())]); // your tool's result
    let sent = log.record_tool_call(&[called], "send_email", &arguments, &result)?;

    let trace = Tracer::over_chain(path.as_ref()).trust(agent.trust()).trace(&sent.to_string())?;
    print!("{}", trace.to_table());
    Ok(())
}
