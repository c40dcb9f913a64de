"""Imports ONNX files of PyTorch's exporter and of our own, and compares logits with ONNX Runtime's.

    test_import.py EXCHANGE_TOOL EXPORT IMPORT TRAIN EVALUATE

Each imported network is also exported again.
"""

import json
import pathlib
import struct
import sys
import tempfile
import warnings

from onnx_peers import OnnxRuntime, Checks, images, numpy, onnx, our_logits, refusal, run_tool, safetensors, spread

try:
    import torch
    import torchvision
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torch and python3-torchvision")
    sys.exit(77)


def description(path):
    """The metadata of a weights file."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(length))["__metadata__"]


def randomize(module):
    """Weights with which the logits depend on the image, and statistics other than 0 and 1."""
    for part in module.modules():
        if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                torch.nn.init.normal_(part.bias, std=0.1)
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.7, 1.3)
            for values in (part.bias, part.running_mean):
                torch.nn.init.normal_(values, std=0.1)
            torch.nn.init.uniform_(part.running_var, 0.7, 1.3)
    return module.eval()


def narrow(model):
    """Fewer hidden units in the fully connected layers, whose weights would be hundreds of megabytes."""
    linear = [i for i, part in enumerate(model.classifier) if isinstance(part, torch.nn.Linear)]
    sizes = [model.classifier[linear[0]].in_features, 64, 48, 10]
    for i, begin, end in zip(linear, sizes, sizes[1:]):
        model.classifier[i] = torch.nn.Linear(begin, end)
    return model


def googlenet(transform):
    return torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False, num_classes=10,
                                        transform_input=transform)


class Net(torch.nn.Module):
    """Residual connections, GELU, average pools and a flattened map."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.GELU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.plain = nn.AvgPool2d(3, 2, 1)
        self.ceil = nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)
        self.drop = nn.Dropout(0.4)
        self.hidden = nn.Linear(8 * 8 * 8, 16)
        self.fc = nn.Linear(16, 10, bias=False)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.block(x))
        x = self.ceil(self.plain(x + 0.5 * self.block[2](x)))
        x = self.drop(x).view(x.size(0), -1)
        return self.fc(torch.nn.functional.gelu(self.hidden(x)))


NETWORKS = {"googlenet": (lambda: googlenet(False), 224), "googlenet with transform_input": (lambda: googlenet(True), 224),
            "alexnet": (lambda: narrow(torchvision.models.alexnet(num_classes=10)), 224),
            "vgg11": (lambda: narrow(torchvision.models.vgg11(num_classes=10, init_weights=False)), 224), "net": (Net, 34),
            "resnet18": (lambda: torchvision.models.resnet18(weights=None, num_classes=10), 224),
            "resnet50": (lambda: torchvision.models.resnet50(weights=None, num_classes=10), 64)}


def torch_export(model, path, size, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, torch.zeros(1, 3, size, size), str(path), opset_version=options.pop("opset", 16), **options)


def compare(checks, tool, path, weights, size, batches, what):
    runtime = OnnxRuntime(path)
    for batch in batches:
        x = images((batch, 3, size, size), batch, False)
        theirs = runtime(x)
        if batch > 1:
            checks.check(spread(theirs) >= 0.05, f"{what}: logits depend on the image ({spread(theirs):.2f})")
        checks.close(our_logits(tool, weights, x, weights.parent), theirs, f"{what}, batch {batch}")


def test_torch(checks, tool, export, importer, folder):
    path, weights, again = folder / "torch.onnx", folder / "imported.safetensors", folder / "again.onnx"
    for name, (make, size) in NETWORKS.items():
        torch.manual_seed(1)
        model = randomize(make())
        free = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
        for what, options, batches in ((name, free, (1, 3)), (f"{name}, one batch size", {"opset": 13}, (1,)), (
                f"{name} with BatchNorm", {"training": torch.onnx.TrainingMode.PRESERVE, **free}, (2,))):
            torch_export(model, path, size, **options)
            run_tool(importer, "--onnx", path, "--out", weights, "--overwrite")
            compare(checks, tool, path, weights, size, batches, what)
        named = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
        kept = set(safetensors.numpy.load_file(weights))
        if name != "net":  # which uses a layer of one block in another
            checks.check(named == kept, f"{name}: parameters keep their names {sorted(named ^ kept)[:4]}")
        run_tool(export, "--weights", weights, "--onnx", again, "--overwrite")
        x = images((2, 3, size, size), 5, False)
        checks.close(OnnxRuntime(again)(x), OnnxRuntime(path)(x), f"{name}: exported again")


