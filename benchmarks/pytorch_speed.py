#!/usr/bin/env python3
"""Times whole training steps and inferences of GoogLeNet in PyTorch, as step_speed does for Minception.

From gathering a batch out of images stored on the device as bytes, through resize, forward and backward pass, to the
optimizer.

    pytorch_speed.py [--device cuda] [--model googlenet] [--mode train] [--compute bf16] [--variants LIST] [--json FILE]

A variant selects how PyTorch executes the work, with modifiers after "+":

    eager                    operation by operation
    graph                    cuda: the whole step, optimizer included, captured as one CUDA graph and replayed
    compile:MODE             torch.compile with that mode: default, reduce-overhead, max-autotune
    jit, jit:onednn          cpu, infer: traced and optimised for inference; jit:onednn with oneDNN's fusions
    compile:freeze           infer: torch.compile with the weights as constants, batch norm folded
    +graph                   after compile:default: the compiled code and the optimizer are captured as one graph
    +contiguous              images are NCHW in memory instead of channels-last

A variant that fails, or that this PyTorch or device does not support, is recorded with the reason; the others still
run. The result is written after each variant. All differences from step_speed favour PyTorch: it does not count correct
predictions, and its bf16 inference has bf16 weights. Needs PyTorch 1.13 or later and nothing else.
"""

import argparse
import gzip
import inspect
import json
import os
import pathlib
import statistics
import struct
import sys
import time

PARAMETERS = {"googlenet": 5977530, "googlenet_bn": 5984810}  # for one channel and ten classes


def default_variants(device, mode):
    """Variants worth measuring, fastest to prepare first."""
    if device == "cuda":
        return ["graph", "eager", "compile:default+graph", "compile:reduce-overhead", "compile:default",
                "compile:max-autotune"]
    if mode == "train":
        return ["eager", "compile:default"]
    return ["eager", "jit", "jit:onednn", "compile:default", "compile:freeze"]


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", default="googlenet", choices=sorted(PARAMETERS))
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--channels", type=int, default=1, help="channels of synthetic images")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--mode", default="train", choices=["train", "infer"])
    parser.add_argument("--compute", default="f32", choices=["f32", "tf32", "bf16"])
    parser.add_argument("--threads", type=int, default=0, help="cpu: number of threads (0: PyTorch's default)")
    parser.add_argument("--data", default="synthetic", choices=["synthetic", "fashion-mnist"])
    parser.add_argument("--data-dir", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--images", type=int, default=10000, help="number of synthetic images")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--nesterov", action="store_true")
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--warmup", type=int, default=3, help="minimum warm-up steps before timing; warm-up lasts at "
                        "least half of --seconds")
    parser.add_argument("--steps", type=int, default=0, help="steps per repetition (0: derived from --seconds)")
    parser.add_argument("--seconds", type=float, default=1.0, help="approximate duration of a repetition")
    parser.add_argument("--repetitions", type=int, default=5, help="number of repetitions; the median is reported")
    parser.add_argument("--variants", help="comma-separated variants (default: those suited to the device and mode)")
    parser.add_argument("--parameters", type=int, help="expected parameter count")
    parser.add_argument("--budget", type=float, default=480, help="seconds after which no further variant starts")
    parser.add_argument("--turns", action="store_true", help="wait for a line on stdin before each repetition; exit at "
                        "end of input; one variant only")
    parser.add_argument("--json", help="also write the result to this file")
    return parser.parse_args()


class Unavailable(Exception):
    """Not supported by this PyTorch or this device."""


def read_idx(path):
    """Values and dimensions of an IDX file of bytes."""
    opened = gzip.open(str(path) + ".gz") if pathlib.Path(str(path) + ".gz").exists() else open(path, "rb")
    with opened as file:
        content = file.read()
    rank = content[3]
    return torch.frombuffer(bytearray(content[4 + 4 * rank:]), dtype=torch.uint8).view(
        struct.unpack(f">{rank}I", content[4:4 + 4 * rank]))


class Images:
    """All images and labels on the device, and an order that is reshuffled in each epoch."""

    def __init__(self, o):
        if o.data == "synthetic":
            torch.manual_seed(1)
            self.images = torch.randint(0, 256, (o.images, o.channels, 28, 28), dtype=torch.uint8)
            self.labels = torch.randint(0, o.classes, (o.images,))
        else:
            folder = pathlib.Path(o.data_dir)
            self.images = read_idx(folder / "train-images-idx3-ubyte").unsqueeze(1)
            self.labels = read_idx(folder / "train-labels-idx1-ubyte").long()
        self.images, self.labels = self.images.to(o.device), self.labels.to(o.device)
        self.batch, self.position = o.batch, len(self.images)

    def next(self):
        """Indices of the next full batch."""
        if self.position + self.batch > len(self.images):
            self.order, self.position = torch.randperm(len(self.images), device=self.images.device), 0
        self.position += self.batch
        return self.order[self.position - self.batch:self.position]


