#!/bin/sh
# Forty ways to tamper with attested things, or to mislead who attests, verifies and gates them, and the
# exit that each must end with. Works on copies of examples/rag in a directory of its own; needs git and
# openssl, with which it forges what our own `sign` refuses to sign. The numbers are those of the table in
# crates/cli/tests/it/attest/tamper. Usage: examples/tamper.sh   (COUNTERSIGN names the binary; default: the one in PATH)
set -eu
countersign=${COUNTERSIGN:-countersign}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

keypair() { # NAME: a private and a public key
    openssl genpkey -algorithm ed25519 -out "$work/$1.pem"
    openssl pkey -in "$work/$1.pem" -pubout -out "$work/$1.pub.pem"
    "$countersign" trust add --name "$1" --purpose statements --key "$work/$1.pub.pem" \
        --trust "$work/trust.yaml" >/dev/null
}

hint() { # NAME: how bundles name the key
    openssl pkey -in "$work/$1.pem" -pubout -outform DER | openssl dgst -sha256 -binary | openssl base64 -A
}

forge() { # PAYLOAD BUNDLE: a validly signed bundle around any payload
    { printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(wc -c <"$1" | tr -d ' ')"; cat "$1"; } >"$work/pae"
    openssl pkeyutl -sign -inkey "$work/ada.pem" -rawin -in "$work/pae" -out "$work/sig"
    printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"%s"}},"dsseEnvelope":{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"%s"}]}}' \
        "$(hint ada)" "$(openssl base64 -A -in "$1")" "$(openssl base64 -A -in "$work/sig")" >"$2"
}

case_of() { # ID: a fresh copy of the project
    id=$1
    rm -rf "$work/rag"
    cp -R "$work/good" "$work/rag"
    cd "$work/rag/attestations"
}

