//! Encryption at rest with age (X25519): the bodies of a ledger for a list of recipients.
