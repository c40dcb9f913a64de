"""Compares models with PyTorch: logits of inference and of training, loss and every gradient from the same weights.

    test_models.py TOOL      TOOL is the executable of peer_tool.cpp

`reference` in double must agree with PyTorch in double up to rounding, with a tolerance far below the effect of other
images. Dropout is disabled on both sides; auxiliary classifiers and the input transform are not. googlenet_torchvision
and the ResNets are compared with torchvision's models, the others with the definitions below.
"""

import copy
import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, Checks, nn, numpy, safetensors, sensitive, torch
from torch_googlenet import BLOCKS

try:
    import torchvision
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torchvision")
    sys.exit(77)

STAGES = {"3": ("3a", "3b"), "4": ("4a", "4b", "4c", "4d", "4e"), "5": ("5a", "5b")}


class Unit(nn.Module):
    def __init__(self, inputs, outputs, kernel, norm, stride=1):
        super().__init__()
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel[0] // 2, kernel[1] // 2), bias=not norm)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


class Both(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.row = Unit(inputs, outputs // 2, (1, 3), True)
        self.column = Unit(inputs, outputs - outputs // 2, (3, 1), True)

    def forward(self, x):
        return torch.cat((self.row(x), self.column(x)), 1)


class Block(nn.Module):
    def __init__(self, kind, inputs, c1, c2, c3, c4, norm=True):
        super().__init__()
        (r2, o2), (r3, o3) = c2, c3
        self.branch1 = Unit(inputs, c1, 1, norm)
        second, third = {
            "paper": lambda: ([Unit(r2, o2, 3, norm)], [Unit(r3, o3, 5, norm)]),
            "two": lambda: ([Unit(r2, o2, 3, norm)], [Unit(r3, o3, 3, norm), Unit(o3, o3, 3, norm)]),
            "factorised": lambda: ([Unit(r2, r2, (1, 7), norm), Unit(r2, o2, (7, 1), norm)],
                                   [Unit(r3, r3, (7, 1), norm), Unit(r3, r3, (1, 7), norm),
                                    Unit(r3, r3, (7, 1), norm), Unit(r3, o3, (1, 7), norm)]),
            "expanded": lambda: ([Both(r2, o2)], [Unit(r3, o3, 3, norm), Both(o3, o3)])}[kind]()
        self.branch2 = nn.Sequential(Unit(inputs, r2, 1, norm), *second)
        self.branch3 = nn.Sequential(Unit(inputs, r3, 1, norm), *third)
        if c4:
            self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Unit(inputs, c4, 1, norm))

    def forward(self, x):
        branches = [self.branch1(x), self.branch2(x), self.branch3(x)]
        return torch.cat(branches + ([self.branch4(x)] if hasattr(self, "branch4") else []), 1)


class ResidualBlock(nn.Module):
    def __init__(self, width, c1, c2, c3):
        super().__init__()
        self.residual = nn.Sequential()
        self.residual.add_module("branches", Block("two", width, c1, c2, c3, 0))
        self.residual.add_module("projection", nn.Conv2d(c1 + c2[1] + c3[1], width, 1))

    def forward(self, x):
        return F.relu(x + 0.2 * self.residual(x))


class Auxiliary(nn.Module):
    def __init__(self, inputs, features, classes):
        super().__init__()
        self.conv = Unit(inputs, 128, 1, False)
        self.fc1, self.fc2 = nn.Linear(features, 1024), nn.Linear(1024, classes)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.conv(F.avg_pool2d(x, 5, 3)).flatten(1))))


