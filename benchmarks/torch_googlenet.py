"""GoogLeNet in PyTorch with the layers and names of models/googlenet.cpp: googlenet, googlenet_bn and
googlenet_small."""

import torch
from torch import nn
from torch.nn import functional as F

# name: in, branch1, branch2 (reduce, out), branch3 (reduce, out), branch4  (Szegedy et al. 2015, table 1)
BLOCKS = {
    "3a": (192, 64, (96, 128), (16, 32), 32), "3b": (256, 128, (128, 192), (32, 96), 64),
    "4a": (480, 192, (96, 208), (16, 48), 64), "4b": (512, 160, (112, 224), (24, 64), 64),
    "4c": (512, 128, (128, 256), (24, 64), 64), "4d": (512, 112, (144, 288), (32, 64), 64),
    "4e": (528, 256, (160, 320), (32, 128), 128), "5a": (832, 256, (160, 320), (32, 128), 128),
    "5b": (832, 384, (192, 384), (48, 128), 128)}


class BasicConv2d(nn.Module):
    def __init__(self, inputs, outputs, kernel, batch_norm, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not batch_norm)
        if batch_norm:
            self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = self.conv(x)
        return F.relu(self.bn(x) if hasattr(self, "bn") else x)


class Inception(nn.Module):
    def __init__(self, inputs, c1, c2, c3, c4, batch_norm):
        super().__init__()
        self.branch1 = BasicConv2d(inputs, c1, 1, batch_norm)
        self.branch2 = nn.Sequential(BasicConv2d(inputs, c2[0], 1, batch_norm), BasicConv2d(*c2, 3, batch_norm))
        self.branch3 = nn.Sequential(BasicConv2d(inputs, c3[0], 1, batch_norm), BasicConv2d(*c3, 5, batch_norm))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), BasicConv2d(inputs, c4, 1, batch_norm))

    def forward(self, x):
        return torch.cat((self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)), 1)


class GoogLeNet(nn.Module):
    def __init__(self, batch_norm, channels=1, classes=10, divisor=1):
        super().__init__()

        def part(width):
            return tuple(map(part, width)) if isinstance(width, tuple) else width // divisor

        self.conv1 = BasicConv2d(channels, part(64), 7, batch_norm, stride=2)
        self.conv2 = BasicConv2d(part(64), part(64), 1, batch_norm)
        self.conv3 = BasicConv2d(part(64), part(192), 3, batch_norm)
        for name, widths in BLOCKS.items():
            setattr(self, "inception" + name, Inception(*part(widths), batch_norm))
        self.fc = nn.Linear(part(1024), classes)

    def forward(self, x):
        def pool(y):
            return F.max_pool2d(y, 3, 2, 1)

        x = pool(self.conv1(x))
        x = pool(self.conv3(self.conv2(x)))
        for name in BLOCKS:
            x = getattr(self, "inception" + name)(x)
            if name in ("3b", "4e"):
                x = pool(x)
        return self.fc(x.mean((2, 3)))


def make(name, seed=1, **sizes):
    """Creates a network with the initialization of the published experiment."""
    torch.manual_seed(seed)
    small = name == "googlenet_small"
    network = GoogLeNet(small or name == "googlenet_bn", divisor=4 if small else 1, **sizes)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
    return network
