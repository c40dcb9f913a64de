"""Compares state dicts of torchvision's googlenet and resnet18 in predict and train with torchvision.

    test_state_dict.py PREDICT      PREDICT is the executable; train is in the same folder

The weights are random, but their logits depend on the image (`sensitive`), which is checked. Compares the logits of
predict for both values of transform_input, with and without auxiliary classifiers, in several precisions, with
prefixes, and after converting a torch.save file by the command in predict's error message. Then train starts from such
weights.
"""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

from googlenet_torch import Checks, numpy, sensitive, torch

try:
    import torchvision
    from safetensors.torch import load_file, save_file
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torchvision")
    sys.exit(77)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZATION = ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, DEVIATION))]
MODEL = ["--model", "googlenet_torchvision", *NORMALIZATION]


def googlenet(classes, auxiliary, transform, size):
    torch.manual_seed(classes)
    network = torchvision.models.googlenet(num_classes=classes, aux_logits=auxiliary, transform_input=transform,
                                           init_weights=False)
    return sensitive(network, normalized(random_pixels(1, 8, size)).float()).eval()


def random_pixels(seed, count, size):
    return numpy.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=numpy.uint8)


def normalized(pixels):
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255.0
    return (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)


def write_images(folder, pixels):
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for i, image in enumerate(pixels):
        files.append(str(folder / f"{i}.ppm"))
        pathlib.Path(files[-1]).write_bytes(b"P6 %d %d 255\n" % image.shape[1::-1] + image.tobytes())
    return files


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


class Comparison:
    def __init__(self, predict, folder, checks):
        self.predict, self.folder, self.checks = predict, folder, checks
        self.file = folder / "googlenet.safetensors"

    def logits(self, name, network, size, *options, dtype=torch.float32, model=MODEL):
        """Compares logits of the weights in `file` with those of `network` rounded to `dtype`."""
        pixels = random_pixels(size, 2, size)
        done = run(self.predict, "--weights", self.file, *model, "--json", "--device", "cpu", "--image-size", size,
                   *options, *write_images(self.folder, pixels))
        if done.returncode != 0:
            return self.checks.fail(f"{name}: predict: {done.stderr}")
        ours = numpy.array([entry["logits"] for entry in json.loads(done.stdout)])
        network = network.to(dtype).double()
        with torch.no_grad():
            theirs, of_others = (network(normalized(x)).numpy() for x in (pixels, random_pixels(size + 1, 2, size)))
        self.checks.close("logits", name, ours, theirs, 1e-4, of_others)


def check_prefixes_and_precisions(compare, network):
    tensors = network.state_dict()
    for prefix in ("module.", "_orig_mod.", "model.net."):
        save_file({prefix + name: tensor for name, tensor in tensors.items()}, compare.file)
        compare.logits(f"prefix {prefix}", network, 96)
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        rounded = googlenet(7, False, True, 96).to(dtype)
        save_file(rounded.state_dict(), compare.file)
        compare.logits(str(dtype), rounded, 96, dtype=dtype)


def check_conversion(compare, network):
    """predict rejects a torch.save file with a conversion command, and accepts the converted file."""
    for old in (False, True):
        saved = compare.folder / "googlenet.pth"
        compare.file.unlink()
        torch.save(network.state_dict(), saved, _use_new_zipfile_serialization=not old)
        done = run(compare.predict, "--weights", saved, *MODEL, saved)
        command = re.search(r'python3 -c "(.*)"$', done.stderr.strip())
        if done.returncode != 1 or done.stderr.count("\n") != 1 or not command:
            return compare.checks.fail(f"a torch.save file gives the wrong message: {done.stderr}")
        run(sys.executable, "-c", command[1])
        compare.logits("converted from " + ("a pickle" if old else "a zip file"), network, 96)


def check_resnet(compare):
    for size in (64, 28):
        torch.manual_seed(size)
        network = torchvision.models.resnet18(weights=None, num_classes=7)
        network = sensitive(network, normalized(random_pixels(1, 8, size)).float()).eval()
        save_file(network.state_dict(), compare.file)
        compare.logits(f"resnet18, {size}x{size}", network, size, model=["--model", "resnet18", *NORMALIZATION])


def check_training(compare, network):
    """Frozen weights are exported unchanged; auxiliary classifiers that the file lacks are initialised, not zero."""
    given = network.state_dict()
    save_file(given, compare.file)
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            write_images(compare.folder / "pets" / part / name, random_pixels(label, count, 64))
    done = run(compare.predict.with_name("train"), "--init", compare.file, "--reset-head", 2, *MODEL, "--image-size", 64,
               "--data", f"folder:{compare.folder / 'pets'}", "--freeze", "conv,inception", "--epochs", 1, "--batch-size", 8,
               "--lr", 0.01, "--out", compare.folder / "run")
    if done.returncode != 0:
        return compare.checks.fail(f"train --init: {done.stderr}")
    trained = load_file(compare.folder / "run" / "model.safetensors")
    for name, tensor in given.items():
        frozen = not name.startswith("fc.") and not name.endswith("num_batches_tracked")
        if frozen and not torch.equal(trained[name], tensor):
            compare.checks.fail(f"train --init: {name} differs from the file")
    if trained["fc.weight"].shape != (2, 1024) or not all(trained[f"aux{i}.conv.conv.weight"].std() > 0.01 for i in (1, 2)):
        compare.checks.fail("train --init: the heads were not initialized")


def main(predict):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        compare = Comparison(pathlib.Path(predict), pathlib.Path(name), checks)
        for transform, auxiliary in itertools.product((True, False), (True, False)):
            size, classes = (224, 1000) if transform and auxiliary else (96, 7)
            network = googlenet(classes, auxiliary, transform, size)
            save_file(network.state_dict(), compare.file)
            compare.logits(f"transform_input={transform}, aux_logits={auxiliary}, {size}x{size}", network, size,
                           *([] if transform else ["--no-transform-input"]))
        check_resnet(compare)
        network = googlenet(7, False, True, 96)
        check_prefixes_and_precisions(compare, network)
        check_conversion(compare, network.float())
        check_training(compare, network.float())
    checks.finish()


if __name__ == "__main__":
    main(sys.argv[1])