class Net(nn.Module):
    """All GoogLeNets except torchvision's."""

    def __init__(self, name, classes, channels, kinds=("paper",) * 3, norm=True):
        super().__init__()
        self.name = name
        if name == "googlenet_cifar":
            self.conv1 = Unit(channels, 192, 3, norm)
        else:
            native = name == "googlenet_native"
            self.conv1 = Unit(channels, 64, 5 if native else 7, norm, 1 if native else 2)
            self.conv2, self.conv3 = Unit(64, 64, 1, norm), Unit(64, 192, 3, norm)
        for stage, kind in zip(STAGES, kinds):
            for block in STAGES[stage]:
                inputs, c1, c2, c3, c4 = BLOCKS[block]
                if name == "googlenet_residual":
                    _, *last = BLOCKS[STAGES[stage][-1]]
                    width = {"3": 480, "4": 832, "5": 1024}[stage]
                    made = (Block(kind, inputs, *last) if block.endswith("a") else ResidualBlock(width, c1, c2, c3))
                else:
                    made = Block(kind, inputs, c1, c2, c3, c4, norm)
                setattr(self, "inception" + block, made)
        if name == "googlenet_v1":
            self.aux1, self.aux2 = Auxiliary(512, 128, classes), Auxiliary(528, 128, classes)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):
        first = self.name == "googlenet_v1"
        pool = (lambda y: F.max_pool2d(y, 3, 2, 0, ceil_mode=True)) if first else (lambda y: F.max_pool2d(y, 3, 2, 1))
        norm = (lambda y: F.local_response_norm(y, 5)) if first else (lambda y: y)
        x = self.conv1(x)
        if hasattr(self, "conv2"):
            standard = self.name != "googlenet_native"
            x = norm(pool(x)) if standard else x
            x = self.conv3(self.conv2(x))
            x = pool(norm(x)) if standard else x
        heads = []
        for name in BLOCKS:
            x = getattr(self, "inception" + name)(x)
            if first and self.training and name in ("4a", "4d"):
                heads.append((self.aux1 if name == "4a" else self.aux2)(x))
            if name in ("3b", "4e"):
                x = pool(x)
        return [self.fc(x.mean((2, 3)))] + heads


class Classic(nn.Module):
    """Layers by name, in order; F for functions without weights."""

    def __init__(self, *layers):
        super().__init__()
        self.order = layers
        for name, layer in layers:
            if name:
                setattr(self, name, layer)

    def forward(self, x):
        for name, layer in self.order:
            x = layer(x)
            if name.startswith("conv") or name in ("fc1", "fc2"):
                x = F.relu(x)
        return [x]


def dense(inputs, classes):
    return [("", nn.Flatten()), ("fc1", nn.Linear(inputs, 4096)), ("fc2", nn.Linear(4096, 4096)),
            ("fc", nn.Linear(4096, classes))]


def alexnet(channels, classes):
    pool = ("", nn.MaxPool2d(3, 2))
    return Classic(("conv1", nn.Conv2d(channels, 96, 11, 4, 1)), pool, ("conv2", nn.Conv2d(96, 256, 5, 1, 2)), pool,
                   ("conv3", nn.Conv2d(256, 384, 3, 1, 1)), ("conv4", nn.Conv2d(384, 384, 3, 1, 1)),
                   ("conv5", nn.Conv2d(384, 256, 3, 1, 1)), pool, *dense(256, classes))


def vgg11_small(channels, classes):
    layers = []
    for block, (count, width) in enumerate(((1, 16), (1, 32), (2, 64), (2, 128), (2, 128)), 1):
        for i in range(1, count + 1):
            layers.append((f"conv{block}_{i}", nn.Conv2d(channels, width, 3, 1, 1)))
            channels = width
        layers.append(("", nn.MaxPool2d(2)))
    return Classic(*layers, *dense(128, classes))


def nin(channels, classes):
    layers = []
    for block, (width, *shape) in enumerate(((96, 11, 4, 0), (256, 5, 1, 2), (384, 3, 1, 1), (classes, 3, 1, 1)), 1):
        layers.append((f"conv{block}_1", nn.Conv2d(channels, width, *shape)))
        layers += [(f"conv{block}_{i}", nn.Conv2d(width, width, 1)) for i in (2, 3)]
        if block < 4:
            layers.append(("", nn.MaxPool2d(3, 2)))
        channels = width
    return Classic(*layers, ("", nn.AdaptiveAvgPool2d(1)), ("", nn.Flatten()))


