// npm @sigstore/verify as the other side: judges a bundle by a public key.
//
// node peer_bundle.js MODULES BUNDLE PUBLIC...   (prints yes, or no and why)
// MODULES is the folder with the packages of package-lock.json; each PUBLIC is a PEM of a trusted key.

const { createHash, createPublicKey } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');

const [modules, file, ...trusted] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const { bundleFromJSON } = load('@sigstore/bundle');
const { PublicKeyDetails } = load('@sigstore/protobuf-specs');
const { toSignedEntity, toTrustMaterial, Verifier } = load('@sigstore/verify');

const details = { ed25519: PublicKeyDetails.PKIX_ED25519, ec: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256 };
const keys = {};
for (const path of trusted) {
  const key = createPublicKey(readFileSync(path));
  const der = key.export({ format: 'der', type: 'spki' });
  keys[createHash('sha256').update(der).digest('base64')] = {
    rawBytes: der,
    keyDetails: details[key.asymmetricKeyType],
    validFor: { start: new Date(0) },
  };
}
const root = { mediaType: '', tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
try {
  const entity = toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(file, 'utf8'))));
  const none = { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 };
  new Verifier(toTrustMaterial(root, keys), none).verify(entity);
  console.log('yes');
} catch (error) {
  console.log(`no: ${error.name}: ${error.message}`);
}
