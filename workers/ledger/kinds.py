"""The kinds of entries that the ledger keeps in the state of an index."""

CHUNK = "chunk"
DEAD_LETTER = "letter"
JOB = "job"
