"""Layers: forward and backward of each compared with PyTorch in double precision, arguments, representation."""

import inspect

import minception as m
import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F


class Branches(nn.Module):
    """Concat of modules named like its branches."""

    def __init__(self, **branches):
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.children()], 1)


class Residual(nn.Module):
    def __init__(self, residual, scale=1.0, relu=False, projection=nn.Identity()):
        super().__init__()
        self.residual, self.scale, self.relu, self.projection = residual, scale, relu, projection

    def forward(self, x):
        y = self.projection(x) + self.scale * self.residual(x)
        return F.relu(y) if self.relu else y


class Basic(nn.Module):
    """torchvision's BasicConv2d, with the batch norm left out on request."""

    def __init__(self, before, after, kernel, bn, **options):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, bias=not bn, **options)
        if bn:
            self.bn = nn.BatchNorm2d(after, eps=1e-5)

    def forward(self, x):
        y = self.conv(x)
        return F.relu(self.bn(y) if hasattr(self, "bn") else y)


class ConvReLU(nn.Conv2d):
    def forward(self, x):
        return F.relu(super().forward(x))


class NormReLU(nn.BatchNorm2d):
    def forward(self, x):
        return F.relu(super().forward(x))


def inception(bn, kernel=5):
    return Branches(branch1=Basic(6, 4, 1, bn),
                    branch2=nn.Sequential(Basic(6, 3, 1, bn), Basic(3, 5, 3, bn, padding=1)),
                    branch3=nn.Sequential(Basic(6, 2, 1, bn), Basic(2, 3, kernel, bn, padding=kernel // 2)),
                    branch4=nn.Sequential(nn.MaxPool2d(3, 1, 1), Basic(6, 4, 1, bn)))


CHANNELS = dict(branch1=4, branch2_reduce=3, branch2=5, branch3_reduce=2, branch3=3, branch4=4)
IMAGE, VECTOR = (3, 6, 7, 8), (3, 5)
# Layer, its PyTorch module, shape of the input.
CASES = [
    (m.Conv2d(4, 3), nn.Conv2d(6, 4, 3), IMAGE),
    (m.Conv2d(4, (3, 2), stride=(2, 1), padding=(0, 1), bias=False), nn.Conv2d(6, 4, (3, 2), (2, 1), (0, 1), bias=False), IMAGE),
    (m.Conv2d(4, 1, relu=True), ConvReLU(6, 4, 1), IMAGE),
    (m.BasicConv2d(4, 3, padding=1), Basic(6, 4, 3, False, padding=1), IMAGE),
    (m.BasicConv2d(4, 3, stride=2, batch_norm=True), Basic(6, 4, 3, True, stride=2), IMAGE),
    (m.BatchNorm2d(), nn.BatchNorm2d(6), IMAGE),
    (m.BatchNorm2d(epsilon=1e-3, relu=True), NormReLU(6, eps=1e-3), IMAGE),
    (m.Linear(4), nn.Linear(5, 4), VECTOR),
    (m.Linear(4, bias=False), nn.Linear(5, 4, bias=False), VECTOR),
    (m.Inception(**CHANNELS), inception(False), IMAGE),
    (m.Inception(**CHANNELS, batch_norm=True), inception(True), IMAGE),
    (m.Inception(**CHANNELS, batch_norm=True, branch3_kernel=3), inception(True, 3), IMAGE),
    (m.MaxPool2d(3, padding=1), nn.MaxPool2d(3, padding=1), IMAGE),
    (m.MaxPool2d(2, 3, ceil_mode=True), nn.MaxPool2d(2, 3, ceil_mode=True), IMAGE),
    (m.AvgPool2d((2, 3), stride=1), nn.AvgPool2d((2, 3), 1), IMAGE),
    (m.AvgPool2d(3, padding=1, count_include_pad=False), nn.AvgPool2d(3, padding=1, count_include_pad=False), IMAGE),
    (m.AdaptiveAvgPool2d((3, 2)), nn.AdaptiveAvgPool2d((3, 2)), IMAGE),
    (m.GlobalAvgPool(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), IMAGE),
    (m.LocalResponseNorm(5, alpha=0.3, beta=0.6, k=1.5), nn.LocalResponseNorm(5, 0.3, 0.6, 1.5), IMAGE),
    (m.Dropout(0.0), nn.Dropout(0.0), IMAGE),
    (m.Flatten(), nn.Flatten(), IMAGE),
    (m.ReLU(), nn.ReLU(), IMAGE),
    (m.GELU(), nn.GELU(), IMAGE),
    (m.Sequential([m.Conv2d(4, 3, padding=1), m.BatchNorm2d(), m.ReLU(), m.MaxPool2d(2), m.Flatten(), m.Linear(3)]),
     nn.Sequential(nn.Conv2d(6, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                   nn.Linear(48, 3)), IMAGE),
    (m.Concat({"a": m.Conv2d(4, 1), "b": m.Conv2d(3, 3, padding=1)}),
     Branches(a=nn.Conv2d(6, 4, 1), b=nn.Conv2d(6, 3, 3, padding=1)), IMAGE),
    (m.Residual([m.Conv2d(6, 3, padding=1)], scale=0.3, relu=True),
     Residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1)), 0.3, True), IMAGE),
    (m.Residual([m.Conv2d(4, 3, stride=2, padding=1), m.ReLU()], scale=0.3, projection=[m.Conv2d(4, 1, stride=2)]),
     Residual(nn.Sequential(nn.Conv2d(6, 4, 3, 2, 1), nn.ReLU()), 0.3, False, nn.Sequential(nn.Conv2d(6, 4, 1, 2))), IMAGE),
    (m.Residual(("", [("conv1", m.Conv2d(5, 3, stride=2, padding=1, bias=False)), ("bn1", m.BatchNorm2d(relu=True)),
                      ("conv2", m.Conv2d(5, 3, padding=1, bias=False)), ("bn2", m.BatchNorm2d())]), relu=True,
                projection=("downsample", [m.Conv2d(5, 1, stride=2, bias=False), m.BatchNorm2d()])),
     torchvision.models.resnet.BasicBlock(6, 5, 2, nn.Sequential(nn.Conv2d(6, 5, 1, 2, bias=False), nn.BatchNorm2d(5))),
     IMAGE),
]