def make_optimizer(parameters, o):
    """SGD with the fewest kernel launches that this PyTorch and device support."""
    known = inspect.signature(torch.optim.SGD).parameters
    for way in ({"fused": True}, {"foreach": True}, {}):
        if not set(way) <= set(known):
            continue
        try:
            return torch.optim.SGD(parameters, lr=o.lr, momentum=o.momentum, nesterov=o.nesterov,
                                   weight_decay=o.weight_decay, **way), next(iter(way), "plain")
        except RuntimeError:
            continue
    raise Unavailable("torch.optim.SGD cannot be created")


class Work:
    """Steps of one variant. `step(indices)` runs one; `run(count)` returns the seconds of `count` steps."""

    def __init__(self, o, variant, data):
        self.o, self.data = o, data
        way, *modifiers = variant.split("+")
        unknown = set(modifiers) - {"graph", "contiguous"}
        if unknown or way.split(":")[0] not in ("eager", "graph", "compile", "jit"):
            raise Unavailable(f"unknown variant {variant}")
        graph = way == "graph" or "graph" in modifiers
        if graph and o.device != "cuda":
            raise Unavailable("CUDA graphs are for --device cuda")
        if way.startswith("compile") and not hasattr(torch, "compile"):
            raise Unavailable(f"PyTorch {torch.__version__} has no torch.compile")
        if (way.startswith("jit") or way == "compile:freeze") and o.mode != "infer":
            raise Unavailable(f"{way} is for --mode infer")

        self.channels_last = "contiguous" not in modifiers
        self.cache = not graph  # autocast's cached copies of the weights must not outlive a captured graph
        network = torch_googlenet.make(o.model, channels=data.images.shape[1], classes=o.classes)
        self.parameters = sum(parameter.numel() for parameter in network.parameters())
        expected = o.parameters or (PARAMETERS[o.model] if (data.images.shape[1], o.classes) == (1, 10) else None)
        if expected not in (None, self.parameters):
            raise RuntimeError(f"{o.model} has {self.parameters} parameters; expected {expected}")
        network = network.to(o.device)
        if self.channels_last:
            network = network.to(memory_format=torch.channels_last)
        self.total = torch.zeros((), device=o.device)
        self.optimizer_kind = None
        if o.mode == "train":
            self.network = network.train()
            self.optimizer, self.optimizer_kind = make_optimizer(network.parameters(), o)
            self.loss = self.training_loss
        else:
            self.network = network.eval()
            if o.compute == "bf16":
                self.network = self.network.to(torch.bfloat16)
            self.loss = self.inference_loss
            if way.startswith("jit"):
                self.trace(way)
        if way.startswith("compile"):
            self.compile(way.partition(":")[2])
        step = self.train if o.mode == "train" else self.infer
        self.step = self.capture(step) if graph else step

    def inputs(self, images, labels, indices):
        x = images.index_select(0, indices).to(torch.float32) * (1 / 255)
        size = (self.o.image_size, self.o.image_size)
        if x.shape[2:] != size:
            x = F.interpolate(x, size, mode="bilinear", align_corners=False)
        if self.channels_last:
            if x.shape[1] == 1:  # with one channel only the strides select channels-last
                x = x.reshape(-1, x.shape[2], x.shape[3], 1).permute(0, 3, 1, 2)
            x = x.contiguous(memory_format=torch.channels_last)
        return x, labels.index_select(0, indices)

    def training_loss(self, images, labels, indices):
        x, y = self.inputs(images, labels, indices)
        with torch.autocast(self.o.device, dtype=torch.bfloat16, enabled=self.o.compute == "bf16",
                            cache_enabled=self.cache):
            logits = self.network(x)
        return F.cross_entropy(logits.float(), y)

    def inference_loss(self, images, labels, indices):
        x, y = self.inputs(images, labels, indices)
        if self.o.compute == "bf16":
            x = x.to(torch.bfloat16)
        return F.cross_entropy(self.network(x).float(), y)

    def train(self, indices):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.data.images, self.data.labels, indices)
        loss.backward()
        self.optimizer.step()
        self.total += loss.detach()

    def infer(self, indices):
        with torch.no_grad():
            self.total += self.loss(self.data.images, self.data.labels, indices)

    def trace(self, way):
        torch.jit.enable_onednn_fusion(way == "jit:onednn")
        with torch.no_grad():
            x, _ = self.inputs(self.data.images, self.data.labels, self.data.next())
            if self.o.compute == "bf16":
                x = x.to(torch.bfloat16)
            traced = torch.jit.trace(self.network, x)
            self.network = (torch.jit.freeze(traced) if way == "jit:onednn" else
                            torch.jit.optimize_for_inference(traced))

    def compile(self, mode):
        torch._dynamo.reset()
        if mode == "freeze":
            from torch._inductor import config
            config.freezing = True
            mode = "default"
        self.loss = torch.compile(self.loss, mode=mode)

    def capture(self, step):
        """Captures a step as one CUDA graph. A replay copies the indices into the memory that the graph reads."""
        given = self.data.next().clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # lazy initialisation must happen before the capture
            for _ in range(3):
                step(given)
        torch.cuda.current_stream().wait_stream(aside)
        if self.o.mode == "train":
            self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(given)

        def replay(indices):
            given.copy_(indices)
            graph.replay()

        return replay

    def synchronize(self):
        if self.o.device == "cuda":
            torch.cuda.synchronize()

    def run(self, count):
        self.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            self.step(self.data.next())
        self.synchronize()
        return time.perf_counter() - start


