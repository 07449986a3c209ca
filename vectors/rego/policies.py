"""The policies: (name, body). A body gets `package countersign.gate` before it."""

V = "violations contains msg if {\n%s\n}\n"


def rule(*lines):
    return V % "\n".join("  " + line for line in lines)


def each(condition, msg='sprintf("%s", [s.payload])'):
    """A violation for each statement of which a condition holds."""
    lines = condition if isinstance(condition, list) else [condition]
    return rule("some s in input.statements", *lines, f"msg := {msg}")


TYPES = ["prompt", "corpus", "eval", "route", "slo", "model"]
SETS = "types := {s.type | some s in input.statements}\n"
EVALS = 'evals := [s.predicate.eval | some s in input.statements; s.type == "eval"]\n'

POLICIES = []


def add(name, body):
    POLICIES.append((name, body))


# Types that must be there, written in five ways.
for kind in TYPES:
    add(f"needs-{kind}", SETS + rule(f'not "{kind}" in types', f'msg := "no {kind}"'))
    add(f"counts-{kind}", rule(
        f'n := count([1 | some s in input.statements; s.type == "{kind}"])',
        "n != 1", f'msg := sprintf("%d of {kind}", [n])'))
    add(f"allow-{kind}", f'default allow := false\nallow if {{\n  some s in input.statements\n  s.type == "{kind}"\n}}\n')
add("needs-several", SETS + rule('missing := {"prompt", "eval", "slo"} - types', "some m in missing",
                                 'msg := concat(" ", ["no", m])'))
add("needs-list", SETS + rule('missing := sort([t | some t in ["prompt", "eval", "slo"]; not t in types])',
                              "count(missing) > 0", 'msg := concat(", ", missing)'))

# Changed files.
for name, glob in [("star", "app/*"), ("deep", "app/**"), ("any", "**/*.yaml"), ("one", "app/?.txt"), ("set", "app/[ab].txt"), ("alternatives", "{app,data}/**")]:
    add(f"glob-{name}", rule("some c in input.changes", f'glob.match("{glob}", ["/"], c.path)', "msg := c.path"))
add("glob-no-delimiters", rule("some c in input.changes", 'glob.match("app*", [], c.path)', "msg := c.path"))
add("path-prefix", rule("some c in input.changes", 'startswith(c.path, "app/")', "msg := c.path"))
add("path-suffix", rule("some c in input.changes", 'endswith(c.path, ".yaml")', "msg := c.path"))
add("path-regex", rule("some c in input.changes", r'regex.match(`^app/.+\.txt$`, c.path)', "msg := c.path"))
add("path-regex-unicode", rule("some c in input.changes", r'regex.match(`\p{L}+\.txt$`, c.path)', "msg := c.path"))
add("path-split", rule("some c in input.changes", 'parts := split(c.path, "/")', "count(parts) > 2",
                       'msg := sprintf("%s is %d deep", [c.path, count(parts)])'))
add("path-last-name", rule("some c in input.changes", 'parts := split(c.path, "/")', 'msg := parts[count(parts) - 1]'))
add("path-lower", rule("some c in input.changes", "lower(c.path) != c.path", "msg := upper(c.path)"))
add("gone-files", rule("some c in input.changes", "c.gone", "msg := c.path"))
add("not-gone-files", rule("some c in input.changes", "not c.gone", "msg := c.path"))
add("changes-all", rule("input.all", 'msg := "all"'))
add("changes-count", rule("count(input.changes) > 2", 'msg := "many"'))
add("changes-by-folder", 'folders[folder] contains c.path if {\n  some c in input.changes\n  folder := split(c.path, "/")[0]\n}\n'
    + rule("some folder, paths in folders", 'msg := sprintf("%s: %d", [folder, count(paths)])'))
add("uncovered", 'covered contains s.subject[_].name if some s in input.statements\n'
    + rule("some c in input.changes", "not c.gone", "not c.path in covered", "msg := c.path"))
add("any-prefix", rule("some c in input.changes", 'strings.any_prefix_match(c.path, ["app/", "route/"])', "msg := c.path"))
add("trim", rule("some c in input.changes", 'msg := trim_suffix(trim_prefix(c.path, "app/"), ".txt")'))
add("replace-text", rule("some c in input.changes", 'msg := replace(c.path, "/", " > ")'))
add("substring", rule("some c in input.changes", "msg := substring(c.path, 0, 3)"))
add("indexof", rule("some c in input.changes", 'indexof(c.path, "/") == 3', "msg := c.path"))
add("non-ascii-length", rule("some c in input.changes", 'msg := sprintf("%d %s", [count(c.path), c.path])'))