only() { # TYPE...: leaves the bundles of these types
    mkdir ../kept
    for type in "$@"; do mv "$type"-*.bundle.json ../kept; done
    rm -f ./*.bundle.json
    mv ../kept/* .
}

ends() { # EXIT WHAT [ARGS]: runs `countersign attest ARGS` (default: verify), and compares the exit
    expected=$1
    what=$2
    shift 2
    [ $# -gt 0 ] || set -- verify --trust "$work/trust.yaml"
    cd "$work/rag"
    exit=0
    "$countersign" attest "$@" >"$work/out" 2>&1 || exit=$?
    if [ "$exit" = "$expected" ]; then verdict=ok; else verdict="WRONG, expected $expected"; failed=1; cat "$work/out"; fi
    printf '%-4s %-52s exit %-3s %s\n' "$id" "$what" "$exit" "$verdict"
}

change() { # SED-SCRIPT FILE: edits a file, which must change
    cp "$2" "$work/before"
    sed "$1" "$work/before" >"$2"
    if cmp -s "$work/before" "$2"; then echo "$id: nothing changed in $2" >&2; exit 1; fi
}

resigned() { # TYPE SED-SCRIPT: signs the type's statement again, changed
    change "$2" "$1"-*.statement.json
    set -- "$1" "$1"-*.statement.json "$1"-*.bundle.json
    forge "$2" "$3"
}

keypair ada
keypair ben
cp -R "$here/rag" "$work/good"
rm -rf "$work/good/attestations"
cd "$work/good"
"$countersign" attest create >/dev/null
"$countersign" attest sign --key "$work/ada.pem" >/dev/null

case_of T00; ends 0 "nothing"
number=0
for file in app/system_prompt.txt app/templates/answer.prompt.txt app/tools/search.schema.json \
    app/safety-policy.yaml data/document-manifest.json data/chunking.yaml data/embedding-input.jsonl \
    eval/testset.jsonl route/route.yaml slo/profile.yaml
do
    number=$((number + 1))
    case_of "$(printf 'T%02d' "$number")"
    echo "# tampered" >>"../$file"
    ends 12 "$file"
done
case_of T11; only prompt; change 's/"sig":"..../"sig":"AAAA/' prompt-*.bundle.json
ends 11 "the signature"
case_of T12; only prompt; change "s|\"hint\":\"[^\"]*|\"hint\":\"$(hint ben)|" prompt-*.bundle.json
ends 11 "the hint, for that of another trusted key"
case_of T13; only prompt
change "s|\"payload\":\"[^\"]*|\"payload\":\"$(openssl base64 -A -in slo-*.statement.json)|" prompt-*.bundle.json
ends 11 "the payload, under the old signature"
case_of T14; only prompt; change 's/"signatures":\[[^]]*\]/"signatures":[]/' prompt-*.bundle.json
ends 11 "no signature"
case_of T15; only prompt; resigned prompt 's/"manifest":"[0-9a-f]*",//'
ends 14 "without its manifest, signed again"
case_of T16; only prompt; resigned prompt 's/"generated_at":"[^"]*/"generated_at":"invalid-time/'
ends 14 "a time that is none, signed again"
case_of T17; only prompt; resigned prompt 's/"sha256":"[0-9a-f]*/"sha256":"abc/'
ends 14 "a digest that is none, signed again"
case_of T18; only route slo
ends 14 "only route and SLO"
case_of T19; only eval
ends 14 "only the eval"
case_of T20; only model prompt corpus eval route
resigned route "s/\"depends_on\":\[{\"digest\":{\"sha256\":\"[0-9a-f]*/\"depends_on\":[{\"digest\":{\"sha256\":\"$(printf '%064d' 0)/"
ends 14 "a route on what nobody knows, signed again"

# --- whose word it is ---
openssl genpkey -algorithm ed25519 -out "$work/eve.pem" # in no trust file
case_of T21; rm -f ./*.bundle.json; "$countersign" attest sign --in . --key "$work/eve.pem" >/dev/null
ends 11 "all of it, signed again by a stranger"
case_of T26; only prompt; change 's|application/vnd.in-toto+json|application/json|' prompt-*.bundle.json
ends 11 "another payload type under the old signature"

# --- what lies there ---
case_of T36; change 's/a/e/' ../app/system_prompt.txt
ends 12 "a file of the same length"
case_of T38; echo "Wheels are square." >../data/documents/new.md
ends 12 "a document more"
case_of T42; mv ../app/system_prompt.txt ..; ln -s ../system_prompt.txt ../app/system_prompt.txt
ends 12 "a link in the place of a file"
case_of T52; only prompt; resigned prompt 's|attestation/prompt/v1|attestation/corpus/v1|'
ends 14 "the members of another type, signed again"
case_of T82; only prompt
resigned prompt 's|"privacy":{|"privacy":{"files":[{"content":"x","name":"app/render.yaml"}],|'
ends 14 "files in clear under the name of a mode without any"

# --- the gate: what git says, and what was signed ---
git_in() { git -C "$work/rag" -c user.name=a -c user.email=a@example.org -c core.autocrlf=false "$@" >/dev/null; }
repository() { # ID: a case with a base that has the trust file
    case_of "$1"
    cp "$work/trust.yaml" ..
    git_in init -q -b base
    git_in add -A
    git_in commit -q -m base
}
gated() { # EXIT WHAT [BASE]
    ends "$1" "$2" gate --base="${3-base}" --trust trust.yaml --policy countersign.gate.yaml
}
repository T83; rm ./*.bundle.json; echo x >../app/new.txt
gated 13 "a change, and statements that nobody signed"
repository T86
gated 65 "a base that git does not know" nowhere
repository T87
gated 65 "a base that is an option of git" "--output=$work/rag/out"
if [ -e "$work/rag/out" ]; then echo "T87: git wrote a file" >&2; failed=1; fi
repository T89; rm ./*.bundle.json; git_in mv app/render.yaml moved.yaml
gated 13 "a file moved out of what the gate looks at"
repository T90; rm ./*.bundle.json; printf x >../app/"$(printf 'a"\303\274')".txt
gated 13 "a name that git writes in quotes, not committed"

# --- create, sign, decrypt ---
case_of T91; rm ./*.bundle.json; change 's|"id":"[^"]*|"id":"../../../escaped|' prompt-*.statement.json
ends 65 "a statement whose id leads out" sign --key "$work/ada.pem"
case_of T92; mkdir ../out
for bundle in *.bundle.json; do ln -s ../written "../out/$bundle"; done
ends 65 "a link where a bundle goes" sign --key "$work/ada.pem" --out out
if [ -e "$work/rag/written" ]; then echo "T92: written through a link" >&2; failed=1; fi
case_of T97; change 's|app/system_prompt.txt|../../etc/passwd|' ../attest/prompt.yaml
ends 78 "a path that leads out" create
case_of T98; change 's|app/system_prompt.txt|/etc/passwd|' ../attest/prompt.yaml
ends 78 "an absolute path" create
case_of T99; rm ../app/system_prompt.txt; ln -s /dev/zero ../app/system_prompt.txt
ends 78 "a device" create
case_of T101; echo "salted: [system_prompt]" >>../attest/prompt.yaml
ends 0 "made three times, committed to under a salt" create --replace --determinism-check 3
case_of T103
openssl pkcs8 -topk8 -in "$work/ada.pem" -out "$work/locked.pem" -v2 aes-256-cbc -passout pass:only-we-know
ends 65 "a key with a passphrase, without it" sign --key "$work/locked.pem" --out out
[ "$failed" = 0 ]
