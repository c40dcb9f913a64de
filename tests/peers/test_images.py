"""Compares image files with PIL (Pillow): formats, pixel types, orientation, transparency, and resize modes.

    test_images.py TOOL      TOOL is the executable of peer_tool.cpp
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import safetensors.numpy
    from PIL import Image, ImageOps, features
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-pil, python3-numpy and `pip install safetensors==0.8.0`")
    sys.exit(77)

BACKGROUND = (200, 30, 90)
# Transposes that turn orientations 2 to 8 upright.
UPRIGHT = (Image.FLIP_LEFT_RIGHT, Image.ROTATE_180, Image.FLIP_TOP_BOTTOM, Image.TRANSPOSE, Image.ROTATE_270,
           Image.TRANSVERSE, Image.ROTATE_90)


def photo(height, width, seed=3):
    """Smooth colours with noise that differ between channels and positions."""
    y, x = numpy.mgrid[0:height, 0:width]
    channels = [127 + 110 * numpy.sin(x / 9 + 1) * numpy.cos(y / 13), 255 * x / width, 255 * (y + x / 3) / (height * 1.4)]
    noise = numpy.random.default_rng(seed).normal(0, 4, (height, width, 3))
    return numpy.clip(numpy.stack(channels, 2) + noise, 0, 255).astype(numpy.uint8)


class Tool:
    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.failed = self.count = 0

    def read(self, path, channels=0, size=(0, 0), resize="stretch", background=(0, 0, 0)):
        out = self.folder / "out.safetensors"
        subprocess.run([self.program, "image", path, str(channels), *map(str, size), resize,
                        ",".join(map(str, background)), out], check=True, timeout=60)
        return safetensors.numpy.load_file(out)["pixels"]

    def check(self, name, ours, theirs, most=0):
        """`most`: largest allowed difference per byte."""
        self.count += 1
        theirs = numpy.asarray(theirs)
        theirs = theirs[:, :, None] if theirs.ndim == 2 else theirs
        if ours.shape != theirs.shape:
            self.failed += 1
            print(f"FAILED: {name}: {ours.shape}, PIL has {theirs.shape}")
            return
        worst = int(numpy.abs(ours.astype(int) - theirs.astype(int)).max())
        if worst > most:
            self.failed += 1
            print(f"FAILED: {name}: off by {worst}, allowed {most}")


def flattened(image, background):
    """A picture with transparency composed over a background, each byte rounded."""
    rgba = numpy.asarray(image.convert("RGBA")).astype(int)
    opacity = rgba[:, :, 3:]
    return ((rgba[:, :, :3] * opacity + numpy.array(background) * (255 - opacity) + 127) // 255).astype(numpy.uint8)


def formats(tool):
    rgb = Image.fromarray(photo(37, 53))
    alpha = Image.fromarray(numpy.dstack([photo(37, 53), photo(37, 53, 9)[:, :, 1]]))
    grey, palette, bits = rgb.convert("L"), rgb.quantize(61), rgb.convert("1")
    kinds = [("png", image, {}, 0) for image in (rgb, alpha, grey, palette, bits, grey.convert("LA"))]
    kinds += [("bmp", image, {}, 0) for image in (rgb, grey, palette, bits, alpha)]
    kinds += [("gif", image, {}, 0) for image in (palette, grey)] + [("gif", palette, {"interlace": 0}, 0)]
    kinds += [("tif", image, {}, 0) for image in (rgb, grey, palette, bits)]
    kinds += [("tif", rgb, {"compression": name}, 0) for name in ("tiff_lzw", "tiff_deflate", "packbits")]
    kinds += [("tif", bits, {"compression": "group4"}, 0), ("tif", rgb.convert("CMYK"), {}, 2)]
    kinds += [("webp", rgb, {"lossless": True}, 0), ("webp", alpha, {"lossless": True, "exact": True}, 0)]
    kinds += [("webp", rgb, {"quality": 80}, 0)]
    kinds += [("jpg", rgb, {"quality": 90}, 0), ("jpg", grey, {"progressive": True}, 0)]
    kinds += [("ppm", rgb, {}, 0), ("pgm", grey, {}, 0)]
    for number, (suffix, image, settings, most) in enumerate(kinds):
        if suffix == "webp" and not features.check("webp"):
            continue
        path = tool.folder / f"{number}.{suffix}"
        image.save(path, **settings)
        name = f"{suffix} {image.mode} {settings}"
        with Image.open(path) as read:
            has_alpha = read.mode in ("RGBA", "LA", "PA") or "transparency" in read.info
            for background in ((0, 0, 0), BACKGROUND):
                ours = tool.read(path, background=background)
                theirs = flattened(read, background) if has_alpha else numpy.asarray(read.convert("RGB"))
                if ours.shape[2] == 1:  # the picture is grey
                    ours = numpy.repeat(ours, 3, 2)
                tool.check(name + f" over {background}", ours, theirs, most)
    # Transparent palette colours.
    for suffix in ("png", "gif"):
        path = tool.folder / f"transparent.{suffix}"
        palette.save(path, transparency=7)
        with Image.open(path) as read:
            tool.check(f"{suffix}, transparent colour", tool.read(path, background=BACKGROUND),
                       flattened(read, BACKGROUND))
    # Only the first of several frames is read.
    for suffix in ("gif", "webp", "tif"):
        path = tool.folder / f"frames.{suffix}"
        settings = {"lossless": True} if suffix == "webp" else {}
        first = palette if suffix == "gif" else rgb
        first.save(path, save_all=True, append_images=[ImageOps.invert(rgb)], **settings)
        with Image.open(path) as read:
            tool.check(f"{suffix}, two frames", tool.read(path), read.convert("RGB"))


def orientations(tool):
    image = Image.fromarray(photo(24, 40))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix, settings in (("jpg", {"quality": 95}), ("png", {}), ("webp", {"lossless": True})):
            path = tool.folder / f"turned.{suffix}"
            image.save(path, exif=exif, **settings)
            with Image.open(path) as read:
                tool.check(f"{suffix}, orientation {orientation}", tool.read(path), ImageOps.exif_transpose(read))
        # PIL 9.4 does not apply the orientation of TIFF.
        path = tool.folder / "turned.tif"
        image.save(path, tiffinfo={0x0112: orientation})
        upright = image if orientation == 1 else image.transpose(UPRIGHT[orientation - 2])
        tool.check(f"tif, orientation {orientation}", tool.read(path), upright)


def resizing(tool):
    for height, width in ((90, 61), (61, 90), (64, 64), (5, 200), (200, 5)):
        image = Image.fromarray(photo(height, width))
        path = tool.folder / "plain.png"
        image.save(path)
        for size in ((32, 32), (24, 40), (70, 31)):
            name = f"{height}x{width} to {size}"
            target = (size[1], size[0])
            tool.check(f"stretch {name}", tool.read(path, 3, size), image.resize(target, Image.BILINEAR))
            # Centre crop to the target's aspect ratio, in whole pixels.
            kept = (min(width, round(height * size[1] / size[0])), min(height, round(width * size[0] / size[1])))
            kept = (max(kept[0], 1), max(kept[1], 1))
            left, top = (width - kept[0]) // 2, (height - kept[1]) // 2
            middle = image.crop((left, top, left + kept[0], top + kept[1]))
            tool.check(f"crop {name}", tool.read(path, 3, size, "crop"), middle.resize(target, Image.BILINEAR))
            tool.check(f"letterbox {name}", tool.read(path, 3, size, "letterbox", BACKGROUND),
                       padded(image, target))


def padded(image, target):
    scale = min(target[0] / image.width, target[1] / image.height)
    size = (max(1, min(target[0], round(image.width * scale))), max(1, min(target[1], round(image.height * scale))))
    result = Image.new("RGB", target, BACKGROUND)
    result.paste(image.resize(size, Image.BILINEAR), ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return result


def reduced_jpegs(tool):
    """Large JPEGs are decoded at a reduced size; the result is close to that of full size in each resize mode."""
    for height, width in ((800, 1200), (1200, 800)):
        path = tool.folder / "large.jpg"
        Image.fromarray(photo(height, width)).save(path, quality=92)
        with Image.open(path) as read:
            for size in ((64, 64), (150, 100)):
                full = read.convert("RGB").resize((size[1], size[0]), Image.BILINEAR)
                tool.check(f"reduced {height}x{width} to {size}", tool.read(path, 3, size), full, 8)
                tool.check(f"reduced letterbox {height}x{width} to {size}", tool.read(path, 3, size, "letterbox", BACKGROUND),
                           padded(read.convert("RGB"), (size[1], size[0])), 8)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        the_tool = Tool(sys.argv[1], scratch)
        for part in (formats, orientations, resizing, reduced_jpegs):
            part(the_tool)
        print(f"{the_tool.count - the_tool.failed} of {the_tool.count} pictures match PIL")
        sys.exit(1 if the_tool.failed else 0)