# Evals.
add("regression", EVALS + rule("some e in evals", "e.regression_detected", 'msg := "regression"'))
add("regression-not-false", EVALS + rule("some e in evals", "e.regression_detected != false", 'msg := "regression"'))
add("regression-missing", EVALS + rule("some e in evals", 'object.get(e, "regression_detected", true)', 'msg := "regression"'))
add("no-eval", EVALS + rule("count(evals) == 0", 'msg := "none"'))
for metric, least in [("accuracy", "0.9"), ("recall", "0.8"), ("groundedness", "1")]:
    add(f"metric-{metric}", EVALS + rule("some e in evals", f"to_number(e.metrics.{metric}) < {least}", f'msg := "{metric}"'))
    add(f"metric-{metric}-missing", EVALS + rule("some e in evals", f"not e.metrics.{metric}", f'msg := "no {metric}"'))
    add(f"metric-{metric}-held", EVALS + f"held if {{\n  some e in evals\n  to_number(e.metrics.{metric}) >= {least}\n}}\n" + rule("not held", f'msg := "{metric}"'))
add("every-metric", EVALS + 'all_good if {\n  some e in evals\n  every _, value in e.metrics {\n    to_number(value) >= 0.5\n  }\n}\n' + rule("not all_good", 'msg := "some metric"'))
add("every-of-none", 'fine if {\n  every s in [] {\n    s.x\n  }\n}\n' + rule("not fine", 'msg := "no"'))
add("thresholds", EVALS + rule("some e in evals", "some name, bound in e.thresholds", "to_number(e.metrics[name]) < to_number(bound.min)",
                               'msg := sprintf("%s: %s < %s", [name, e.metrics[name], bound.min])'))
add("drop", EVALS + rule("some e in evals", "some name, value in e.metrics", "was := to_number(e.baseline[name])",
                         "is := to_number(value)", "was - is > 0.01", "msg := name"))
add("sum", EVALS + rule("some e in evals", "total := sum([to_number(v) | some v in e.metrics])", "total < 2", 'msg := "low"'))
add("mean", EVALS + rule("some e in evals", "values := [to_number(v) | some v in e.metrics]", "sum(values) / count(values) < 0.9", 'msg := "low"'))
add("max-min", EVALS + rule("some e in evals", "values := [to_number(v) | some v in e.metrics]", "max(values) - min(values) > 0.1", 'msg := "spread"'))
add("worst-name", EVALS + rule("some e in evals", "values := {to_number(v): k | some k, v in e.metrics}", "msg := values[min(object.keys(values))]"))
add("failures", EVALS + rule("some e in evals", "some f in e.failures", "msg := f"))
add("passed", "default allow := false\n" + EVALS + "allow if {\n  count(evals) > 0\n  every e in evals {\n    e.passed\n  }\n}\n")

# Signers.
for who in ["ci", "alice", "bob"]:
    add(f"signed-by-{who}", each(f'not "{who}" in s.signers'))
add("two-signers", each("count(s.signers) < 2"))
add("signers-subset", each('count({x | some x in s.signers} & {"alice", "bob"}) == 0'))
add("signers-by-type", 'owners := {"prompt": {"alice"}, "eval": {"ci", "bob"}}\n'
    + each(["wanted := owners[s.type]", "count(wanted & {x | some x in s.signers}) == 0"], 's.type'))
add("signer-all", "signers := {x | some s in input.statements; some x in s.signers}\n" + rule("some x in signers", "msg := x"))
add("signer-union", rule("all := union({{x | some x in s.signers} | some s in input.statements})", "some x in all", "msg := x"))
add("signer-intersection", rule("all := intersection({{x | some x in s.signers} | some s in input.statements})", "some x in all", "msg := x"))

