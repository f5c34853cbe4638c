"""Made-up pictures in families: one template, other contents. Members look alike and are no copies.

A kind is a function ``(template, content, photos) -> picture``. The generator ``template`` decides what all
members of a family share (layout, colours, typefaces), ``content`` what sets them apart (text, values,
objects), and ``photos`` gives photographs for the kinds that show some.
"""

from __future__ import annotations

from datasets.rendered.base import Kind, Photos
from datasets.rendered.codes import CODES
from datasets.rendered.graphics import GRAPHICS
from datasets.rendered.papers import PAPERS
from datasets.rendered.scenes import SCENES
from datasets.rendered.screens import SCREENS

KINDS: dict[str, Kind] = {kind.__name__: kind for kind in PAPERS + SCREENS + CODES + GRAPHICS + SCENES}

LEFT_OUT = ("ticket", "dashboard", "crossword", "gauge", "choropleth", "icon", "lineup")
"""Kinds that are never trained on: they show how the rest carries over."""

__all__ = ["KINDS", "LEFT_OUT", "Kind", "Photos"]
