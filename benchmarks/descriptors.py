"""The benchmark of descriptors, in one run: 23 edits of unseen pictures, found among 5,000 or not.

    python benchmarks/descriptors.py DATASET --cache CACHE --work WORK [--augnet] [--report docs]

DATASET is a folder of pictures in folders, such as Caltech101; CACHE is the folder of `python -m
datasets.photographs`, which fixes the split (made there where it is missing). Edited files and the values of
descriptors are kept in WORK, so that a run goes on where it was, and new weights cost only their own time.
`--augnet` adds the comparison with AugNet on a part of the pictures, from what `benchmarks.accuracy.augnet`
has left in WORK. Prints the tables; `--report` puts them into `accuracy.md` of that folder as well, with
plots and `accuracy.json` beside it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.accuracy import report
from benchmarks.accuracy.augnet import AugNet, part_of
from benchmarks.accuracy.contest import Entry, contest
from benchmarks.accuracy.ours import Hash, Network, WholeHash, fused
from benchmarks.accuracy.peers import Dhash64, Goldberg, Gradients, Histogram, Pdq, PdqTurned, Phash64
from benchmarks.accuracy.pictures import Files, held_out

PEERS = (
    Entry("Goldberg (image-match)", (Goldberg(),)),
    Entry("PDQ, 8 orientations", (PdqTurned(),)),
    Entry("PDQ", (Pdq(),)),
    Entry("pHash 256", (WholeHash(),)),
    Entry("pHash 64", (Phash64(),)),
    Entry("dHash 64", (Dhash64(),)),
    Entry("HOG", (Gradients(),)),
    Entry("colour histogram", (Histogram(),)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--augnet", action="store_true")
    parser.add_argument("--report", type=Path, metavar="FOLDER")
    options = parser.parse_args()

    cast, files = held_out(options.dataset, options.cache), Files(options.dataset, options.work)
    hash, network = Hash(), Network()
    ours = (
        Entry("hash and network together", (hash, network), fused),
        Entry("network", (network,)),
        Entry("hash", (hash,)),
    )
    results = contest([*ours, *PEERS], cast, files, options.work)
    texts = {
        "pictures": cast.in_words(),
        "overall": report.overall(results),
        "per edit": report.per_edit(results, 0),
        "per edit, no false answer": report.per_edit(results, 1),
    }
    figures = {"all": {result.name: result.as_json() for result in results}}
    if options.augnet:
        part = part_of(cast)
        beside = contest(
            [*ours, Entry("AugNet (imgsim)", (AugNet(),)), *PEERS[:2]], part, files, options.work
        )
        texts["augnet pictures"] = part.in_words()
        texts["augnet"] = report.overall(beside)
        texts["augnet per edit"] = report.per_edit(beside, 0)
        figures["augnet"] = {result.name: result.as_json() for result in beside}
    print(*(f"{title}\n\n{text}\n" for title, text in texts.items()), sep="\n")
    if options.report:
        document = options.report / "accuracy.md"
        document.write_text(report.written_between(document.read_text("utf-8"), texts), "utf-8")
        (options.report / "accuracy.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
        report.plot(results, options.report / "images")


if __name__ == "__main__":
    main()