# Times.
add("older-than-a-week", each(["age := input.now_ns - time.parse_rfc3339_ns(s.at)", "age > 7 * 24 * 3600 * 1000000000"]))
add("in-the-future", each("time.parse_rfc3339_ns(s.at) > input.now_ns"))
add("expires-within-a-day", each("time.parse_rfc3339_ns(s.predicate.expires_at) < input.now_ns + 86400000000000"))
add("no-expiry", each("not s.predicate.expires_at"))
add("weekend", each('time.weekday(time.parse_rfc3339_ns(s.at)) in {"Saturday", "Sunday"}'))
add("date", rule("[y, m, d] := time.date(input.now_ns)", 'msg := sprintf("%d-%d-%d", [y, m, d])'))
add("clock", rule("[h, m, s] := time.clock(input.now_ns)", 'msg := sprintf("%d:%d:%d", [h, m, s])'))
add("add-date", each("time.add_date(time.parse_rfc3339_ns(s.at), 0, 1, 0) < input.now_ns"))
add("order", rule("some a in input.statements", "some b in input.statements", 'a.type == "prompt"', 'b.type == "eval"', "a.at > b.at", 'msg := "eval before prompt"'))
add("duration", each("input.now_ns - time.parse_rfc3339_ns(s.at) > time.parse_duration_ns(\"48h\")"))
add("bad-time", each('time.parse_rfc3339_ns("yesterday") < input.now_ns'))

# The chain.
add("dangling", "known := {s.payload | some s in input.statements}\n"
    + each(["some d in s.predicate.depends_on", 'not concat("", ["sha256:", d.digest.sha256]) in known'], "d.name"))
add("eval-on-prompt", each(['s.type == "eval"', 'names := {d.name | some d in s.predicate.depends_on}', 'not "prompt" in names'], '"eval without prompt"'))
add("depends-by-digest", 'by_digest := {trim_prefix(s.payload, "sha256:"): s | some s in input.statements}\n'
    + each(["some d in s.predicate.depends_on", "by_digest[d.digest.sha256].type != d.name"], "d.name"))
add("unused", "used := {d.digest.sha256 | some s in input.statements; some d in s.predicate.depends_on}\n"
    + each('not trim_prefix(s.payload, "sha256:") in used', "s.type"))

# Privacy, sources, models, routes.
add("plaintext", each('s.predicate.privacy.mode == "plaintext_explicit"'))
add("plaintext-paths", each(["some f in s.predicate.privacy.files", 'not startswith(f.name, "app/public/")'], "f.name"))
add("recipients", each("s.predicate.privacy.recipients < 2"))
add("sensitive", each('"secret" in s.predicate.sensitivity'))
add("same-commit", "commits := {s.predicate.source.commit | some s in input.statements}\n" + rule("count(commits) > 1", 'msg := concat(" ", sort(commits))'))
add("no-source", each("not s.predicate.source"))
add("generator", each('semver.compare(s.predicate.generator.version, "0.2.0") < 0', "s.predicate.generator.version"))
add("generator-valid", each("not semver.is_valid(s.predicate.generator.version)", "s.predicate.generator.version"))
add("providers", each(["some p in s.predicate.route.providers", 'not p.provider in {"north", "south"}'], "p.provider"))
add("providers-unattested", each(["some p in s.predicate.route.providers", "not p.statement"], "p.model"))
add("providers-wildcard", each("p := s.predicate.route.providers[_].provider", "p"))
add("cost", each("to_number(s.predicate.slo.cost_per_1k_tokens_cap_usd) > 0.05", '"cost"'))
add("latency-order", each("to_number(s.predicate.slo.ttft_ms_p50) > to_number(s.predicate.slo.ttft_ms_p95)", '"order"'))
add("purl", each('not startswith(s.predicate.model.purl, "pkg:huggingface/")', "s.predicate.model.purl"))
add("purl-parts", each(['[_, name] := split(s.predicate.model.purl, "@")'], "name"))
add("quantised", each("s.predicate.model.quantisation.bits < 8", "s.predicate.model.quantisation.method"))
add("chain-roles", each(["some p in s.predicate.model.chain", 'p.role == "judge"'], "p.name"))

# Subjects.
add("empty-files", each(["some f in s.subject", "f.annotations.size == 0"], "f.name"))
add("large-files", each(["some f in s.subject", "f.annotations.size > 100000"], 'sprintf("%s %d", [f.name, f.annotations.size])'))
add("total-size", rule("n := sum([f.annotations.size | some s in input.statements; some f in s.subject])", "n > 1000", 'msg := format_int(n, 10)'))
add("same-digest", rule("some a in input.statements", "some b in input.statements", "a.payload < b.payload", "some f in a.subject", "some g in b.subject",
                        "f.digest == g.digest", 'msg := sprintf("%s = %s", [f.name, g.name])'))