def forget_peaks(device):
    """Resets peak memory counters, so that a peak belongs to one variant."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def host_peak_bytes():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(o, variant, data):
    forget_peaks(o.device)
    begin = time.perf_counter()
    work = Work(o, variant, data)
    warmed = max(o.warmup, 2) - 1
    work.run(warmed)
    preparation = time.perf_counter() - begin  # construction, compilation, capture
    warm_seconds = 0.0
    while True:
        step_seconds = work.run(1)
        warm_seconds += step_seconds
        warmed += 1
        if warm_seconds >= o.seconds / 2:
            break
    steps = o.steps or max(1, round(o.seconds / step_seconds))
    work.total.zero_()
    if o.turns:
        print("ready", steps, flush=True)
    seconds = []
    while o.turns or len(seconds) < o.repetitions:
        if o.turns and not sys.stdin.readline():
            break
        seconds.append(work.run(steps))
        if o.turns:
            print(f"repetition {seconds[-1]:.9g}", flush=True)
    if not seconds:
        raise RuntimeError("stdin ended before the first repetition: nothing was measured")
    loss = float(work.total) / (steps * len(seconds))
    if not abs(loss) < float("inf"):
        raise RuntimeError("the loss is no longer finite, so the timing is not valid; try a lower --lr")
    memory = {"host_peak_bytes": host_peak_bytes()}
    if o.device == "cuda":
        memory.update(device_peak_bytes=torch.cuda.max_memory_allocated(),
                      device_reserved_bytes=torch.cuda.max_memory_reserved())
    return {"variant": variant, "model": o.model, "input": list(data.images.shape[1:2]) + [o.image_size] * 2,
            "parameters": work.parameters, "mode": o.mode, "batch": o.batch, "compute": o.compute,
            "channels_last": work.channels_last, "optimizer": work.optimizer_kind,
            "images_per_s": spread([steps * o.batch / s for s in seconds]),
            "ms_per_step": spread([1e3 * s / steps for s in seconds]),
            "repetitions": len(seconds), "steps_per_repetition": steps, "warmup_steps": warmed,
            "preparation_seconds": preparation, "repetition_seconds": seconds, "memory": memory, "loss": loss}


def set_up(o):
    if o.threads:
        torch.set_num_threads(o.threads)
    if o.device == "cuda":
        if not torch.cuda.is_available():
            sys.exit("pytorch_speed.py: this PyTorch finds no GPU")
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = o.compute != "f32"
    elif o.compute == "tf32":
        sys.exit("pytorch_speed.py: --compute tf32 needs --device cuda")
    cuda = o.device == "cuda"
    return {"what": "pytorch_speed", "torch": torch.__version__, "device": o.device,
            "device_name": torch.cuda.get_device_name() if cuda else "cpu",
            "cuda": torch.version.cuda if cuda else None, "cudnn": torch.backends.cudnn.version() if cuda else None,
            "threads": torch.get_num_threads(), "data": o.data, "momentum": o.momentum, "nesterov": o.nesterov,
            "weight_decay": o.weight_decay, "results": [], "skipped": []}


def write(result, path):
    if path:
        with open(path + ".part", "w") as file:
            json.dump(result, file, indent=1)
        os.replace(path + ".part", path)


def main():
    o = options()
    variants = o.variants.split(",") if o.variants else default_variants(o.device, o.mode)
    if o.turns and len(variants) != 1:
        sys.exit("pytorch_speed.py: --turns measures one variant; name it with --variants")
    result, begin = set_up(o), time.time()
    data = Images(o)
    if len(data.images) < o.batch:
        sys.exit(f"pytorch_speed.py: --batch {o.batch}: there are only {len(data.images)} images")
    for variant in variants:
        left = o.budget - (time.time() - begin)
        try:
            if left < (60 if variant.startswith("compile") else 5):
                raise Unavailable(f"only {left:.0f} s of the budget left")
            result["results"].append(measure(o, variant, data))
            if not o.turns:
                rate = result["results"][-1]["images_per_s"]
                print(f"{variant:26} {rate['median']:10.1f} images/s ({rate['min']:.1f} to {rate['max']:.1f})", flush=True)
        except Exception as error:  # a failure of one variant must not stop the others
            why = str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
            why = " ".join(why.split())[:300]
            result["skipped"].append({"variant": variant, "why": why})
            print(f"{variant}: {why}", file=sys.stderr, flush=True)
        write(result, o.json)
    return 0 if result["results"] else 1


if __name__ == "__main__":
    try:
        import torch
        from torch.nn import functional as F

        import torch_googlenet
    except ImportError as problem:
        sys.exit(f"pytorch_speed.py: {problem}; this Python ({sys.executable}) has no PyTorch")
    sys.exit(main())
