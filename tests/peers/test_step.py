"""One training step of both GoogLeNets beside PyTorch: same weights, same images.

    test_step.py TOOL      TOOL is the program built from peer_tool.cpp

Compares logits and loss, the gradient of every parameter, running statistics after the step, logits of inference.
The yardstick is PyTorch in double:

- our `reference` in double must agree with it to rounding;
- our f32 must agree to 1e-3 per gradient where that can be asked for: a pre-activation closer to zero than f32 resolves
  falls on either side of its ReLU, and then a gradient jumps, in PyTorch's f32 as in ours. Batch norm makes millions of
  pre-activations around zero, so for it a small input is drawn until none of them is that close;
- at 96x96 the gradient as a whole must be as close as PyTorch's own f32 is, within a factor.
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
         ("googlenet", "cpu", "f32", (6, 1, 96, 96), 10),
         ("googlenet", "cpu", "f32", (5, 3, 40, 56), 7),
         ("googlenet_bn", "cpu", "f32", (4, 3, 32, 48), 7),
         ("googlenet_bn", "reference", "f32", (4, 3, 32, 48), 7),
         ("googlenet_bn", "cpu", "f32", (6, 1, 96, 96), 10)]
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


def main(tool):
    torch.set_num_threads(2)
    checks = Checks()
    for model, device, dtype, shape, classes in CASES:
        small = model == "googlenet_bn" and dtype == "f32" and shape[2] < 96
        labels = torch.arange(shape[0]) % classes
        for seed in range(40):
            images = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
            logits, loss, network, smallest = torch_step(model, images, labels, classes, torch.float64)
            if not small or smallest > RESOLVED:
                break
        else:
            sys.exit("FAILED: no images without a pre-activation near zero were found")

        with tempfile.TemporaryDirectory() as folder:
            given, result = pathlib.Path(folder, "in.safetensors"), pathlib.Path(folder, "out.safetensors")
            first = make(model, channels=shape[1], classes=classes)
            safetensors.numpy.save_file({"images": images.numpy(), "labels": labels.int().numpy(),
                                         **state_of(first, "state.")}, given)
            subprocess.run([tool, "step", model, device, dtype, given, result], check=True, timeout=300)
            ours = safetensors.numpy.load_file(result)

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
        mine = {name[5:]: value for name, value in ours.items() if name.startswith("grad.")}
        assert mine.keys() == theirs.keys()
        if dtype == "f32" and shape[2] == 96:
            single = gradients_of(torch_step(model, images, labels, classes, torch.float32)[2])
            theirs_f32 = relative(flat(single), flat(theirs))
            print(f"{label}: PyTorch's own f32 gradient is {theirs_f32:.1e} from its double")
            checks.close("f32 whole gradient", label, flat(mine), flat(theirs), 5 * theirs_f32 + 1e-5)
        else:
            for name, gradient in theirs.items():
                checks.close(kind + "gradient", f"{name} {label}", mine[name], gradient, per_gradient)
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1])
