"""Schemas that the requests and answers of several groups of routes share."""