def test_round_trip(checks, tool, export, importer, folder):
    """Ours, to ONNX and back, with and without the metadata that describe the network."""
    weights, path, back = folder / "weights.safetensors", folder / "ours.onnx", folder / "back.safetensors"
    for name, size, classes, image in (("googlenet", "1x96x96", 10, "1x28x28"), ("googlenet_v3", "3x64x64", 10, "3x64x64"),
                                       ("googlenet_torchvision", "3x112x96", 10, "3x112x96"),
                                       ("googlenet_residual", "1x64x64", 10, "1x28x28"), ("resnet18", "3x64x48", 10, "3x64x48"),
                                       ("googlenet_v1", "3x112x96", 10, "3x112x96"), ("nin", "3x112x112", 10, "3x112x112"),
                                       ("custom", "3x45x39", 7, "3x60x39")):
        run_tool(tool, "weights", name, size, classes, image, weights)
        tensors = safetensors.numpy.load_file(weights)
        inference = {key: value for key, value in tensors.items() if not key.startswith("aux")}
        shape = tuple(int(extent) for extent in size.split("x"))
        x = images((2, *shape), 3, False)
        pixels = images((2, *(int(extent) for extent in image.split("x"))), 3, True)
        ours, of_pixels = our_logits(tool, weights, x, folder), our_logits(tool, weights, pixels, folder)
        for options in ((), ("--keep-batch-norm",), ("--preprocessing",), ("--preprocessing", "--keep-batch-norm", "--softmax")):
            what = " ".join((name, *options))
            run_tool(export, "--weights", weights, "--onnx", path, "--overwrite", *options)
            run_tool(importer, "--onnx", path, "--out", back, "--overwrite")
            metadata = description(back)
            folded = any("running_mean" in key for key in tensors) and "--keep-batch-norm" not in options
            if not folded:
                same = safetensors.numpy.load_file(back)
                checks.check(metadata == description(weights) and same.keys() == inference.keys() and
                             all((same[key] == inference[key]).all() for key in same), f"{what}: the same file again")
            else:
                known = {key: metadata[key] for key in ("class_names", "preprocessing")}
                checks.check(all(description(weights)[key] == text for key, text in known.items())
                             or "--preprocessing" in options, f"{what}: the same classes and preprocessing")
            checks.close(our_logits(tool, back, pixels, folder), of_pixels, f"{what}: logits of pixels")
            model = onnx.load(path)
            del model.metadata_props[:]
            onnx.save(model, path)
            run_tool(importer, "--onnx", path, "--out", back, "--overwrite")
            again = safetensors.numpy.load_file(back)
            lost = set(key for key in again if key not in inference and not key.endswith(".bias"))
            checks.check(not lost, f"{what}, from its nodes: parameters keep their names {sorted(lost)[:3]}")
            if "--preprocessing" in options:
                checks.close(our_logits(tool, back, pixels, folder), of_pixels, f"{what}, from its nodes")
            else:
                checks.close(our_logits(tool, back, x, folder), ours, f"{what}, from its nodes")


def test_tools(checks, tool, importer, train, evaluate, folder):
    """An imported network can be evaluated and fine-tuned."""
    path, weights, data = folder / "net.onnx", folder / "net.safetensors", folder / "data"
    torch.manual_seed(2)
    torch_export(randomize(Net()), path, 34)
    run_tool(importer, "--onnx", path, "--out", weights, "--overwrite", "--mean", "0.5", "--std", "0.25")
    preprocessing = json.loads(description(weights)["preprocessing"])
    checks.check(abs(preprocessing["scale"][0] - 1 / (255 * 0.25)) < 1e-8 and abs(preprocessing["shift"][0] + 2) < 1e-6,
                 "import: --mean and --std")
    random = numpy.random.default_rng(1)
    for label in range(10):
        (data / str(label)).mkdir(parents=True)
        for number in range(4):
            pixels = random.integers(0, 60, (34, 34, 3)) + 19 * label
            with open(data / str(label) / f"{number}.ppm", "wb") as file:
                file.write(b"P6 34 34 255\n" + pixels.astype(numpy.uint8).tobytes())
    said = run_tool(evaluate, "--weights", weights, "--data", f"folder:{data}", "--json")
    checks.check(json.loads(said)["samples"] == 40, "evaluate reads it")
    run_tool(train, "--init", weights, "--data", f"folder:{data}", "--test-fraction", "0.25", "--epochs", "12", "--lr", "0.001",
             "--batch-size", "8", "--out", folder / "run")
    tuned = run_tool(evaluate, "--weights", folder / "run" / "model.safetensors", "--data", f"folder:{data}", "--split", "train",
                     "--json")
    before = run_tool(evaluate, "--weights", weights, "--data", f"folder:{data}", "--json")
    checks.check(json.loads(tuned)["loss"] < 0.8 * json.loads(before)["loss"],
                 f"train --init lowers the loss from {json.loads(before)['loss']:.2f} to {json.loads(tuned)['loss']:.2f}")


def test_refusals(checks, importer, folder):
    path, weights = folder / "refused.onnx", folder / "refused.safetensors"
    for name, what in (("mobilenet_v2", "(Clip): this operator is not"),
                       ("densenet121", "(Conv): its output is read in several branches"),
                       ("shufflenet_v2_x0_5", "(Transpose): this operator is not")):
        torch.manual_seed(1)
        torch_export(getattr(torchvision.models, name)(weights=None).eval(), path, 224)
        said = refusal(importer, "--onnx", path, "--out", weights)
        checks.check(said.startswith(f"exit 1: import: {path}: node ") and what in said and "\n" not in said, f"{name}: {said}")
    checks.check(not weights.exists(), "nothing is written then")


def main():
    checks = Checks()
    tool, export, importer, train, evaluate = sys.argv[1:6]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        test_refusals(checks, importer, folder)
        test_tools(checks, tool, importer, train, evaluate, folder)
        test_round_trip(checks, tool, export, importer, folder)
        test_torch(checks, tool, export, importer, folder)
    checks.finish()


if __name__ == "__main__":
    main()