add("roles", each('roles := {f.annotations.role | some f in s.subject}', 'concat(",", sort(roles))'))
add("digest-form", each(["some f in s.subject", 'not regex.match("^[0-9a-f]{64}$", f.digest.sha256)'], "f.name"))
add("by-role", 'role[r] := names if {\n  some r in ["system_prompt", "templates"]\n  names := {f.name | some s in input.statements; some f in s.subject; f.annotations.role == r}\n}\n'
    + rule("some r, names in role", 'msg := sprintf("%s %d", [r, count(names)])'))

# The verification.
add("verified", rule("not input.verification.ok", 'msg := input.verification.result'))
add("findings", rule("some f in input.verification.findings", 'f.severity == "error"', "msg := f.code"))
add("warnings", rule("some i, f in input.verification.findings", 'f.severity == "warning"', 'msg := sprintf("%d %s", [i, f.code])'))
add("version", rule("input.version != 1", 'msg := "version"'))

# Shapes of the answer.
add("objects", "violations contains {\"msg\": s.type, \"id\": s.payload} if some s in input.statements\n")
add("list", "violations := [s.type | some s in input.statements]\n")
add("set", "violations := {s.type | some s in input.statements}\n")
add("empty-set", "violations := set()\n")
add("empty-list", "violations := []\n")
add("constant", 'violations := ["never"]\n')
add("conditional", 'violations := ["x"] if count(input.statements) > 3\n')
add("allow-and-violations", "default allow := true\n" + each("true", "s.type"))
add("deny", "default allow := false\n")
add("allow-else", 'allow := false if {\n  count(input.statements) == 0\n} else := true if {\n  input.verification.ok\n} else := false\n')
add("allow-undefined", "allow if input.nothing.here\n")
add("allow-negated", "allow if not deny\ndeny if count(input.statements) < 3\n")

# The language.
add("function", "late(s) if input.now_ns - time.parse_rfc3339_ns(s.at) > 86400000000000\n" + each("late(s)", "s.type"))
add("function-value", 'weight(t) := 2 if t == "eval"\nweight(t) := 1 if t != "eval"\n' + rule("n := sum([weight(s.type) | some s in input.statements])", 'msg := sprintf("%d", [n])'))
add("function-else", 'grade(n) := "low" if n < 0.5\nelse := "middle" if n < 0.95\nelse := "high"\n' + EVALS
    + rule("some e in evals", "some k, v in e.metrics", 'msg := sprintf("%s %s", [k, grade(to_number(v))])'))