def ids(case):
    return " ".join(repr(case).split()) if isinstance(case, m.Layer) else ""


class Run(torch.autograd.Function):
    """A layer as a function that PyTorch differentiates."""

    @staticmethod
    def forward(context, layer, x, names, *values):
        context.layer, context.names = layer, names
        context.save_for_backward(x, *values)
        return m.forward(layer, x.detach(), dict(zip(names, [value.detach() for value in values])))

    @staticmethod
    def backward(context, dy):
        x, *values = context.saved_tensors
        dx, gradients = m.backward(context.layer, x, dy, dict(zip(context.names, values)))
        return (None, dx, None, *[gradients[name] for name in context.names])


def randomised(module, shape, dtype):
    """The module with random parameters, and a random input; ties and kinks have probability zero."""
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return module.to(dtype), torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("layer, module, shape", CASES, ids=ids)
def test_forward_and_backward_agree_with_pytorch_in_double(layer, module, shape, memory_format):
    module, x = randomised(module, shape, torch.float64)
    module.train()
    if len(shape) == 4:
        x = x.to(memory_format=memory_format)
    parameters = dict(module.named_parameters())
    x.requires_grad_()
    expected = module(x)
    dy = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    wanted = torch.autograd.grad(expected, [x, *parameters.values()], dy)

    y = Run.apply(layer, x, list(parameters), *parameters.values())
    assert y.shape == expected.shape and y.dtype == torch.float64
    torch.testing.assert_close(y, expected, rtol=1e-10, atol=1e-10)
    found = torch.autograd.grad(y, [x, *parameters.values()], dy)
    for name, a, b in zip(["x", *parameters], found, wanted):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda text: f"{name}: {text}")


