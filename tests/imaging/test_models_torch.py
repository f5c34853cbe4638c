"""Models of torch, where it is installed: features of torchvision's networks, TorchScript files, AugNet."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facsimile.imaging.decode import decode
from facsimile.imaging.describe import describe, describe_many
from facsimile.imaging.errors import ModelNotFound, ModelUnavailable
from facsimile.imaging.models import model
from facsimile.imaging.record import Description
from tests.support.pictures import encoded, photograph

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
torchvision = pytest.importorskip("torchvision", reason="the extra torch is not installed")

COLOURS = [(255, 0, 0), (10, 200, 30), (124, 116, 104)]
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

STRIPS = [encoded(photograph().resize(size)) for size in [(6000, 1), (1, 6000)]]


def vectors_of(datas: list[bytes], name: str, batch: int = 32) -> np.ndarray:
    found = describe_many(datas, model=model(name, batch=batch, device="cpu"))
    return np.stack([one.vector for one in found if isinstance(one, Description)])


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that says the mean of each channel of what it is shown."""
    file = tmp_path_factory.mktemp("networks") / "means.pt"
    means = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(means, torch.zeros(2, 3, 32, 32)).save(str(file))
    return file


# -- torchvision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "dims"), [("resnet18", 512), ("mobilenet_v3_small", 1024)])
def test_features_have_length_one_and_do_not_depend_on_the_batch(name, dims):
    name = f"torchvision:{name}:none"
    datas = [encoded(photograph()), encoded(photograph("coffee.png").convert("L")), *STRIPS]
    together = vectors_of(datas, name)
    assert together.shape == (4, dims) == (4, model(name).dims)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors_of(datas, name, batch=1), together, atol=1e-5)


def test_features_are_what_the_last_layer_sees():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.resnet18(weights=None).eval()
    seen = []
    network.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    photo = photograph("astronaut.png", longest=256)
    with torch.inference_mode():
        network(torchvision.models.ResNet18_Weights.DEFAULT.transforms()(photo)[None])
    expected = torch.nn.functional.normalize(seen[0]).numpy()[0]
    (found,) = vectors_of([encoded(photo)], "torchvision:resnet18:none")
    assert found @ expected > 0.999


def test_the_identity_names_the_weights():
    assert model("torchvision:resnet50").identity == "torchvision:resnet50:IMAGENET1K_V2"
    assert model("torchvision:resnet50:IMAGENET1K_V1").identity == "torchvision:resnet50:IMAGENET1K_V1"
    assert "224x224" in model("torchvision:resnet50").preprocess
    assert "299x299" in model("torchvision:inception_v3:none").preprocess


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("torchvision:resnet19", "no classification network 'resnet19'"),
        ("torchvision:fcn_resnet50", "no classification network"),
        ("torchvision:resnet18:V9", "known are IMAGENET1K_V1, none"),
        ("torchvision:squeezenet1_1:none", "no feature layer"),
    ],
)
def test_what_torchvision_has_not_is_said(name, said):
    with pytest.raises(ModelNotFound, match=said):
        describe(encoded(photograph()), model=model(name, device="cpu"))


def test_a_device_that_is_not_there_is_said():
    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    with pytest.raises(ModelUnavailable, match="no device cuda"):
        describe(encoded(photograph()), model=model("torchvision:resnet18:none", device="cuda"))


# -- TorchScript -------------------------------------------------------------------------------------------


def test_a_script_is_shown_normalised_pictures(script):
    name = f"torchscript:{script}"
    datas = [encoded(Image.new("RGB", (40, 30), colour)) for colour in COLOURS]
    expected = (np.array(COLOURS) / 255 - MEAN) / DEVIATION
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors_of(datas, name), expected, atol=1e-5)
    np.testing.assert_allclose(vectors_of(datas, name, batch=2), expected, atol=1e-5)
    assert vectors_of(STRIPS, name).shape == (2, 3)


def test_the_facts_of_a_script(script):
    found = model(f"torchscript:{script}")
    digest = hashlib.sha256(script.read_bytes()).hexdigest()
    assert found.identity == f"torchscript:means.pt:{digest[:12]}"
    assert found.dims == 3
    assert found.prepare(decode(encoded(photograph()))).shape == (3, 288, 288)


def test_what_is_no_script_is_said(tmp_path):
    with pytest.raises(ModelUnavailable, match=r"cannot read the model .*none\.pt: No such file"):
        model(f"torchscript:{tmp_path}/none.pt")
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(ModelUnavailable, match=r"text\.pt is no TorchScript"):
        describe(encoded(photograph()), model=model(f"torchscript:{tmp_path}/text.pt"))


# -- AugNet ------------------------------------------------------------------------------------------------


def test_augnet_says_what_its_own_package_says():
    imgsim = pytest.importorskip("imgsim", reason="the extra augnet is not installed")
    photo = photograph(longest=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = imgsim.Vectorizer().vectorize(np.ascontiguousarray(np.asarray(photo)[..., ::-1]))
    found = vectors_of([encoded(photo), *STRIPS], "augnet")
    assert found.shape == (3, 768) == (3, model("augnet").dims)
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert model("augnet").identity == "augnet:imgsim-0.1.2"
