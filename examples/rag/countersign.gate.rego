# What conditions of countersign.gate.yaml cannot say: who is routed to is attested.
package countersign.gate

models contains trim_prefix(s.payload, "sha256:") if {
  some s in input.statements
  s.type == "model"
}

# It has no weights.
exempt := {"simulator"}

violations contains msg if {
  some s in input.statements
  s.type == "route"
  some p in s.predicate.route.providers
  not p.provider in exempt
  not object.get(p, "statement", "") in models
  msg := sprintf("%s of %s is routed to and not attested", [p.model, p.provider])
}