@pytest.mark.parametrize("layer, module, shape", CASES, ids=ids)
def test_cpu_agrees_in_float(layer, module, shape):
    module, x = randomised(module, shape, torch.float32)
    parameters = dict(module.named_parameters())
    x.requires_grad_()
    expected = module(x)
    dy = torch.randn(expected.shape, generator=torch.Generator().manual_seed(4))
    wanted = torch.autograd.grad(expected, [x, *parameters.values()], dy)
    values = {name: value.detach() for name, value in parameters.items()}
    torch.testing.assert_close(m.forward(layer, x.detach(), values), expected, rtol=1e-4, atol=1e-4)
    dx, gradients = m.backward(layer, x.detach(), dy, values)
    for a, b in zip([dx, *[gradients[name] for name in parameters]], wanted):
        assert (a - b).norm() <= 1e-4 * b.norm() + 1e-6


def test_every_layer_has_a_case():
    def types(layer):
        return {type(layer)}.union(*[types(layer[i]) for i in range(len(layer))] if hasattr(layer, "__len__") else [])

    covered = set().union(*[types(layer) for layer, _, _ in CASES])
    layers = {value for value in vars(m).values() if inspect.isclass(value) and issubclass(value, m.Layer)} - {m.Layer}
    assert layers - covered == set()


@pytest.mark.parametrize("layer, shape", [(m.Conv2d(4, 3), (2, 3, 5, 5)), (m.GELU(), (2, 3, 4, 4)), (m.Linear(3), (4, 5)),
                                          (m.Residual(m.Conv2d(3, 1), relu=True), (2, 3, 4, 4)),
                                          (m.Residual(m.Conv2d(5, 1), projection=m.Conv2d(5, 1)), (2, 3, 4, 4))], ids=ids)
def test_check_gradients(layer, shape):
    check = m.check_gradients(layer, shape)
    assert check and check.ok and check.checked > 0 and "all agree" in check.text


def test_running_statistics_in_inference():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2, 3, 4, 4))
    state = {"weight": rng.normal(size=3), "bias": rng.normal(size=3), "running_mean": rng.normal(size=3),
             "running_var": rng.uniform(1, 2, size=3)}
    y = m.forward(m.BatchNorm2d(), x, state, training=False)
    expected = F.batch_norm(torch.from_numpy(x), *[torch.from_numpy(state[key]) for key in
                                                   ("running_mean", "running_var", "weight", "bias")])
    assert isinstance(y, np.ndarray) and np.allclose(y, expected.numpy(), rtol=1e-12, atol=1e-12)


def test_dropout_scales_what_it_keeps():
    x = np.random.default_rng(5).normal(size=(4, 3, 16, 16))
    y = m.forward(m.Dropout(0.25), x)
    kept = y != 0
    assert 0.7 < kept.mean() < 0.8 and np.allclose(y[kept], x[kept] / 0.75)
    dx, _ = m.backward(m.Dropout(0.25), x, np.ones_like(x))
    assert np.array_equal(dx != 0, kept)
    assert np.array_equal(m.forward(m.Dropout(0.25), x, training=False), x)


def test_results_own_channels_last_memory():
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    before = x.clone()
    y = m.forward(m.ReLU(), x)
    assert y.is_contiguous(memory_format=torch.channels_last) and torch.equal(y, F.relu(x)) and torch.equal(x, before)
    dy = torch.ones_like(y)
    m.backward(m.Conv2d(3, 1, relu=True), x, dy)
    assert torch.equal(dy, torch.ones_like(y)), "the caller's dy must not be masked"


