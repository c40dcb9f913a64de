"""Runs ONNX's own tests of operators (in the package onnx) through import, on reference and cpu.

    test_nodes.py EXCHANGE_TOOL IMPORT [--write]

Tests of other operators are left out. skipped_nodes.txt lists the tests that cannot run, each with its reason, which must be
what the importer says: an entry that would pass, or for another reason, is an error. --write writes that file.

A network has one input, images, and yields (N, classes). So inputs after the first become constants, except for Concat, whose
inputs become channels of one image, from which 1x1 convolutions take them; inputs of other ranks get axes of extent 1, and the
output is flattened.
"""

import pathlib
import re
import sys
import tempfile

from onnx_peers import Checks, numpy, onnx, our_logits, refusal, relative, run_tool
from onnx import helper, numpy_helper

SKIPPED = pathlib.Path(__file__).with_name("skipped_nodes.txt")
FOLDERS = ("node", "simple", "pytorch-converted", "pytorch-operator")
TOLERANCE = 2e-5
ROUNDED = {"node/test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-3}  # the expected values have four digits
ELEMENTWISE = {"Add", "Sum", "Sub", "Mul", "Div", "Relu", "Gelu", "Erf", "Identity", "Dropout", "Cast", "Constant"}


class Refused(Exception):
    """A test that has no form as a network."""


def supported(importer, folder):
    """The operators that the importer's own message lists."""
    path = folder / "unknown.onnx"
    image = helper.make_tensor_value_info("x", 1, ["N", 1, 1, 1])
    graph = helper.make_graph([helper.make_node("Unknown", ["x"], ["y"])], "g", [image],
                              [helper.make_tensor_value_info("y", 1, ["N", 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return set(re.search(r"supported are (.*)$", refusal(importer, "--onnx", path, "--out", folder / "x"))[1].split(", "))


def read_tensor(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def test_data(folder):
    """Inputs and outputs of the first data set."""
    data = folder / "test_data_set_0"
    try:
        return [[read_tensor(data / f"{kind}_{i}.pb") for i in range(len(list(data.glob(f"{kind}_*.pb"))))]
                for kind in ("input", "output")]
    except Exception as error:  # sequences and optional values
        raise Refused("its data are no tensors") from error


def concat_as_channels(graph, arrays):
    """Replaces the inputs of a Concat by convolutions that take them from one image."""
    axis = next((attribute.i for attribute in graph.node[0].attribute if attribute.name == "axis"), 1)
    rank = arrays[0].ndim
    axis += rank if axis < 0 else 0
    if axis + 4 - rank == 1:
        shape = lambda array: (1,) * (4 - rank) + array.shape  # noqa: E731
    elif axis == 1 and rank < 4:
        shape = lambda array: array.shape + (1,) * (4 - rank)  # noqa: E731
    else:
        raise Refused(f"joins along axis {axis} of {rank}, which cannot be that of channels")
    arrays = [array.reshape(shape(array)) for array in arrays]
    names = list(graph.node[0].input)
    for attribute in graph.node[0].attribute:
        attribute.i = 1
    channels = sum(array.shape[1] for array in arrays)
    begin = 0
    for i, (name, array) in enumerate(zip(names, arrays)):
        weights = numpy.zeros((array.shape[1], channels, 1, 1), numpy.float32)
        for c in range(array.shape[1]):
            weights[c, begin + c] = 1.0
        begin += array.shape[1]
        graph.initializer.append(numpy_helper.from_array(weights, f"take{i}.weight"))
        graph.node.insert(i, helper.make_node("Conv", ["image", f"take{i}.weight"], [name]))
    return numpy.concatenate(arrays, 1)


def as_network(model, arrays, expected):
    """Changes the model as described above; returns the images and the expected logits."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(graph.output) != 1:
        raise Refused(f"has {len(graph.output)} outputs")
    if len(inputs) == 0 or len(arrays) != len(inputs):
        raise Refused("has no input")
    for array in arrays[:1] + [expected]:
        if array.dtype != numpy.float32:
            raise Refused(f"holds {array.dtype}, not f32")
    operators = {node.op_type for node in graph.node}
    image = arrays[0]
    del graph.input[:]
    name = inputs[0].name
    if operators == {"Concat"}:
        image = concat_as_channels(graph, arrays)
        name = "image"
    else:
        for value, array in zip(inputs[1:], arrays[1:]):
            graph.initializer.append(numpy_helper.from_array(array, value.name))
        if image.ndim == 2:
            image = image[:, :, None, None]
            graph.node.insert(0, helper.make_node("Flatten", ["image"], [name]))
            name = "image"
        elif image.ndim < 4 and operators <= ELEMENTWISE:
            image = image.reshape((1,) * (4 - image.ndim) + image.shape)
    if image.ndim != 4 or image.size == 0:
        raise Refused(f"its input has the shape {list(arrays[0].shape)}")
    graph.input.append(helper.make_tensor_value_info(name, 1, ["N", *image.shape[1:]]))
    output = graph.output[0].name
    expected = expected.reshape(image.shape[0], -1) if expected.size % image.shape[0] == 0 else expected
    del graph.output[:]
    if "Softmax" not in operators:
        graph.node.append(helper.make_node("Flatten", [output], ["logits"]))
        output = "logits"
    graph.output.append(helper.make_tensor_value_info(output, 1, ["N", expected.shape[-1]]))
    return image, expected


def run(test, tool, importer, folder):
    """None if the test passes, or why it does not; a wrong result is an exception."""
    try:
        model = onnx.load(test / "model.onnx")
        arrays, outputs = test_data(test)
        if len(outputs) != 1:
            raise Refused(f"has {len(outputs)} outputs")
        softmax = model.graph.node[-1].op_type == "Softmax"
        image, expected = as_network(model, arrays, outputs[0])
    except Refused as error:
        return str(error)
    path, weights = folder / "test.onnx", folder / "test.safetensors"
    onnx.save(model, path)
    said = refusal(importer, "--onnx", path, "--out", weights, "--overwrite")
    if not said.startswith("exit 0"):
        return re.sub(r"; supported are .*", "", said.removeprefix(f"exit 1: import: {path}: "))
    for device in ("reference", "cpu"):
        ours = our_logits(tool, weights, numpy.ascontiguousarray(image), folder, device)
        if softmax:
            powers = numpy.exp(ours - ours.max(1, keepdims=True))
            ours = powers / powers.sum(1, keepdims=True)
        error = relative(ours, expected)
        if not error <= ROUNDED.get(f"{test.parent.name}/{test.name}", TOLERANCE):
            raise AssertionError(f"{device}: {error:.1e} of the norm")
    return None


def main():
    tool, importer = sys.argv[1:3]
    checks = Checks()
    listed = dict(line.split(": ", 1) for line in SKIPPED.read_text().splitlines() if line and not line.startswith("#"))
    data = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
    skipped, passed = {}, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        operators = supported(importer, folder)
        for test in sorted(path for kind in FOLDERS for path in (data / kind).iterdir() if (path / "model.onnx").is_file()):
            name = f"{test.parent.name}/{test.name}"
            graph = onnx.load(test / "model.onnx", load_external_data=False).graph
            if not {node.op_type for node in graph.node} <= operators or any(node.domain for node in graph.node):
                continue
            try:
                reason = run(test, tool, importer, folder)
            except AssertionError as error:
                checks.check(False, f"{name}: {error}")
                continue
            if reason is not None:
                skipped[name] = reason
            passed += reason is None
            expected = listed.pop(name, None)
            checks.check(reason == expected, f"{name}: {'passes' if reason is None else 'skipped: ' + reason}" +
                         ("" if reason == expected else f"; {SKIPPED.name} says: {expected}"))
    for name in listed:
        checks.check(False, f"{name}: {SKIPPED.name} lists it, but there is no such test")
    print(f"{passed} tests pass, {len(skipped)} are skipped")
    checks.check(passed >= 50, "most operators have a test that passes")
    if "--write" in sys.argv:
        begin = [line for line in SKIPPED.read_text().splitlines() if line.startswith("#")]
        SKIPPED.write_text("\n".join(begin + [f"{name}: {reason}" for name, reason in skipped.items()]) + "\n")
    checks.finish()


if __name__ == "__main__":
    main()