class Torchvision(torchvision.models.GoogLeNet):
    def forward(self, x):
        result = super().forward(x)
        return [result.logits, result.aux_logits1, result.aux_logits2] if self.training else [result]


def torchvision_net(channels, classes):
    network = Torchvision(num_classes=classes, aux_logits=True, transform_input=True, init_weights=False)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


class ResNet(torchvision.models.ResNet):
    def forward(self, x):
        return [super().forward(x)]


def resnet(block, *layers):
    def build(channels, classes):
        network = ResNet(getattr(torchvision.models.resnet, block), layers, num_classes=classes)
        network.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        return network
    return build


#  name: images, network
CASES = {"alexnet": ((3, 1, 65, 65), alexnet), "vgg11_small": ((3, 1, 32, 32), vgg11_small),
         "nin": ((2, 3, 67, 67), nin), "googlenet_torchvision": ((3, 3, 64, 48), torchvision_net),
         "googlenet_v1": ((3, 3, 80, 80), lambda c, k: Net("googlenet_v1", k, c, norm=False)),
         "googlenet_v3": ((3, 1, 48, 40), lambda c, k: Net("googlenet_v3", k, c, ("two", "factorised", "expanded"))),
         "googlenet_residual": ((3, 1, 48, 40), lambda c, k: Net("googlenet_residual", k, c, ("two",) * 3)),
         "resnet18": ((4, 1, 28, 28), resnet("BasicBlock", 2, 2, 2, 2)),
         "resnet34": ((3, 3, 48, 40), resnet("BasicBlock", 3, 4, 6, 3)),
         "resnet50": ((3, 3, 48, 40), resnet("Bottleneck", 3, 4, 6, 3)),
         "googlenet_native": ((2, 1, 12, 12), lambda c, k: Net("googlenet_native", k, c))}


def results(network, images, labels):
    """Logits of inference and training, loss, and every gradient, in double."""
    network = copy.deepcopy(network).double()
    with torch.no_grad():
        inferred = network.eval()(images.double())[0]
    logits = network.train()(images.double())
    losses = [F.cross_entropy(one, labels) for one in logits]
    sum(loss * (0.3 if i else 1.0) for i, loss in enumerate(losses)).backward()
    return {"inference_logits": inferred.numpy(), "logits": logits[0].detach().numpy(), "loss": losses[0].detach().numpy(),
            **{"grad." + key: parameter.grad.numpy() for key, parameter in network.named_parameters()}}


def main(tool, only):
    torch.set_num_threads(1)
    checks, classes = Checks(), 7
    for name in only or CASES:
        shape, build = CASES[name]
        torch.manual_seed(1)
        network = sensitive(build(shape[1], classes), torch.randn(16, *shape[1:]))
        images, labels = torch.randn(shape), torch.arange(shape[0]) % classes
        with tempfile.TemporaryDirectory() as folder:
            given, result = pathlib.Path(folder, "in.safetensors"), pathlib.Path(folder, "out.safetensors")
            # The state as torchvision saves it, but without num_batches_tracked: the tool reads floating-point values.
            state = {"state." + key: value.detach().numpy().copy() for key, value in network.state_dict().items()
                     if not key.endswith("num_batches_tracked")}
            safetensors.numpy.save_file({"images": images.numpy(), "labels": labels.int().numpy(),
                                         "classes": numpy.zeros(classes, numpy.float32), **state}, given)
            subprocess.run([tool, "step", name, "reference", "f64", given, result], check=True, timeout=300)
            ours = safetensors.numpy.load_file(result)
        theirs, of_others = results(network, images, labels), results(network, torch.randn(shape), labels)
        mine = {key: value for key, value in ours.items() if not key.startswith("state.")}
        assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
        for key, value in theirs.items():
            kind, tolerance = ("gradient", 1e-8) if key.startswith("grad.") else (key.replace("_", " "), 1e-9)
            checks.close(kind, f"{key[5:]} ({name})" if kind == "gradient" else name, mine[key], value, tolerance,
                         of_others[key])
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
