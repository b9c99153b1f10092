"""The evidence: one card for each fact, an independent derivation, and the wrong forms that it rejects."""
