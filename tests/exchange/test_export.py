"""Exports every model of the registry and a custom network; compares ONNX Runtime and OpenVINO with our logits.

    test_export.py EXCHANGE_TOOL EXPORT

Each file passes ONNX's checker with strict shape inference. Batches of 1 and 3, with and without preprocessing.
"""

import json
import pathlib
import sys
import tempfile

from onnx_peers import RUNTIMES, Checks, images, numpy, onnx, our_logits, refusal, run_tool, safetensors, spread

# (C, H, W) of the input, classes and size of the training images. Sizes keep pooled maps uneven and the test short.
SIZES = {"alexnet": ("3x96x80", 10, "3x50x70"), "custom": ("3x45x39", 7, "3x60x39"),
         "googlenet": ("1x96x96", 10, "1x28x28"), "googlenet_cifar": ("3x32x32", 10, "3x32x32"),
         "googlenet_native": ("1x28x28", 10, "1x28x28"), "googlenet_torchvision": ("3x112x96", 12, "3x150x130"),
         "googlenet_v1": ("3x112x96", 12, "3x112x96"), "nin": ("3x112x112", 10, "3x112x112"),
         "vgg11": ("3x40x40", 10, "3x32x32"), "vgg11_small": ("1x96x64", 10, "1x28x28")}
USUAL = ("1x80x96", 10, "1x28x28")


def extents(text):
    return tuple(int(word) for word in text.split("x"))


def check_file(checks, path, what):
    onnx.checker.check_model(str(path), full_check=True)
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)
    known = {value.name for value in inferred.graph.value_info if value.type.tensor_type.shape.dim}
    unknown = [node.name for node in inferred.graph.node if node.output[0] not in known][:-1]
    checks.check(not unknown, f"{what}: passes the checker; all shapes are inferred ({len(inferred.graph.node)} nodes)")
    return inferred


def softmax(logits):
    powers = numpy.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def compare(checks, tool, weights, path, shape, what, pixels=False, probabilities=False):
    runtimes = [runtime(path) for runtime in RUNTIMES]
    for batch in (1, 3):
        x = images((batch, *shape), batch, pixels)
        ours = our_logits(tool, weights, x, weights.parent)
        if batch > 1:
            checks.check(spread(ours) >= 0.05, f"{what}: logits depend on the image ({spread(ours):.2f})")
        if probabilities:
            ours = softmax(ours)
            checks.check(ours.max() < 0.9, f"{what}: no class has nearly all of the probability ({ours.max():.2f})")
        for runtime in runtimes:
            checks.close(runtime(x), ours, f"{what}, batch {batch}: {runtime.name}")


def test_model(checks, tool, export, name, folder):
    size, classes, image = SIZES.get(name, USUAL)
    weights, path = folder / "weights.safetensors", folder / "model.onnx"
    run_tool(tool, "weights", name, size, classes, image, weights)
    named = safetensors.numpy.load_file(weights)

    run_tool(export, "--weights", weights, "--onnx", path, "--overwrite")
    model = check_file(checks, path, name)
    initializers = {tensor.name for tensor in model.graph.initializer}
    lost = [key for key in named if key.endswith(".weight") and not key.startswith("aux") and named[key].ndim > 1 and
            key not in initializers]
    checks.check(not lost, f"{name}: weights keep their names {lost[:3]}")
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    checks.check(metadata["minception.model"]["classes"] == classes and len(metadata["minception.class_names"]) == classes
                 and "scale" in metadata["minception.preprocessing"], f"{name}: metadata")
    compare(checks, tool, weights, path, extents(size), name)

    run_tool(export, "--weights", weights, "--onnx", path, "--overwrite", "--preprocessing")
    check_file(checks, path, f"{name} with preprocessing")
    compare(checks, tool, weights, path, extents(image), f"{name} with preprocessing", pixels=True)

    if any("running_mean" in key for key in named):
        run_tool(export, "--weights", weights, "--onnx", path, "--overwrite", "--keep-batch-norm")
        model = check_file(checks, path, f"{name} with BatchNorm")
        kept = {tensor.name for tensor in model.graph.initializer}
        checks.check(all(key in kept for key in named if not key.startswith("aux")), f"{name}: all parameters are kept")
        compare(checks, tool, weights, path, extents(size), f"{name} with BatchNorm")


def test_softmax(checks, tool, export, folder):
    weights, path = folder / "weights.safetensors", folder / "model.onnx"
    run_tool(tool, "weights", "custom", "3x45x39", 7, "3x60x39", weights)
    run_tool(export, "--weights", weights, "--onnx", path, "--overwrite", "--preprocessing", "--softmax")
    model = check_file(checks, path, "softmax")
    checks.check([model.graph.input[0].name, model.graph.output[0].name] == ["image", "probabilities"],
                 "softmax: names of input and output")
    compare(checks, tool, weights, path, (3, 60, 39), "softmax", pixels=True, probabilities=True)


def test_refusals(checks, tool, export, folder):
    weights, path = folder / "weights.safetensors", folder / "refused.onnx"
    run_tool(tool, "weights", "googlenet_native", "1x28x28", 10, "1x28x28", weights)
    for words, message in ((("--weights", folder / "none.safetensors", "--onnx", path), "none.safetensors: "),
                           (("--weights", weights, "--onnx", weights), "weights.safetensors: already exists; "),
                           (("--weights", weights, "--onnx", folder / "no" / "x.onnx"), "no/x.onnx")):
        said = refusal(export, *words)
        checks.check(said.startswith("exit 1: export: ") and message in said and "\n" not in said, said)
    checks.check(not path.exists(), "nothing is written then")


def main():
    checks = Checks()
    tool, export = sys.argv[1], sys.argv[2]
    names = run_tool(tool, "models").split() + ["custom"]
    checks.check(len(names) >= 14 and set(SIZES) <= set(names), f"{len(names)} models")
    only = sys.argv[3:]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in only or names:
            test_model(checks, tool, export, name, folder)
        test_softmax(checks, tool, export, folder)
        test_refusals(checks, tool, export, folder)
    checks.finish()


if __name__ == "__main__":
    main()
