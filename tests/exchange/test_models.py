"""Imports the networks that come with ONNX and ONNX Runtime, and compares results with ONNX Runtime's.

    test_models.py EXCHANGE_TOOL EXPORT IMPORT

The package onnx has the graphs of well-known networks, with constants of one value as weights (onnx/backend/test/data/light),
and onnxruntime has three small files (onnxruntime/datasets). OUTCOMES lists all of them.

Each network is compared twice: as it is, and with random weights, with which its logits depend on the image.
"""

import pathlib
import sys
import tempfile

from onnx_peers import TOLERANCE, OnnxRuntime, Checks, images, numpy, onnx, onnxruntime, our_logits, refusal, run_tool, spread
from onnx import numpy_helper

LEAST_SPREAD = 100 * TOLERANCE  # so that an error of 1 % in what depends on the image is noticed
IMPORTS = ""
OUTCOMES = {  # IMPORTS, or how the importer's message begins
    "light_bvlc_alexnet": "node n4 (Conv): has 2 groups; only one is supported",
    "light_densenet121": IMPORTS,
    "light_inception_v1": IMPORTS,
    "light_inception_v2": IMPORTS,
    "light_resnet50": IMPORTS,
    "light_shufflenet": "node n8 (Transpose): this operator is not supported; supported are ",
    "light_squeezenet": IMPORTS,
    "light_vgg19": IMPORTS,
    "light_zfnet512": IMPORTS,
    "logreg_iris": "node LinearClassifier (LinearClassifier): operators of the domain ai.onnx.ml are not supported",
    "mul_1": "the input X has 2 axes; images (N, C, H, W) are needed",
    "sigmoid": "node 0 (Sigmoid): this operator is not supported; supported are ",
}


def model_files():
    folders = [pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light",
               pathlib.Path(onnxruntime.__file__).parent / "datasets"]
    return sorted((path for folder in folders for path in folder.glob("*.onnx")), key=lambda path: path.name)


def softmax(logits):
    powers = numpy.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def reader_of(graph, name):
    """The node that reads a constant, and the number of its input; Reshape and Unsqueeze of the constant are passed."""
    node, index = next((node, list(node.input).index(name)) for node in graph.node if name in node.input)
    return reader_of(graph, node.output[0]) if node.op_type in ("Reshape", "Unsqueeze") and index == 0 else (node, index)


def values_for(random, reader, index, shape):
    """Random values for an input of a node."""
    op = reader.op_type
    if op in ("Conv", "Gemm") and index == 1:
        transposed = any(attribute.name == "transB" and attribute.i for attribute in reader.attribute)
        inputs = shape[0] if op == "Gemm" and not transposed else numpy.prod(shape[1:])
        weights = random.standard_normal(shape, numpy.float32) * numpy.float32((2.0 / inputs) ** 0.5)
        # Without the mean over the inputs, which deep networks would amplify until all images have the same logits.
        return weights - weights.mean(tuple(range(1, len(shape))), keepdims=True) if op == "Conv" else weights
    scales = (op == "BatchNormalization" and index in (1, 4)) or op == "Mul"
    return (random.uniform(0.7, 1.3, shape) if scales else random.normal(0.0, 0.02, shape)).astype(numpy.float32)


def with_random_weights(model):
    """Replaces the nodes ConstantOfShape by random initializers, and yields logits instead of probabilities."""
    graph = model.graph
    sizes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    random = numpy.random.default_rng(1)
    made = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    for node in made:
        reader, index = reader_of(graph, node.output[0])
        values = values_for(random, reader, index, tuple(int(extent) for extent in sizes[node.input[0]]))
        graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        graph.node.remove(node)
    if graph.node[-1].op_type == "Softmax":
        graph.output[0].name = graph.node[-1].input[0]
        del graph.node[-1]
    return model


def of_runtime(path, batch):
    """The files fix the batch to one image."""
    session = OnnxRuntime(path)
    return numpy.concatenate([session(batch[i:i + 1]).reshape(1, -1) for i in range(len(batch))])


def compare(checks, name, source, tools, folder):
    tool, export, importer = tools
    weights, path = folder / "model.safetensors", folder / "model.onnx"
    shape = next([axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in onnx.load(source).graph.input
                 if len(value.type.tensor_type.shape.dim) == 4)
    batch = images((2, *shape[1:]), 5, False)
    run_tool(importer, "--onnx", source, "--out", weights, "--overwrite")
    ends_in_softmax = onnx.load(source).graph.node[-1].op_type == "Softmax"
    ours = our_logits(tool, weights, batch, folder)
    checks.close(softmax(ours) if ends_in_softmax else ours, of_runtime(source, batch), f"{name}, as it is")

    onnx.save(with_random_weights(onnx.load(source)), path)
    run_tool(importer, "--onnx", path, "--out", weights, "--overwrite")
    ours, theirs = our_logits(tool, weights, batch, folder), of_runtime(path, batch)
    checks.check(spread(theirs) >= LEAST_SPREAD, f"{name}: logits of two images differ by {spread(theirs):.2f} of their norm")
    checks.close(ours, theirs, f"{name}, random weights")
    run_tool(export, "--weights", weights, "--onnx", path, "--overwrite")
    checks.close(OnnxRuntime(path)(batch), theirs, f"{name}, exported again")


def main():
    checks = Checks()
    tools = sys.argv[1:4]
    files = model_files()
    checks.check([path.stem for path in files] == sorted(OUTCOMES), f"the packages have the {len(OUTCOMES)} files of OUTCOMES")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for source in files:
            outcome, weights = OUTCOMES.get(source.stem), folder / "refused.safetensors"
            if outcome == IMPORTS:
                compare(checks, source.stem, source, tools, folder)
                continue
            said = refusal(tools[2], "--onnx", source, "--out", weights).removeprefix(f"exit 1: import: {source}: ")
            expected = outcome is not None and said.startswith(outcome) and "\n" not in said and not weights.exists()
            checks.check(expected, f"{source.stem} does not fit: {said}" + ("" if expected else f"; expected: {outcome}"))
    checks.finish()


if __name__ == "__main__":
    main()
