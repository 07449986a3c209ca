#!/bin/sh
# cosign and Countersign, both ways: bundles of `attest sign` under `cosign verify-blob-attestation`, and
# bundles of `cosign attest-blob` under `attest verify`. Works on a copy of examples/rag in a directory of
# its own; needs openssl, and cosign or Go, with which cosign is built at a fixed version (half an hour on
# a small machine, which is why no test runs this). Usage: examples/cosign.sh
#   (COUNTERSIGN and COSIGN name the binaries; default: those in PATH)
set -eu
version=v3.1.3
countersign=${COUNTERSIGN:-countersign}
cosign=${COSIGN:-cosign}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
if ! command -v "$cosign" >/dev/null; then
    bin=${XDG_CACHE_HOME:-$HOME/.cache}/countersign/cosign-$version
    cosign=$bin/cosign
    [ -x "$cosign" ] || GOBIN=$bin nice -n 19 go install "github.com/sigstore/cosign/v3/cmd/cosign@$version"
fi
COSIGN_PASSWORD=''
export COSIGN_PASSWORD
prompt=https://countersign.dev/attestation/prompt/v1

ends() { # yes|no WHAT COMMAND...: the command must succeed, or fail
    expected=$1
    what=$2
    shift 2
    if "$@" >"$work/out" 2>&1; then got=yes; else got=no; fi
    verdict=ok
    if [ "$got" != "$expected" ]; then verdict=WRONG; failed=1; cat "$work/out"; fi
    printf '%-62s %-3s %s\n' "$what" "$got" "$verdict"
}

theirs() { # BUNDLE KEY FILE
    "$cosign" verify-blob-attestation --bundle "$1" --key "$2" --type "$prompt" \
        --insecure-ignore-tlog "$3"
}

ours() { # BUNDLE
    "$countersign" attest verify "$1" --trust trust.yaml --subjects rag
}

cd "$work"
cp -R "$here/rag" rag
rm -rf rag/attestations
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
openssl genpkey -algorithm ed25519 -out ed.pem
for key in ec ed; do
    openssl pkey -in $key.pem -pubout -out $key.pub.pem
    "$countersign" trust add --trust trust.yaml --name $key --purpose statements --key $key.pub.pem >/dev/null
done
(cd rag && "$countersign" attest create >/dev/null)
for key in ec ed; do "$countersign" attest sign --in rag/attestations --key $key.pem --out $key >/dev/null; done
statement=$(echo rag/attestations/prompt-*.statement.json)
other=$(echo rag/attestations/slo-*.statement.json)

for key in ec ed; do
    bundle=$(echo $key/prompt-*.bundle.json)
    ends yes "$key: cosign verifies our bundle" theirs "$bundle" $key.pub.pem rag/app/system_prompt.txt
    ends no "$key: and not for a file that it is not about" theirs "$bundle" $key.pub.pem rag/README.md
    sed "s|\"payload\":\"[^\"]*|\"payload\":\"$(openssl base64 -A -in "$other")|" "$bundle" >changed.json
    ends no "$key: nor with another payload" theirs changed.json $key.pub.pem rag/app/system_prompt.txt
done
ends no "cosign refuses our bundle under another key" theirs ec/prompt-*.bundle.json ed.pub.pem rag/app/system_prompt.txt

# No log, no authority of timestamps: the key alone.
echo '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}' >alone.json
for key in ec ed; do
    "$cosign" import-key-pair --key $key.pem --output-key-prefix $key.cosign >/dev/null 2>&1
    "$cosign" attest-blob --key $key.cosign.key --bundle $key.cosign.json --statement "$statement" \
        --signing-config alone.json --yes rag/app/system_prompt.txt >/dev/null 2>&1
done
ends yes "ec: we verify a bundle of cosign" ours ec.cosign.json
sed "s|\"payload\":\"[^\"]*|\"payload\":\"$(openssl base64 -A -in "$other")|" ec.cosign.json >changed.json
ends no "ec: and not with another payload" ours changed.json
# cosign signs attestations with Ed25519ph, which no bundle says and cosign itself does not verify.
ends no "ed: we refuse the Ed25519ph of cosign" ours ed.cosign.json
ends no "ed: as cosign does" theirs ed.cosign.json ed.pub.pem rag/app/system_prompt.txt
[ "$failed" = 0 ]
