"""The files of the page for people; `facsimile.api.web` serves them."""
