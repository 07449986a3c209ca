#!/bin/sh
# Twenty ways to tamper with attested things, and the exit that each must end with. Works on copies of
# examples/rag in a directory of its own; needs openssl, with which it forges what our own `sign` refuses
# to sign. Usage: examples/tamper.sh   (COUNTERSIGN names the binary; default: the one in PATH)
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

ends() { # EXIT WHAT: verifies, and compares the exit
    cd "$work/rag"
    exit=0
    "$countersign" attest verify --trust "$work/trust.yaml" >"$work/out" 2>&1 || exit=$?
    if [ "$exit" = "$1" ]; then verdict=ok; else verdict="WRONG, expected $1"; failed=1; cat "$work/out"; fi
    printf '%-4s %-45s exit %-3s %s\n' "$id" "$2" "$exit" "$verdict"
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
[ "$failed" = 0 ]
