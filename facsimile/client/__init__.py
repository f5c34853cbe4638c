"""The client of a Facsimile server, and the errors that only a server causes."""