add("function-pattern", 'name("eval") := "E"\nname("prompt") := "P"\n' + each("true", "name(s.type)"))
add("function-two", "between(x, [lo, hi]) if {\n  x >= lo\n  x <= hi\n}\n" + rule("n := count(input.statements)", "not between(n, [2, 4])", 'msg := format_int(n, 10)'))
add("set-operators", SETS + rule('some t in (types | {"x"}) - {"prompt"}', "msg := t"))
add("set-compare", SETS + rule('types != {"prompt", "eval"}', 'msg := "differs"'))
add("object-compare", each('s.predicate.privacy == {"mode": "hash_only"}', "s.type"))
add("array-slice", rule("some s in array.slice(input.statements, 0, 2)", "msg := s.type"))
add("array-concat", rule('some t in array.concat([s.type | some s in input.statements], ["end"])', "msg := t"))
add("array-reverse", rule('msg := concat(",", array.reverse([s.type | some s in input.statements]))'))
add("object-union", rule('o := object.union({"a": "1"}, {"b": "2"})', "some k, v in o", 'msg := concat("=", [k, v])'))
add("object-filter", each('o := object.filter(s.predicate.privacy, ["mode"])', "json.marshal(o)"))
add("object-remove", each('o := object.remove(s.predicate.generator, ["version"])', "json.marshal(o)"))
add("object-keys", each("k := object.keys(s.predicate.privacy)", 'concat(",", sort(k))'))
add("object-get-path", each('x := object.get(s, ["predicate", "source", "commit"], "none")', "x"))
add("json-filter", each('o := json.filter(s.predicate, ["privacy/mode"])', "json.marshal(o)"))
add("json-unmarshal", rule('o := json.unmarshal("{\\"a\\": [1, 2]}")', 'msg := sprintf("%d", [o.a[1]])'))
add("base64", rule('msg := base64.decode(base64.encode("héllo"))'))
add("base64url", rule('msg := base64url.encode_no_pad("??>>")'))
add("hex", rule('msg := hex.encode("abc")'))
add("urlquery", rule('msg := urlquery.encode("a b&c=ü")'))
add("net", rule('some a in ["10.1.2.3", "192.168.0.1"]', 'net.cidr_contains("10.0.0.0/8", a)', "msg := a"))
add("types-of-values", rule('some v in [1, "a", true, null, [], {}, set()]', "msg := type_name(v)"))
add("is-checks", each(["is_array(s.subject)", "is_object(s.predicate)", "is_string(s.type)", "not is_null(s.type)"], "s.type"))
add("arithmetic", rule("n := ((7 * 3) - 1) / 4 + (17 % 5)", 'msg := sprintf("%v", [n])'))
add("arithmetic-exact", rule("0.1 + 0.2 == 0.3", 'msg := "equal"'))
add("arithmetic-large", rule("n := 9007199254740993 + 1", 'msg := format_int(n, 10)'))
add("rounding", rule("some x in [1.5, 2.5, -1.5, 0.4]", 'msg := sprintf("%v %v %v %v", [x, round(x), ceil(x), floor(x)])'))
add("division-by-zero", rule("some s in input.statements", "x := 1 / (count(s.signers) - 1)", "msg := s.type"))
add("type-confusion", each("s.type + 1 > 0", "s.type"))
add("compare-kinds", each("s.type > 5", "s.type"))
add("compare-null", rule("null < false", 'msg := "null"'))
add("sprintf", rule('msg := sprintf("%s|%d|%v|%5d|%x|%.2f", ["a", 1, {"k": [1, 2]}, 42, 255, 3.14159])'))
add("string-escapes", rule('msg := "tab\\t quote\\" back\\\\ \\u00e9"'))
add("raw-string", rule("msg := `a\\nb`"))
add("regex-split", rule('msg := concat("|", regex.split("[,;]", "a,b;c"))'))
add("regex-find", rule('some x in regex.find_n("[a-z]+", "ab 12 cd", -1)', "msg := x"))
add("regex-bad", rule('regex.match("[", "a")', 'msg := "fits"'))
add("nested-comprehension", rule("m := {t: n | some t in {s.type | some s in input.statements}; n := count([1 | some s in input.statements; s.type == t])}",
                                 "some t, n in m", "n > 1", "msg := t"))
add("not-nested", rule('not any_old', 'msg := "none is old"') + "any_old if {\n  some s in input.statements\n  input.now_ns - time.parse_rfc3339_ns(s.at) > 864000000000000\n}\n")
add("some-index", rule("some i", 'input.statements[i].type == "eval"', 'msg := sprintf("%d", [i])'))
add("last-item", rule("n := count(input.statements)", "msg := input.statements[n - 1].type"))
add("out-of-range", rule("msg := input.statements[99].type"))
add("unification", rule("[a, b] = [1, x]", "x = 2", 'msg := sprintf("%d%d", [a, b])'))
add("destructuring", each('{"name": n, "version": v} = s.predicate.generator', 'concat(" ", [n, v])'))
add("in-object-values", each('"hash_only" in s.predicate.privacy', "s.type"))
add("in-key", each('"mode", "hash_only" in s.predicate.privacy', "s.type"))
add("partial-rules-many", rule('msg := "one"') + rule('msg := "two"') + rule("input.nothing", 'msg := "three"'))
add("chained-rules", "a := count(input.statements)\nb := a * 2\nc := b + 1\n" + rule('msg := sprintf("%d", [c])'))
add("default-function", "default f(_) := 0\nf(x) := 1 if x > 2\n" + rule('msg := sprintf("%d", [f(count(input.statements))])'))
add("to-number-bad", each('to_number(s.type) > 0', "s.type"))
add("fault-in-the-middle", rule('some x in ["1", "two", "3"]', "n := to_number(x)", "n > 0", "msg := x"))
add("fault-under-not", rule('some x in ["1", "two", "3"]', "not to_number(x) > 0", "msg := x"))
add("fault-in-comprehension", rule('xs := [n | some x in ["1", "two", "3"]; n := to_number(x)]', 'msg := sprintf("%d", [count(xs)])'))
add("fault-in-function", "number(x) := to_number(x)\n" + rule('some x in ["1", "two", "3"]', "number(x) > 0", "msg := x"))
add("fault-in-every", 'all_numbers if {\n  every x in ["1", "two"] {\n    to_number(x) > 0\n  }\n}\n' + rule("not all_numbers", 'msg := "no"'))
add("sort-texts", rule('msg := concat(",", sort(["b", "a", "C", "é", "aa"]))'))
add("count-string", rule('msg := sprintf("%d", [count("héllo")])'))
add("strings-count", rule('msg := sprintf("%d", [strings.count("banana", "an")])'))
add("reverse", rule('msg := strings.reverse("héllo")'))
add("replace-n", rule('msg := strings.replace_n({"a": "1", "b": "2"}, "abc")'))
add("contains-text", rule("some c in input.changes", 'contains(c.path, "p/")', "msg := c.path"))
add("split-empty", rule('msg := sprintf("%v", [split("a,,b", ",")])'))
add("bits", rule('msg := sprintf("%d", [bits.or(bits.and(12, 10), 1)])'))
add("abs-product", rule('msg := sprintf("%d", [abs(product([2, -3]))])'))
add("object-subset", each('object.subset(s.predicate, {"privacy": {"mode": "hash_only"}})', "s.type"))

