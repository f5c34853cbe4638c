"""How well copies are found: edits of real misuse, and what is measured with them."""
