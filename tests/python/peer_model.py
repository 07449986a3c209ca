"""PyPI model-signing as the other side: signs a model, or verifies a signature, with keys.

peer_model.py sign MODEL SIGNATURE PRIVATE
peer_model.py verify MODEL SIGNATURE PUBLIC   (prints yes, or no)
Prints "missing" where the package is not installed.
"""

import pathlib
import sys

try:
    import model_signing
except ImportError:
    print("missing")
    sys.exit(0)

act, model, signature, key = sys.argv[1:]
model, signature, key = (pathlib.Path(path) for path in (model, signature, key))
if act == "sign":
    model_signing.signing.Config().use_elliptic_key_signer(private_key=key).sign(model, signature)
    print("signed")
else:
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key)
    try:
        config.verify(model, signature)
        print("yes")
    except ValueError:
        print("no")
