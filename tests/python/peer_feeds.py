"""The other implementation of signed feeds: it publishes one for us, and verifies and merges ours.

usage: peer_feeds.py write DIR          feed.json with all kinds, and key.pub.pem
       peer_feeds.py verify FEED PEM    prints its verdict and what it holds live as one JSON object
"""

import json
import pathlib
import sys
import tempfile

from raucle.feed import Feed, FeedStore, IOCSigner


def write(folder):
    signer = IOCSigner.generate("peer.example")
    regex = signer.sign_ioc(
        kind="regex", pattern=r"(?i)ignore\s+all\s+previous", severity="high", categories=[]
    )
    odd = signer.sign_ioc(
        kind="substring",
        pattern="quote \" backslash \\ tab\t é \U0001f511 \u2028 \x7f \x01",
        severity="critical",
        categories=["zeta", "alpha", "\uffff", "\U0001f511", "alpha"],
        description="line\nline",
        expires_at=1900000000,
    )
    hidden = signer.sign_ioc(
        kind="unicode_signature", pattern="200B,FEFF,2060", severity="low", categories=["evasion"]
    )
    gone = signer.sign_ioc(
        kind="substring",
        pattern="_revocation_",
        severity="low",
        categories=["meta"],
        revokes=[regex.content_hash, hidden.content_hash],
    )
    feed = signer.build_feed([regex, odd, hidden, gone], feed_id="peer/core")
    feed.save(folder / "feed.json")
    (folder / "key.pub.pem").write_text(signer.public_key_pem)


def verify(path, pem):
    feed = Feed.load(path)
    try:
        feed.verify(pubkey_pem=pathlib.Path(pem).read_text())
    except ValueError as error:
        print(json.dumps({"ok": False, "error": str(error)}))
        return
    with tempfile.TemporaryDirectory() as folder:
        feed.save(pathlib.Path(folder) / "again.json")
        same = (pathlib.Path(folder) / "again.json").read_bytes() == pathlib.Path(path).read_bytes()
        store = FeedStore.open(pathlib.Path(folder) / "store")
        store.merge(feed, pubkey_pem=pathlib.Path(pem).read_text())
        live = [ioc.content_hash for ioc in store.all_iocs()]
        patterns = [rule["patterns"] for rule in store.as_pattern_rules()]
    report = {"ok": True, "same_bytes": same, "count": len(feed.iocs), "live": live}
    print(json.dumps(report | {"patterns": patterns}))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(pathlib.Path(sys.argv[2]))
    else:
        verify(*sys.argv[2:])
