"""predict on a state dict of torchvision's googlenet beside torchvision itself: logits of the same images.

    test_state_dict.py PREDICT      PREDICT is the program

The weights are random; the file that holds them is written here, with nothing in it but tensors, as the package safetensors
writes a state dict.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    import torchvision
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-torchvision")
    sys.exit(77)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def write_tensors(path, tensors):
    names = {torch.float32: "F32", torch.int64: "I64"}
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def random_googlenet(classes, auxiliary):
    torch.manual_seed(classes)
    model = torchvision.models.googlenet(num_classes=classes, aux_logits=auxiliary, transform_input=True,
                                         init_weights=False)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.0, 0.3)
                module.running_mean.normal_(0.0, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def main(predict):
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for classes, auxiliary, size in ((1000, True, 224), (7, False, 96)):
            model = random_googlenet(classes, auxiliary)
            write_tensors(folder / "googlenet.safetensors", model.state_dict())
            pixels = numpy.random.default_rng(size).integers(0, 256, (2, size, size, 3), dtype=numpy.uint8)
            files = []
            for i, image in enumerate(pixels):
                files.append(str(folder / f"{i}.ppm"))
                pathlib.Path(files[-1]).write_bytes(f"P6 {size} {size} 255\n".encode() + image.tobytes())
            command = [predict, "--weights", str(folder / "googlenet.safetensors"), "--model", "googlenet_torchvision",
                       "--mean", ",".join(map(str, MEAN)), "--deviation", ",".join(map(str, DEVIATION)), "--json",
                       "--device", "cpu"]
            if size != 224:  # the model's own
                command += ["--image-size", str(size)]
            run = subprocess.run(command + files, capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(f"predict failed: {run.stderr}")
            ours = numpy.array([entry["logits"] for entry in json.loads(run.stdout)])
            with torch.no_grad():
                images = torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255.0
                images = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)
                theirs = model.double()(images).numpy()
            off = numpy.linalg.norm(ours - theirs) / numpy.linalg.norm(theirs)
            good = ours.shape == theirs.shape and off < 1e-4  # False for NaN
            failed = failed or not good
            print(f"{'' if good else 'FAILED: '}{classes} classes, auxiliary classifiers "
                  f"{'in the file' if auxiliary else 'missing'}, {size}x{size}: logits differ by {off:.1e}")
    sys.exit(1 if failed else 0)


main(sys.argv[1])
