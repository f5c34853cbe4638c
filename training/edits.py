"""Training edits: what people do to a picture before they use it again, on squares of RGB bytes by OpenCV.

Independent of ``training/attacks.py`` (the validation attacks), other libraries and other parameters.
Everything is drawn from the generator passed in, so a seed fixes the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from training import layouts
from training.dice import FONTS, LETTERS, Bytes, Dice, as_bytes, noise_like, resized, resized2
from training.effects import effect

Matrix = NDArray[np.float64]
Box = tuple[float, float, float, float]

SINGLE = 0.4
"""Share of the edited pictures that get one edit instead of a chain."""


class Squares(Protocol):
    """Pictures by their position."""

    def __getitem__(self, index: int) -> Bytes: ...


@dataclass
class Edited:
    """A picture after its edits, of a ``row`` of the batch.

    ``weight`` is what its own picture counts for, ``parts`` names the rows whose pictures it shows besides
    and what they count for, ``behind`` further pictures in it by position.
    """

    image: Bytes
    row: int
    weight: float = 1.0
    parts: list[tuple[int, float]] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)


class Editor(Dice):
    """Draws random edit chains. ``images`` is the pool of squares that backgrounds are taken from (``pool``
    are the positions allowed), ``batch`` the positions of the pictures of this batch, for collages.
    """

    def __init__(
        self,
        images: Squares,
        pool: NDArray[np.int64],
        rng: np.random.Generator,
        size: int,
        batch: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(rng)
        self.images = images
        self.pool = pool
        self.size = size
        self.batch = np.zeros(0, np.int64) if batch is None else batch
        self.work = max(96, min(176, size * 4 // 3))

    # -- geometry --------------------------------------------------------------------------------------------

    def crop_box(self, smallest: float, largest: float = 1.0) -> Box:
        """A box of a random share of the area, as fractions ``left, top, width, height``."""
        area = math.exp(self.uniform(math.log(smallest), math.log(largest)))
        aspect = math.exp(self.uniform(-0.35, 0.35))
        width = min(1.0, math.sqrt(area * aspect))
        height = min(1.0, area / width)
        return self.uniform(0, 1 - width), self.uniform(0, 1 - height), width, height

    def cut(self, image: Bytes, box: Box, size: int) -> Bytes:
        side = image.shape[0]
        left, top = round(box[0] * side), round(box[1] * side)
        right, bottom = (
            max(left + 8, round((box[0] + box[2]) * side)),
            max(top + 8, round((box[1] + box[3]) * side)),
        )
        return resized(image[top:bottom, left:right], size, size)

    def warp(self, image: Bytes) -> Bytes:
        """A small rotation or a change of viewpoint; what was outside is one colour, or the mirrored
        picture.
        """
        side = image.shape[0]
        corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
        if self.chance(0.5):
            angle = math.radians(self.uniform(-20, 20))
            aspect = math.exp(self.uniform(-0.4, 0.4))
            grown = self.chance(0.6)
            scale = (
                1.0
                if grown
                else 1.0 / (abs(math.cos(angle)) + abs(math.sin(angle)) * max(aspect, 1 / aspect))
            )
            if self.chance(0.3):
                scale = 1.0 / scale
            turned = (corners - side / 2) @ np.array(
                [[math.cos(angle), math.sin(angle) * aspect], [-math.sin(angle) / aspect, math.cos(angle)]]
            ).astype(np.float32)
            target = (turned * scale + side / 2).astype(np.float32)
        else:
            jitter = self.uniform(0.05, 0.24) * side
            inward = 1.0 if self.chance(0.5) else 0.0
            moves = self.rng.uniform(-1 + inward, 1, (4, 2)) * jitter
            if inward:
                moves = moves * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
            target = (corners + moves).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(corners, target)
        mode = cv2.BORDER_REFLECT_101 if self.chance(0.1) else cv2.BORDER_CONSTANT
        return as_bytes(
            cv2.warpPerspective(
                image,
                matrix,
                (side, side),
                flags=cv2.INTER_LINEAR,
                borderMode=mode,
                borderValue=self.colour(),
            )
        )

    def orient(self, image: Bytes) -> Bytes:
        if self.chance(0.35):
            image = image[:, ::-1]
        if self.chance(0.4):
            image = np.rot90(image, (1, 3, 2)[int(self.rng.choice(3, p=(0.4, 0.4, 0.2)))])
        return np.ascontiguousarray(image)

    # -- colour ----------------------------------------------------------------------------------------------

    def tone(self, image: Bytes) -> Bytes:
        """Brightness, contrast, gamma, channel gains: one lookup table per channel."""
        ramp = np.arange(256, dtype=np.float64) / 255
        gain = math.exp(self.uniform(-0.75, 0.75)) if self.chance(0.7) else 1.0
        shift = self.uniform(-0.25, 0.25) if self.chance(0.4) else 0.0
        gamma = math.exp(self.uniform(-0.6, 0.6)) if self.chance(0.4) else 1.0
        pivot = 0.5 if self.chance(0.5) else 0.0
        spread = self.uniform(0, 0.35) if self.chance(0.5) else 0.0
        tables = []
        for _ in range(3):
            own = math.exp(self.uniform(-spread, spread))
            tables.append((ramp**gamma - pivot) * gain * own + pivot + shift)
        table = np.stack(tables, axis=-1)
        if self.chance(0.04):
            table = 1 - table
        if self.chance(0.04):
            steps = self.integer(3, 7)
            table = np.round(table * steps) / steps
        return as_bytes(cv2.LUT(image, np.clip(table * 255, 0, 255).astype(np.uint8)[None]))

    def mix_channels(self, image: Bytes) -> Bytes:
        """Saturation, hue, grayscale, sepia, swapped channels: one 3x3 matrix."""
        luma = np.array([0.299, 0.587, 0.114])
        kind = self.rng.random()
        if kind < 0.4:
            matrix: Matrix = np.tile(luma, (3, 1))
            if self.chance(0.25):
                matrix = matrix * np.array([[1.1], [0.95], [0.75]])
        elif kind < 0.65:
            saturation = self.uniform(0.0, 2.2)
            matrix = np.eye(3) * saturation + (1 - saturation) * np.tile(luma, (3, 1))
        elif kind < 0.9:
            angle = self.uniform(-math.pi, math.pi) if self.chance(0.3) else self.uniform(-0.6, 0.6)
            third, root = (1 - math.cos(angle)) / 3, math.sin(angle) / math.sqrt(3)
            matrix = np.array(
                [
                    [math.cos(angle) + third, third - root, third + root],
                    [third + root, math.cos(angle) + third, third - root],
                    [third - root, third + root, math.cos(angle) + third],
                ]
            )
        else:
            matrix = np.eye(3)[self.rng.permutation(3)]
        return as_bytes(cv2.transform(image, matrix))

    # -- overlays and surroundings ---------------------------------------------------------------------------

    def text(self, image: Bytes) -> Bytes:
        side = image.shape[0]
        layer = image.copy()
        for _ in range(self.integer(1, 3)):
            words = "".join(LETTERS[i] for i in self.rng.integers(0, len(LETTERS), self.integer(4, 18)))
            scale = side / 112 * self.uniform(0.3, 1.3)
            thick = max(1, round(scale * self.uniform(0.8, 2.5)))
            where = (self.integer(-side // 5, side // 2), self.integer(side // 10, side))
            font = FONTS[self.integer(0, len(FONTS) - 1)]
            if self.chance(0.4):
                cv2.putText(layer, words, where, font, scale, self.colour(), thick + 2, cv2.LINE_AA)
            cv2.putText(layer, words, where, font, scale, self.colour(), thick, cv2.LINE_AA)
        if self.chance(0.3):
            share = self.uniform(0.3, 0.8)
            return as_bytes(cv2.addWeighted(layer, share, image, 1 - share, 0))
        return layer

    def stickers(self, image: Bytes) -> Bytes:
        """Emoji-like faces, logos, blocks, pixelated or blurred patches."""
        side = image.shape[0]
        image = image.copy()
        for _ in range(self.integer(1, 4)):
            radius = round(side * self.uniform(0.05, 0.2))
            x, y = self.integer(0, side), self.integer(0, side)
            kind = self.integer(0, 4)
            if kind == 0:
                yellow = (self.integer(220, 255), self.integer(180, 230), self.integer(0, 90))
                cv2.circle(image, (x, y), radius, yellow, -1, cv2.LINE_AA)
                for eye in (-1, 1):
                    at = (x + eye * radius // 3, y - radius // 4)
                    cv2.circle(image, at, max(1, radius // 7), (40, 20, 0), -1, cv2.LINE_AA)
                mouth = (max(1, radius // 2), max(1, radius // 3))
                cv2.ellipse(image, (x, y + radius // 6), mouth, 0, 0, 180, (40, 20, 0), max(1, radius // 8))
            elif kind == 1:
                axes = (radius, max(2, round(radius * self.uniform(0.3, 1))))
                cv2.ellipse(image, (x, y), axes, self.uniform(0, 180), 0, 360, self.colour(), -1, cv2.LINE_AA)
            elif kind == 2:
                far = (x + round(radius * self.uniform(0.5, 3)), y + round(radius * self.uniform(0.3, 1.5)))
                cv2.rectangle(image, (x, y), far, self.colour(), -1 if self.chance(0.7) else 2)
            elif kind == 3:
                corners = np.array([x, y]) + self.rng.integers(-radius, radius + 1, (self.integer(3, 6), 2))
                cv2.fillPoly(image, [corners.astype(np.int32)], self.colour(), cv2.LINE_AA)
            else:
                part = image[max(0, y - radius) : y + radius, max(0, x - radius) : x + radius]
                if part.shape[0] > 3 and part.shape[1] > 3:
                    small = resized(part, max(1, part.shape[1] // 8), max(1, part.shape[0] // 8))
                    part[:] = cv2.resize(
                        small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST
                    )
        return image

    def border(self, image: Bytes) -> Bytes:
        """Frames, letter boxes, caption bars and the bars of a screenshot around the picture."""
        side = image.shape[0]
        margins = np.zeros(4)
        kind = self.integer(0, 4)
        if kind == 0:
            margins[:] = self.uniform(0.02, 0.22)
        elif kind == 1:
            margins[:] = self.rng.uniform(0, 0.3, 4)
        elif kind == 2:
            margins[:2] = self.uniform(0.05, 0.28)
            if self.chance(0.3):
                margins = margins[::-1].copy()
        elif kind == 3:
            margins[self.integer(0, 1)] = self.uniform(0.1, 0.4)
        else:
            margins = np.array([self.uniform(0.05, 0.2), self.uniform(0.03, 0.25), 0.0, 0.0])
        top, bottom, left, right = (round(side * float(m)) for m in margins)
        canvas = np.empty_like(image)
        canvas[:] = self.colour()
        if self.chance(0.15):
            canvas = noise_like(self.rng, canvas)
        inside = resized(image, max(16, side - left - right), max(16, side - top - bottom))
        canvas[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        for begin, height in ((0, top), (side - bottom, bottom)):
            if height >= 8 and kind >= 2 and self.chance(0.7):
                self.fill_bar(canvas, begin, height)
        return canvas

    def fill_bar(self, canvas: Bytes, begin: int, height: int) -> None:
        """Caption text, or the buttons of a user interface, in a bar of the canvas."""
        side = canvas.shape[1]
        bar = canvas[begin : begin + height]
        bar[:] = self.colour()
        ink = tuple(255 - c for c in (int(bar[0, 0, 0]), int(bar[0, 0, 1]), int(bar[0, 0, 2])))
        lines = max(1, height // 18)
        for line in range(lines):
            base = int((line + 0.75) * height / lines)
            if self.chance(0.7):
                words = "".join(LETTERS[i] for i in self.rng.integers(0, len(LETTERS), self.integer(5, 22)))
                scale = height / lines / 30 * self.uniform(0.6, 1.1)
                font = FONTS[self.integer(0, len(FONTS) - 1)]
                cv2.putText(bar, words, (self.integer(0, side // 6), base), font, scale, ink, 1, cv2.LINE_AA)
            else:
                for x in self.rng.integers(0, side, self.integer(1, 5)):
                    cv2.circle(bar, (int(x), base - 3), max(1, height // 8), self.colour(), -1, cv2.LINE_AA)

    def paste(self, image: Bytes, result: Edited) -> Bytes:
        """The picture pasted on another one (or on noise), at a quarter of the area and up."""
        side = image.shape[0]
        if self.chance(0.85):
            canvas = self.cut(self.stranger(result), self.crop_box(0.4), side)
            if self.chance(0.25):
                canvas = as_bytes(cv2.GaussianBlur(canvas, (0, 0), self.uniform(1, 6)))
        else:
            canvas = np.empty_like(image)
            canvas[:] = self.colour()
            canvas = noise_like(self.rng, canvas)
        area = self.uniform(0.28, 0.85)
        aspect = math.exp(self.uniform(-0.4, 0.4))
        width = round(side * min(1.0, math.sqrt(area * aspect)))
        height = round(side * min(1.0, math.sqrt(area / aspect)))
        left, top = self.integer(0, side - width), self.integer(0, side - height)
        canvas[top : top + height, left : left + width] = resized(image, width, height)
        return canvas

    # -- quality ---------------------------------------------------------------------------------------------

    def degrade(self, image: Bytes) -> Bytes:
        side = image.shape[0]
        if self.chance(0.3):
            sigma = self.uniform(0.4, 2.6) * side / 128
            image = as_bytes(cv2.GaussianBlur(image, (0, 0), sigma))
        if self.chance(0.25):
            small = round(side * self.uniform(0.25, 0.8))
            mode = cv2.INTER_LINEAR if self.chance(0.7) else cv2.INTER_NEAREST
            image = as_bytes(cv2.resize(resized(image, small, small), (side, side), interpolation=mode))
        if self.chance(0.3):
            image = noise_like(self.rng, image)
        if self.chance(0.4):
            quality = [int(cv2.IMWRITE_JPEG_QUALITY), self.integer(6, 60)]
            image = as_bytes(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR))
        return image

    # -- chains ----------------------------------------------------------------------------------------------

    def light(self, index: int, box: Box | None, mirrored: bool) -> Bytes:
        """The indexed side of a pair: the picture itself, or with the slightest of edits."""
        image = self.base(index, box, mirrored)
        if self.chance(0.3):
            image = (
                self.cut(image, self.crop_box(0.7), self.work)
                if self.chance(0.4)
                else resized2(image, self.work)
            )
            if self.chance(0.4):
                image = self.tone(image)
            if self.chance(0.3):
                image = self.mix_channels(image)
            if self.chance(0.4):
                image = self.degrade(image)
        return resized2(image, self.size)

    def base(self, index: int, box: Box | None, mirrored: bool) -> Bytes:
        image: Bytes = self.images[index]
        if box is not None:
            side = image.shape[0]
            top, left = int(box[1] * side), int(box[0] * side)
            image = image[top : top + int(box[3] * side), left : left + int(box[2] * side)]
        if mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def strong(self, index: int, box: Box | None, mirrored: bool, row: int, strength: float) -> Edited:
        """The query side of a pair, for a ``row`` of the batch: one edit, or a chain of them.

        ``strength`` from 0 to 1 scales how often each of a chain happens.
        """
        result = Edited(image=self.base(index, box, mirrored), row=row)
        if self.chance(SINGLE):
            image = self.pick(SINGLES)(self, result.image, result)
            if self.chance(0.3):
                image = self.degrade(image)
        else:
            image = self.chain(result, strength)
        result.image = resized2(image, self.size)
        return result

    def chain(self, result: Edited, strength: float) -> Bytes:
        """Many edits, each with some probability."""
        cropped = self.chance(0.5 * strength + 0.05)
        smallest = 0.28 + (1 - strength) * 0.3
        box = self.crop_box(smallest) if cropped else (0.0, 0.0, 1.0, 1.0)
        image = self.cut(result.image, box, self.work)
        image = self.pick(TURNS, strength)(self, image, result)
        if self.chance(0.8 * strength):
            image = self.orient(image)
        late_colour = self.chance(0.4)
        if not late_colour:
            image = self.recolour(image)
        image = self.pick(SURROUNDINGS, strength)(self, image, result)
        image = self.pick(COVERS, strength)(self, image, result)
        if late_colour:
            image = self.recolour(image)
        if self.chance(0.12 * strength):
            image = effect(self, image)
        return self.degrade(image) if self.chance(0.5) else image

    def pick(self, options: Sequence[tuple[float, Step]], scale: float = 1.0) -> Step:
        """One of the steps, by their shares; with the share that is left, the step that changes nothing."""
        drawn = self.rng.random()
        for share, step in options:
            drawn -= share * scale
            if drawn < 0:
                return step
        return unchanged

    # -- with other pictures ---------------------------------------------------------------------------------

    def stranger(self, result: Edited) -> Bytes:
        """Any picture of the pool, noted as being in the edited one."""
        behind = int(self.rng.choice(self.pool))
        result.behind.append(behind)
        return np.asarray(self.images[behind])

    def mates(self, row: int, count: int) -> list[int]:
        """Other rows of the batch."""
        others = self.rng.choice(len(self.batch) - 1, count, replace=False)
        return [int(other) + (int(other) >= row) for other in others]

    def collage(self, image: Bytes, result: Edited) -> Bytes:
        """Two to six pictures of the batch side by side, or two of them blended."""
        cells = layouts.grid(self)
        if len(self.batch) <= len(cells):
            return image
        rows = self.mates(result.row, len(cells) - 1)
        others = [self.base(int(self.batch[mate]), None, False) for mate in rows]
        if len(cells) == 2 and self.chance(0.12):
            share = self.uniform(0.35, 0.65)
            result.weight, result.parts = share, [(rows[0], 1 - share)]
            other = resized2(others[0], image.shape[0])
            return as_bytes(cv2.addWeighted(image, share, other, 1 - share, 0))
        shares = [width * height for _, _, width, height in cells]
        result.weight, result.parts = shares[0], list(zip(rows, shares[1:], strict=True))
        return layouts.collage(self, [image, *others], cells, self.work)

    def inset(self, image: Bytes, result: Edited) -> Bytes:
        """The picture small on another: on one of the batch, which is then in it as well, or on any."""
        if len(self.batch) > 1 and self.chance(0.5):
            (mate,) = self.mates(result.row, 1)
            ground = self.base(int(self.batch[mate]), None, False)
            image, area = layouts.inset(self, image, ground, 0.22)
            result.weight = 0.45 + 0.4 * area
            result.parts = [(mate, 1 - result.weight)]
            return image
        image, _ = layouts.inset(self, image, self.stranger(result), 0.28)
        return image

    def cover(self, image: Bytes, result: Edited) -> Bytes:
        return layouts.covered(self, image, self.stranger(result))

    def cut_out(self, image: Bytes, result: Edited) -> Bytes:
        return layouts.cut_out(self, image, self.stranger(result) if self.chance(0.4) else None)

    def recolour(self, image: Bytes) -> Bytes:
        if self.chance(0.45):
            image = self.tone(image)
        if self.chance(0.28):
            image = self.mix_channels(image)
        return image


Step = Callable[[Editor, Bytes, Edited], Bytes]


def unchanged(editor: Editor, image: Bytes, result: Edited) -> Bytes:
    return image


def alone(edit: Callable[[Editor, Bytes], Bytes]) -> Step:
    """An edit that takes nothing but the picture."""
    return lambda editor, image, result: edit(editor, image)


def whole(step: Step) -> Step:
    """The step on the whole picture at the size of work."""
    return lambda editor, image, result: step(editor, resized2(image, editor.work), result)


TURNS: tuple[tuple[float, Step], ...] = ((0.15, alone(Editor.warp)), (0.12, alone(layouts.rotated)))
SURROUNDINGS: tuple[tuple[float, Step], ...] = (
    (0.12, Editor.paste),
    (0.12, alone(Editor.border)),
    (0.10, Editor.collage),
    (0.07, Editor.inset),
    (0.06, alone(layouts.paged)),
    (0.03, Editor.cut_out),
)
COVERS: tuple[tuple[float, Step], ...] = (
    (0.14, alone(Editor.text)),
    (0.12, alone(layouts.captioned)),
    (0.12, alone(Editor.stickers)),
    (0.08, Editor.cover),
)
SINGLES: tuple[tuple[float, Step], ...] = (
    (0.18, alone(lambda editor, image: editor.cut(image, editor.crop_box(0.22, 0.7), editor.work))),
    (0.08, whole(alone(Editor.warp))),
    (0.09, whole(alone(layouts.rotated))),
    (0.10, whole(alone(Editor.orient))),
    (0.09, whole(Editor.paste)),
    (0.07, whole(alone(Editor.border))),
    (0.10, whole(Editor.collage)),
    (0.06, whole(Editor.inset)),
    (0.03, whole(alone(layouts.paged))),
    (0.02, whole(Editor.cut_out)),
    (0.05, whole(alone(layouts.captioned))),
    (0.03, whole(Editor.cover)),
    (0.05, whole(alone(effect))),
    (0.05, whole(alone(lambda editor, image: editor.mix_channels(editor.tone(image))))),
)
