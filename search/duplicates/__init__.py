"""Duplicates inside an index: which records show the same picture, as pairs and as clusters."""
