"""How records are stored, queried, ranked and verified."""
