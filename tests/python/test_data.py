"""Data sets: built in, from folders, from arrays."""

import minception
import numpy as np
import PIL.Image
import pytest


def test_fashion_mnist(fashion):
    assert "fashion-mnist" in minception.dataset_names()
    assert fashion.image_size == (1, 28, 28)
    assert (len(fashion.train), len(fashion.validation), len(fashion.test)) == (2000, 0, 500)
    assert fashion.train.images.shape == (2000, 28, 28, 1) and fashion.train.images.dtype == np.uint8
    assert fashion.train.labels[:5].tolist() == [9, 0, 0, 3, 0]  # as published
    assert fashion.classes[9] == "Ankle boot"
    held_out = minception.load_dataset("fashion-mnist", validation_fraction=0.25, limit_train=100, limit_test=100)
    assert (len(held_out.train), len(held_out.validation)) == (100, 100)


def test_arrays_are_views_that_keep_the_data_set_alive():
    images = minception.load_dataset("fashion-mnist", limit_train=10, limit_test=10).train.images
    assert images.base is not None and not images.flags.writeable
    assert images.sum() > 0


def test_image_folder(tmp_path):
    colours = {"blue": (0, 0, 255), "red": (255, 0, 0)}
    for name, colour in colours.items():
        (tmp_path / name).mkdir()
        for i in range(4):
            PIL.Image.new("RGB", (8 + i, 9), colour).save(tmp_path / name / f"{i}.png")
    data = minception.load_image_folder(tmp_path, size=(6, 5), test_fraction=0.25)
    assert data.classes == ["blue", "red"]
    assert data.image_size == (3, 6, 5)
    assert (len(data.train), len(data.test)) == (6, 2)
    assert data.train.images[0, 2, 2].tolist() == list(colours[data.classes[data.train.labels[0]]])
    assert data.train.files[0].startswith(str(tmp_path))
    assert len(minception.load_image_folder([tmp_path], size=4).train) == 8
    with pytest.raises(minception.Error, match="needs the size"):
        minception.load_image_folder(tmp_path)
    with pytest.raises(minception.Error, match="^limit_train = 9: "):
        minception.load_image_folder(tmp_path, size=4, limit_train=9)
    with pytest.raises(minception.Error, match="stretch, crop"):
        minception.load_image_folder(tmp_path, size=4, resize="zoom")
    (tmp_path / "red" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(minception.Error, match="broken.png"):
        minception.load_image_folder(tmp_path, size=4)


def test_from_arrays():
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (6, 5, 4, 3), np.uint8)
    labels = [0, 1, 2, 2, 1, 0]
    data = minception.Dataset.from_arrays(images, labels, ["a", "b", "c"], test=(images[:2], np.array([0, 1])), name="mine")
    assert np.array_equal(data.train.images, images)
    assert data.train.labels.tolist() == labels
    assert (data.image_size, len(data.test), data.name) == ((3, 5, 4), 2, "mine")
    transposed = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    assert np.array_equal(minception.Dataset.from_arrays(transposed, labels, ["a", "b", "c"]).train.images, images)
    assert minception.Dataset.from_arrays(images[..., 0], labels, ["a", "b", "c"]).image_size == (1, 5, 4)


@pytest.mark.parametrize("change, error, message", [
    ({"images": np.zeros((6, 5, 4, 3), np.float32)}, TypeError, "uint8"),
    ({"images": np.zeros((6, 3, 5, 4), np.uint8)}, minception.Error, "channels come last"),
    ({"labels": [0, 1, 2, 3, 0, 0]}, minception.Error, "label 3 is not one of 3 classes"),
    ({"labels": [0, 1]}, minception.Error, r"labels have the shape \[2\] for 6 images"),
    ({"labels": [0.5] * 6}, TypeError, "float64"),
    ({"classes": ["a"]}, minception.Error, "at least 2"),
    ({"classes": ["a", "b", "a"]}, minception.Error, "twice"),
    ({"test": np.zeros((1, 5, 4), np.uint8)}, TypeError, "a pair"),
])
def test_from_arrays_rejects(change, error, message):
    arguments = {"images": np.zeros((6, 5, 4), np.uint8), "labels": [0, 1, 2, 0, 1, 2], "classes": ["a", "b", "c"]}
    with pytest.raises(error, match=message):
        minception.Dataset.from_arrays(**{**arguments, **change})


def test_unknown_names_and_arguments():
    with pytest.raises(minception.Error, match="fashion-mnist"):
        minception.load_dataset("imagenet")
    with pytest.raises(TypeError, match="no argument 'limit'; it has name, folder"):
        minception.load_dataset("fashion-mnist", limit=3)