def test_arguments_have_the_names_of_the_settings():
    layer = m.Conv2d(8, 3, stride=2, padding=(1, 0))
    assert layer.settings == {"out_channels": 8, "kernel": 3, "stride": 2, "padding": (1, 0), "bias": True, "relu": False}
    assert repr(layer) == "Conv2d(8, 3, stride=2, padding=(1, 0))"
    assert m.MaxPool2d(3).settings["stride"] == 3 and m.MaxPool2d(3, stride=1).settings["stride"] == 1
    assert "out_channels: int, kernel: int | tuple[int, int], *, stride" in m.Conv2d.__init__.__doc__
    for case, _, _ in CASES:
        assert repr(eval(repr(case), vars(m).copy())) == repr(case)


@pytest.mark.parametrize("make, error, message", [
    (lambda: m.Conv2d(3), TypeError, r"Conv2d\(\) lacks the argument 'kernel'"),
    (lambda: m.Conv2d(3, 3, kernel_size=3), TypeError, "no argument 'kernel_size'; it has out_channels, kernel, stride"),
    (lambda: m.Conv2d(3, 3, 1), TypeError, "takes 2 positional arguments, 3 were given"),
    (lambda: m.Conv2d(3, 3, kernel=3), TypeError, "kernel is given twice"),
    (lambda: m.Conv2d(3, "3"), TypeError, "kernel must be an int or a pair of ints"),
    (lambda: m.Conv2d(3, 1.5), TypeError, "kernel must be an int or a pair of ints"),
    (lambda: m.Conv2d(3, 3, bias=1), TypeError, "bias must be True or False, not int"),
    (lambda: m.Conv2d(0, 3), m.Error, "0 channels"),
    (lambda: m.Dropout(1.5), m.Error, "1.5"),
    (lambda: m.ReLU(inplace=True), TypeError, "no argument 'inplace'; it takes none"),
    (lambda: m.Inception(**CHANNELS, kind="other"), m.Error, "other"),
    (lambda: m.Sequential([3]), TypeError, "each element must be a layer"),
    (lambda: m.Sequential(m.ReLU()), TypeError, "a list of layers"),
    (lambda: m.Residual(3), TypeError, "a layer or a list of layers, not int"),
    (lambda: m.Residual(m.ReLU(), projection=3), TypeError, r"Residual\(\): projection .*a layer or a list of layers, not int"),
    (lambda: m.Residual(m.ReLU(), projection=("residual", m.ReLU())), m.Error, "both named 'residual'"),
    (lambda: m.forward(m.ReLU(), np.zeros((1, 1), np.int32)), TypeError, "float32 .* or float64"),
    (lambda: m.forward(m.ReLU(), np.zeros(3)), m.Error, r"\(N, C, H, W\) or \(N, C\)"),
    (lambda: m.forward(m.Linear(2), np.zeros((1, 3)), {"weight": np.zeros((2, 3))}), m.Error, "bias is missing"),
    (lambda: m.forward(m.ReLU(), np.zeros((1, 3)), {"w": np.zeros(1)}), m.Error, "has no w"),
    (lambda: m.forward(m.Linear(2), np.zeros((1, 3)), {"weight": np.zeros((3, 2)), "bias": np.zeros(2)}), m.Error, r"\[3,2\]"),
    (lambda: m.backward(m.ReLU(), np.zeros((1, 3)), np.zeros((1, 2))), m.Error, r"dy has the shape \[1,2\]"),
    (lambda: m.backward(m.ReLU(), np.zeros((1, 3)), np.zeros((1, 3), np.float32)), TypeError, "must be float64, as x"),
])
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("layer", [m.Conv2d(8, 3), m.MaxPool2d(2)])
def test_windows_need_images(layer):
    with pytest.raises(m.Error, match=r"for an input \[4,4\]: images \(N, C, H, W\) are needed"):
        m.forward(layer, np.zeros((4, 4), np.float32))
