"""Models: state dicts of PyTorch in both directions, files, summary, built-in models."""

import minception
import numpy as np
import pytest
import torch
import torchvision
from conftest import small_model


def test_state_dict_has_the_names_and_shapes_of_pytorch():
    ours = small_model().state_dict()
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 16, 3, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(16, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(1152, 10))
    expected = {key: tuple(value.shape) for key, value in theirs.state_dict().items() if "num_batches" not in key}
    assert {key: value.shape for key, value in ours.items()} == expected
    assert all(value.dtype == np.float32 for value in ours.values())


def test_googlenet_of_torchvision_in_both_directions():
    torch.manual_seed(1)
    theirs = torchvision.models.googlenet(weights=None, aux_logits=False, num_classes=7, init_weights=False)
    generator = torch.Generator().manual_seed(2)
    for name, value in theirs.state_dict().items():  # batch norms with statistics of their own
        if name.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    theirs.eval()
    # The defaults of torchvision's batch norms and ours differ nowhere.
    ours = minception.make_model("googlenet_torchvision", input=(3, 96, 96), classes=7, transform_input=False)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 96, 96, generator=generator)
    with torch.no_grad():
        expected = theirs(x)
    found = ours.logits(x)
    assert (found - expected).norm() <= 1e-4 * expected.norm()
    assert (ours.logits(x.to(memory_format=torch.channels_last)) - expected).norm() <= 1e-4 * expected.norm()

    back = torchvision.models.googlenet(weights=None, aux_logits=False, num_classes=7, init_weights=False).eval()
    state = {key: value for key, value in ours.state_dict(torch=True).items() if not key.startswith("aux")}
    back.load_state_dict(state)
    for key, value in theirs.state_dict().items():
        if "num_batches" not in key:
            assert torch.equal(back.state_dict()[key], value), key


def test_resnet_of_torchvision_in_both_directions():
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18(weights=None, num_classes=7).eval()
    ours = minception.make_model("resnet18", input=(3, 64, 64), classes=7)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x)
    assert (ours.logits(x) - expected).norm() <= 1e-4 * expected.norm()
    back = torchvision.models.resnet18(weights=None, num_classes=7)
    missing = back.load_state_dict(ours.state_dict(torch=True), strict=False)
    assert not missing.unexpected_keys and all("num_batches" in key for key in missing.missing_keys)
    assert all(torch.equal(back.state_dict()[key], value) for key, value in theirs.state_dict().items() if "num_batches" not in key)


def test_load_state_dict_converts_and_checks():
    model = small_model()
    state = model.state_dict()
    changed = {f"module.{key}": torch.from_numpy(value).double() + 1 for key, value in state.items()}
    model.load_state_dict(changed)
    assert all(np.array_equal(model.state_dict()[key], (value.astype(np.float64) + 1).astype(np.float32))
               for key, value in state.items())
    with pytest.raises(minception.Error, match="8.bias"):
        model.load_state_dict({key: value for key, value in state.items() if key != "8.bias"})
    with pytest.raises(minception.Error, match="0.weight"):
        model.load_state_dict({**state, "0.weight": state["0.weight"][:, :, :2]})
    with pytest.raises(minception.Error, match="(?i)nan"):
        model.load_state_dict({**state, "8.bias": np.full(10, np.nan, np.float32)})
    with pytest.raises(TypeError, match="load_state_dict.*8.bias must be a NumPy array"):
        model.load_state_dict({**state, "8.bias": [0.0] * 10})


def test_states_are_copies(trained):
    state = trained.state_dict()
    state["8.bias"] += 1
    assert not np.array_equal(trained.state_dict()["8.bias"], state["8.bias"])


def test_save_and_load(trained, weights, fashion, tmp_path):
    loaded = minception.Model.load(weights)
    assert loaded.classes == fashion.classes and loaded.name == "small" and loaded.input_size == (1, 28, 28)
    for key, value in trained.state_dict().items():
        assert np.array_equal(loaded.state_dict()[key], value)
    x = np.random.default_rng(1).random((3, 1, 28, 28), np.float32)
    assert np.array_equal(loaded.logits(x), trained.logits(x))
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()
    with pytest.raises(minception.Error, match="missing"):
        trained.save(tmp_path / "missing" / "file.safetensors")


def test_the_reference_device_agrees(trained):
    x = np.random.default_rng(1).random((3, 1, 28, 28), np.float32)
    assert np.allclose(trained.logits(x, device="reference"), trained.logits(x, device="cpu"), rtol=0, atol=1e-4)


def test_built_in_models():
    assert "googlenet" in minception.model_names()
    model = minception.make_model("googlenet", input=(3, 64, 64), classes=5)
    assert (model.name, model.input_size, len(model.classes)) == ("googlenet", (3, 64, 64), 5)
    assert model.state_dict()["inception3a.branch1.conv.weight"].shape == (64, 192, 1, 1)
    with pytest.raises(minception.Error, match="googlenet_bn"):
        minception.make_model("resnet")
    with pytest.raises(TypeError, match="channels, height, width"):
        minception.make_model("googlenet", input=96)


def test_summary_is_the_representation():
    model = small_model()
    assert repr(model) == model.summary()
    assert "16,362" in model.summary() and "[1,32,12,12]" in model.summary()
    assert "[8,16,28,28]" in model.summary(batch=8)


def test_layers_can_be_used_again():
    layer = minception.Conv2d(3, 3, padding=1)
    model = minception.Model("twice", minception.Sequential([layer, layer, minception.GlobalAvgPool()]), (3, 8, 8), 3)
    state = model.state_dict()
    assert set(state) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert not np.array_equal(state["0.weight"], state["1.weight"])


def test_names_of_layers():
    net = minception.Sequential([("conv", minception.Conv2d(4, 3)), ("pool", minception.GlobalAvgPool())])
    assert set(minception.Model("named", net, (3, 8, 8), 4).state_dict()) == {"conv.weight", "conv.bias"}
    assert repr(net) == repr(minception.Sequential({"conv": minception.Conv2d(4, 3), "pool": minception.GlobalAvgPool()}))


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(minception.Error, match=r"yields \[1,4\] for one image"):
        minception.Model("wrong", minception.Sequential([minception.Conv2d(4, 3), minception.GlobalAvgPool()]), (3, 8, 8), 5)
    with pytest.raises(minception.Error, match="0"):
        minception.Model("small", minception.Sequential([minception.Conv2d(4, 9)]), (3, 8, 8), 4)
    with pytest.raises(TypeError, match=r"input must be \(channels, height, width\)"):
        minception.Model("wrong", minception.GlobalAvgPool(), 8, 3)


def test_check_gradients_of_a_model():
    net = minception.Sequential([minception.Conv2d(4, 3), minception.GELU(), minception.GlobalAvgPool(), minception.Linear(3)])
    assert minception.check_gradients(minception.Model("small", net, (2, 6, 6), 3)).ok


def test_wrong_arguments_of_logits_and_load_state_dict(trained):
    with pytest.raises(TypeError, match=r"x is an array of uint8; it must be float32, \(C, H, W\) or \(N, C, H, W\)"):
        trained.logits(np.zeros((1, 28, 28), np.uint8))
    for wrong in ("net.pt", None):
        with pytest.raises(TypeError, match=r"^load_state_dict\(\): state must be a dict of arrays, not "):
            trained.load_state_dict(wrong)