# What is refused here, or contradicts itself.
REFUSED = [
    ("now", rule("time.now_ns() > 0", 'msg := "now"')),
    ("chance", rule('rand.intn("x", 2) == 0', 'msg := "odd"')),
    ("network", rule('http.send({"method": "get", "url": "http://127.0.0.1/"}).status_code == 200', 'msg := "up"')),
    ("environment", rule("opa.runtime().env.HOME", 'msg := "home"')),
    ("range", rule("count(numbers.range(0, 9)) > 1", 'msg := "r"')),
    ("syntax", "violations contains msg if {\n"),
    ("old-dialect", 'violations[msg] { msg := "x" }\n'),
    ("no-rule", "x := 1\n"),
    ("unknown-function", rule('nothing.at_all("x")', 'msg := "x"')),
    ("recursion", "a if b\nb if a\n" + rule("a", 'msg := "x"')),
    ("unsafe-variable", rule("not x", 'msg := "x"')),
    # What fails there says nothing, and no error.
    ("units", rule('msg := sprintf("%d", [units.parse_bytes("2KiB")])')),
    ("regex-replace", rule('msg := regex.replace("a1b22", "[0-9]+", "#")')),
]
CONTRADICTIONS = [
    ("two-values", 'violations := ["a"] if count(input.statements) > 0\nviolations := ["b"] if count(input.statements) > 1\n'),
    ("two-values-allow", "allow := true if count(input.statements) > 0\nallow := false if count(input.statements) > 1\n"),
    ("two-values-inside", 'x := 1 if count(input.statements) > 0\nx := 2 if count(input.statements) > 1\n' + rule("x == 3", 'msg := "three"')),
    ("two-values-function", 'f(_) := 1\nf(n) := 2 if n > 1\n' + rule("f(count(input.statements)) == 3", 'msg := "three"')),
    ("object-shape", 'violations := {"a": true}\n'),
    ("text-shape", 'violations := "a"\n'),
    ("number-items", "violations := [1]\n"),
    ("allow-shape", 'allow := "yes"\n'),
]
# Where the two engines are known to differ; the test holds that they still do.
DIFFERS = {
    "glob-any": "glob.match: ours takes **/ for no folder, too, as our own globs do",
    "arithmetic-exact": "ours computes with binary fractions",
    "changes-by-folder": "ours comes to no answer: its two evaluations of a rule x[a] contains b differ",
    "default-function": "ours comes to no answer: its two evaluations of a default function differ",
}
V0 = [
    ("v0-set", 'violations[msg] {\n  s := input.statements[_]\n  s.type == "eval"\n  msg := s.payload\n}\n'),
    ("v0-allow", 'default allow = false\nallow {\n  count(input.statements) > 1\n}\n'),
    ("v0-not", 'types[t] { t := input.statements[_].type }\nviolations["no eval"] { not types["eval"] }\n'),
    ("v0-function", 'late(s) { time.parse_rfc3339_ns(s.at) < input.now_ns - 86400000000000 }\nviolations[s.type] { s := input.statements[_]; late(s) }\n'),
    ("v0-keywords", 'import future.keywords.in\nviolations[s.type] { some s in input.statements; "ci" in s.signers }\n'),
]
