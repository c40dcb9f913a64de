"""One training step of both GoogLeNets beside PyTorch: same weights, same images.

    test_step.py TOOL      TOOL is the program built from peer_tool.cpp

Compares logits and loss, the gradient of every parameter, running statistics after the step, logits of inference.
The yardstick is PyTorch in double:

- our `reference` in double must agree with it to rounding;
- our f32 must agree to 1e-3 per gradient where that can be asked for: a pre-activation closer to zero than f32 resolves
  falls on either side of its ReLU, and then a gradient jumps, in PyTorch's f32 as in ours. Batch norm makes millions of
  pre-activations around zero, so for it a small input is drawn until none of them is that close;
- at 96x96 most draws meet such a pre-activation, in one program or the other; there the draw that was spared counts: its
  gradient must be as close to PyTorch's double as PyTorch's own f32 is, within a factor, and the logits of every draw.
"""

import pathlib
import subprocess
import sys
import tempfile

from googlenet_torch import F, Checks, make, nn, numpy, relative, safetensors, state_of, torch

#        model, device, dtype, images, classes
CASES = [("googlenet", "reference", "f64", (2, 1, 96, 96), 10),
         ("googlenet_bn", "reference", "f64", (2, 1, 96, 96), 10),
         ("googlenet_bn", "reference", "f64", (3, 3, 40, 56), 7),
         ("googlenet", "cpu", "f32", (5, 3, 40, 56), 7),
         ("googlenet_bn", "cpu", "f32", (4, 3, 32, 48), 7),
         ("googlenet_bn", "reference", "f32", (4, 3, 32, 48), 7)]
RESOLVED = 3e-6  # a pre-activation further from zero than this has the same sign in f32


def torch_step(model, images, labels, classes, dtype):
    """Logits, loss, network with gradients, and the smallest pre-activation of a batch norm."""
    network = make(model, channels=images.shape[1], classes=classes).to(dtype).train()
    smallest = [float("inf")]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(
                lambda module, inputs, output: smallest.append(min(smallest.pop(), float(output.detach().abs().min()))))
    logits = network(images.to(dtype))
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return logits, loss, network, smallest[0]


def gradients_of(network):
    return {name: parameter.grad.numpy() for name, parameter in network.named_parameters()}


def flat(gradients):
    return numpy.concatenate([gradients[name].ravel().astype(numpy.float64) for name in sorted(gradients)])


def our_step(tool, model, device, dtype, images, labels, classes):
    """Our results, and the network that was given to us."""
    first = make(model, channels=images.shape[1], classes=classes)
    with tempfile.TemporaryDirectory() as folder:
        given, result = pathlib.Path(folder, "in.safetensors"), pathlib.Path(folder, "out.safetensors")
        safetensors.numpy.save_file({"images": images.numpy(), "labels": labels.int().numpy(),
                                     **state_of(first, "state.")}, given)
        subprocess.run([tool, "step", model, device, dtype, given, result], check=True, timeout=300)
        return safetensors.numpy.load_file(result), first


def our_gradients(results):
    return {name[5:]: value for name, value in results.items() if name.startswith("grad.")}


def check_full_size(tool, model, checks):
    """Draws until one was spared on our side and one on PyTorch's; an error of ours would spoil all draws alike."""
    ours, theirs, values = [], [], []
    labels = torch.tensor([3, 7])
    for seed in range(20):
        images = torch.rand((2, 1, 96, 96), generator=torch.Generator().manual_seed(seed))
        logits, _, network, _ = torch_step(model, images, labels, 10, torch.float64)
        logits_f32, _, network_f32, _ = torch_step(model, images, labels, 10, torch.float32)
        results, _ = our_step(tool, model, "cpu", "f32", images, labels, 10)
        exact = flat(gradients_of(network))
        theirs.append(relative(flat(gradients_of(network_f32)), exact))
        ours.append(relative(flat(our_gradients(results)), exact))
        values.append(relative(results["logits"], logits.detach().numpy()) /
                      relative(logits_f32.detach().numpy(), logits.detach().numpy()))
        if seed >= 2 and min(ours) <= 3 * min(theirs):
            break
    good = min(ours) <= 3 * min(theirs) and max(values) <= 5
    checks.failed += not good
    print(f"{'passed' if good else 'FAILED'}: f32 of {model} at 96x96, {len(ours)} draws: whole gradient {min(ours):.1e} from "
          f"PyTorch's double (PyTorch's f32 {min(theirs):.1e}), logits at most {max(values):.1f} times as far as its f32")


def main(tool):
    torch.set_num_threads(2)
    checks = Checks()
    for model in ("googlenet", "googlenet_bn"):
        check_full_size(tool, model, checks)
    for model, device, dtype, shape, classes in CASES:
        labels = torch.arange(shape[0]) % classes
        for seed in range(40):
            images = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
            logits, loss, network, smallest = torch_step(model, images, labels, classes, torch.float64)
            if dtype == "f64" or smallest > RESOLVED:
                break
        else:
            sys.exit("FAILED: no images without a pre-activation near zero were found")

        ours, first = our_step(tool, model, device, dtype, images, labels, classes)
        label = f"({model}, {device} {dtype}, {'x'.join(map(str, shape))})"
        values, per_gradient = (1e-10, 1e-7) if dtype == "f64" else (1e-4, 1e-3)
        kind = f"{dtype} "
        with torch.no_grad():
            inferred = first.double().eval()(images.double()).numpy()
        checks.close(kind + "inference logits", label, ours["inference_logits"], inferred, values)
        checks.close(kind + "logits", label, ours["logits"], logits.detach().numpy(), values)
        checks.close(kind + "loss", label, ours["loss"], loss.detach().numpy(), values)
        for name, value in state_of(network).items():
            if "running" in name:
                checks.close(kind + "statistic", f"{name} {label}", ours["state." + name], value, values)

        theirs = gradients_of(network)
        mine = our_gradients(ours)
        assert mine.keys() == theirs.keys()
        for name, gradient in theirs.items():
            checks.close(kind + "gradient", f"{name} {label}", mine[name], gradient, per_gradient)
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1])
