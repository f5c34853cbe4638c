"""Export a checkpoint: ``python -m training.export --checkpoint <file> --output <file.onnx>``.

The graph takes RGB bytes ``pixels`` ``[batch, 3, size, size]`` and gives ``vector`` ``[batch,
dimensions]``, float32 of length one. Weights lie on disk as 16-bit floats; the graph widens them when it is
loaded and computes in 32 bits. The export is checked against the trained network before it is written.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from training.network import CopyNetwork, load_network
from training.validate import onnx_embed, torch_embed

OPSET = 18
SMALLEST = 256
"""Tensors with fewer values stay 32-bit."""
LIMIT_BYTES = 10_000_000


def traced(network: CopyNetwork, size: int, path: Path) -> onnx.ModelProto:
    """The plain 32-bit graph."""
    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=["pixels"],
            output_names=["vector"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch")}},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    model = onnx.load(str(path))
    path.unlink()
    return model


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the large weights as 16-bit floats, each behind a cast that the runtime folds away."""
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.widen", to=TensorProto.FLOAT)
        )
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
    del graph.value_info[:]
    return model


def export(arguments: argparse.Namespace) -> None:
    output: Path = arguments.output
    version: str = arguments.version
    network, trained_size = load_network(arguments.checkpoint)
    if arguments.centre is not None:
        network.config = network.config.with_views(arguments.centre, arguments.shrink, arguments.share)
    side: int = arguments.size or trained_size
    partial = output.with_suffix(".partial.onnx")
    model = halved(traced(network.to(memory_format=torch.contiguous_format), side, partial))
    model.producer_name, model.producer_version = "facsimile", version
    model.doc_string = "Copy-detection network of Facsimile; see docs/model-card.md."
    helper.set_model_props(
        model, {"version": version, "size": str(side), "dimensions": str(network.config.dimensions)}
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(partial))
    if partial.stat().st_size > LIMIT_BYTES:
        raise SystemExit(f"{partial.stat().st_size} bytes are over the limit of {LIMIT_BYTES}")
    check(network, partial, side)
    partial.replace(output)
    print(f"{output}: {output.stat().st_size} bytes, {side} px, version {version}")


def shrink(checkpoint: Path, output: Path) -> None:
    """Keep what an export, a later stage or going on with the run needs: both sets of weights as 16-bit
    floats, and where they are from. The optimiser's momentum is left out; it builds up again in some steps.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    halved = {
        part: {
            name: value.half() if value.dtype == torch.float32 and value.numel() >= SMALLEST else value
            for name, value in state[part].items()
        }
        for part in ("weights", "average")
    }
    kept = {name: state[name] for name in ("network", "size", "step", "seen", "elapsed")}
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**kept, **halved}, output)
    print(f"{output}: {output.stat().st_size} bytes")


def check(network: CopyNetwork, path: Path, size: int) -> None:
    """The export says what the trained network says, whatever the batch."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    images = np.repeat(np.repeat(coarse, -(-size // 8), axis=1), -(-size // 8), axis=2)[:, :size, :size]
    trained = torch_embed(network)(images)
    embed, _ = onnx_embed(path)
    together = embed(images)
    single = np.concatenate([embed(images[i : i + 1]) for i in range(len(images))])
    cosine = float((trained * together).sum(axis=1).min())
    drift = float(np.abs(single - together).max())
    length = float(np.abs(np.linalg.norm(together, axis=1) - 1).max())
    began = time.process_time()
    for index in range(200):
        embed(images[index % 16 : index % 16 + 1])
    spent = (time.process_time() - began) / 200 * 1000
    print(
        f"cosine {cosine:.6f}, batch drift {drift:.1e}, length error {length:.1e}, {spent:.2f} ms per picture"
    )
    if cosine < 1 - 1e-3 or drift > 1e-5 or length > 1e-5:
        raise SystemExit("the export does not agree with the trained network")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, help="the ONNX file")
    parser.add_argument("--small", type=Path, help="also write a small checkpoint to go on from")
    parser.add_argument("--size", type=int, help="input size (default: that of the last phase of training)")
    parser.add_argument("--centre", type=int, help="as in training.train, in place of the checkpoint's own")
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--version", default="facsimile-1")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.small is not None:
        shrink(arguments.checkpoint, arguments.small)
    if arguments.output is not None:
        export(arguments)


if __name__ == "__main__":
    main()
