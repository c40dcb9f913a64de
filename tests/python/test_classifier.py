"""Classifier: every kind of input, results, errors."""

import io
import threading

import minception
import numpy as np
import PIL.Image
import pytest
import torch


@pytest.fixture(scope="module")
def classifier(weights):
    return minception.Classifier(weights)


def probabilities(predictions):
    return np.stack([prediction.probabilities for prediction in predictions])


def test_classes_and_input_size(classifier, fashion):
    assert classifier.classes == fashion.classes
    assert classifier.input_size == (1, 28, 28)


def test_one_image_gives_one_prediction(classifier, fashion):
    prediction = classifier.predict(fashion.test.images[0])
    assert prediction.class_name == classifier.classes[prediction.class_index]
    assert prediction.probability == prediction.probabilities.max()
    assert prediction.probabilities.sum() == pytest.approx(1.0)
    assert prediction.logits.argmax() == prediction.class_index
    names, values = zip(*prediction.top(3))
    assert names[0] == prediction.class_name and list(values) == sorted(prediction.probabilities)[:-4:-1]
    assert repr(prediction).startswith(f"Prediction('{prediction.class_name}'")


def test_all_kinds_of_images_agree(classifier, fashion, tmp_path):
    pixels = fashion.test.images[7, :, :, 0]
    image = PIL.Image.fromarray(pixels)
    image.save(tmp_path / "image.png")
    encoded = (tmp_path / "image.png").read_bytes()
    expected = classifier.predict(pixels).probabilities
    for same in (tmp_path / "image.png", str(tmp_path / "image.png"), encoded, bytearray(encoded), memoryview(encoded), image,
                 image.convert("RGB"), image.convert("RGBA"), image.convert("P"), pixels[:, :, None],
                 np.repeat(pixels[:, :, None], 3, axis=2), torch.from_numpy(pixels.copy()), np.asfortranarray(pixels)):
        assert np.array_equal(classifier.predict(same).probabilities, expected), type(same)


def test_exif_orientation_of_pil_images_is_applied(classifier, fashion):
    image = PIL.Image.fromarray(fashion.test.images[1, :, :, 0])
    exif = PIL.Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    turned = classifier.predict(np.rot90(fashion.test.images[1, :, :, 0], -1)).probabilities
    assert np.array_equal(classifier.predict(PIL.Image.open(file)).probabilities, turned)
    assert np.array_equal(classifier.predict(file.getvalue()).probabilities, turned)


def test_lists_and_batches(classifier, fashion):
    images = fashion.test.images[:40]  # more than one batch
    single = probabilities([classifier.predict(image) for image in images])
    batch = probabilities(classifier.predict(images))
    assert np.allclose(batch, single, rtol=0, atol=1e-6)
    assert np.array_equal(probabilities(classifier.predict(list(images))), batch)
    mixed = classifier.predict([images[0], PIL.Image.fromarray(images[1, :, :, 0])])
    assert np.allclose(probabilities(mixed), single[:2], rtol=0, atol=1e-6)
    assert classifier.predict([]) == []


def test_float_arrays_are_network_inputs(classifier, trained, fashion):
    images = fashion.test.images[:5]
    x = images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    expected = classifier.logits(images)
    assert np.allclose(classifier.logits(x), expected, rtol=0, atol=1e-5)
    assert np.allclose(trained.logits(x), expected, rtol=0, atol=1e-5)
    assert np.allclose(classifier.predict(x[0]).logits, expected[0], rtol=0, atol=1e-5)
    assert np.allclose(classifier.logits(x.astype(np.float64)), expected, rtol=0, atol=1e-5)


def test_torch_in_and_out_with_any_memory_format(classifier, fashion):
    x = torch.from_numpy(fashion.test.images[:6].transpose(0, 3, 1, 2) / np.float32(255)).contiguous()
    expected = classifier.logits(x.numpy())
    assert isinstance(expected, np.ndarray)
    for same in (x, x.to(memory_format=torch.channels_last), x.repeat(2, 1, 1, 1)[::2][:3], x.flip(0).flip(0)):
        logits = classifier.logits(same)
        assert isinstance(logits, torch.Tensor) and logits.dtype == torch.float32
        if same.shape == x.shape:
            assert np.array_equal(logits.numpy(), expected)
    doubled = torch.stack([x[0], x[0], x[1], x[1]])
    assert np.array_equal(classifier.logits(doubled[::2]).numpy(), classifier.logits(x[:2]).numpy())


def test_float32_with_any_strides_gives_the_same_bits(classifier, trained, fashion):
    x = np.ascontiguousarray(fashion.test.images[:40].transpose(0, 3, 1, 2) / np.float32(255))  # more than one batch
    expected = classifier.logits(x)
    gaps = np.zeros((80, 3, 30, 57), np.float32)
    gaps[::2, 1:2, 1:-1, 1:-1:2] = x
    gaps.flags.writeable = False
    same = [gaps[::2, 1:2, 1:-1, 1:-1:2], np.asfortranarray(x), x[::-1, :, ::-1].copy()[::-1, :, ::-1], list(x), tuple(x),
            x.astype(np.float64), torch.from_numpy(x).to(memory_format=torch.channels_last), [torch.from_numpy(image) for image in x],
            [image if i % 2 else image.astype(np.float64) for i, image in enumerate(x)]]
    for array in same:
        assert np.array_equal(np.asarray(classifier.logits(array)), expected)
    for array in same[:3] + same[5:7]:
        assert np.array_equal(np.asarray(trained.logits(array)), expected)


def test_threads_share_a_classifier(classifier, fashion):
    expected = probabilities(classifier.predict(fashion.test.images[:64]))
    results = [None] * 4

    def work(i):
        results[i] = probabilities(classifier.predict(fashion.test.images[:64]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(result, expected) for result in results)


def test_evaluate_counts_what_predict_finds(classifier, fashion):
    evaluation = classifier.evaluate(fashion)
    found = np.array([prediction.class_index for prediction in classifier.predict(fashion.test.images)])
    assert evaluation.samples == 500
    assert evaluation.top1 == np.mean(found == fashion.test.labels)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (fashion.test.labels, found), 1)
    assert np.array_equal(evaluation.confusion, confusion)
    with pytest.raises(minception.Error, match="has no validation images"):
        classifier.evaluate(fashion, "validation")


@pytest.mark.parametrize("wrong", [None, 3, {"a": 1}, np.zeros((28, 28), bool), np.zeros((28, 28), np.complex64), object()])
def test_wrong_types_name_what_is_accepted(classifier, wrong):
    with pytest.raises(TypeError, match=r"x .*must be a path, the bytes of an image file, a PIL image, an array of uint8"):
        classifier.predict(wrong)


def test_errors_name_the_element(classifier):
    with pytest.raises(TypeError, match=r"x\[1\] must be"):
        classifier.predict([np.zeros((28, 28), np.uint8), 3])
    with pytest.raises(minception.Error, match=r"shape \[3,28,28\]: images are .* channels come last"):
        classifier.predict(np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(minception.Error, match=r"shape \[1,27,28\]: the network takes \[1,28,28\]"):
        classifier.predict(np.zeros((1, 27, 28), np.float32))
    with pytest.raises(TypeError, match="either images or arrays of floats"):
        classifier.predict([np.zeros((28, 28), np.uint8), np.zeros((1, 28, 28), np.float32)])


def test_tensors_that_require_gradients_are_accepted(classifier, fashion):
    x = torch.zeros(1, 1, 28, 28)
    assert torch.equal(classifier.logits(x.clone().requires_grad_()), classifier.logits(x))


def test_errors_of_the_library_are_one_line(classifier, tmp_path):
    with pytest.raises(minception.Error, match="cannot be found") as found:
        minception.Classifier(tmp_path / "missing.safetensors")
    assert "\n" not in str(found.value) and found.value.details == []
    assert issubclass(minception.Error, RuntimeError)
    with pytest.raises(minception.Error):
        classifier.predict(b"not an image")
    with pytest.raises(minception.Error, match="unknown device|auto"):
        minception.Classifier(tmp_path / "missing.safetensors", device="tpu")


def test_empty_batches_give_empty_results(classifier, trained):
    assert classifier.predict(np.zeros((0, 28, 28, 1), np.uint8)) == []
    assert classifier.predict(np.zeros((0, 1, 28, 28), np.float32)) == []
    assert classifier.logits([]).shape == (0, 10)
    assert trained.logits(torch.zeros(0, 1, 28, 28)).shape == (0, 10)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2, 2)])
def test_arrays_that_are_no_images(classifier, shape):
    for dtype in (np.uint8, np.float32):
        with pytest.raises(minception.Error, match=r"of shape \["):
            classifier.predict(np.zeros(shape, dtype))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(classifier, trained, value):
    x = np.zeros((3, 1, 28, 28), np.float32)
    x[1, 0, 27, 3] = value
    for function in (classifier.predict, classifier.logits, trained.logits):
        with pytest.raises(minception.Error, match=r"^x\[1\]: has NaN or infinite values$"):
            function(x)
        with pytest.raises(minception.Error, match="^x: has NaN"):
            function(torch.from_numpy(x[1]).to(torch.float64))
    with pytest.raises(minception.Error, match=r"^x\[1\]: has NaN"):
        classifier.predict(list(x))
    assert len(classifier.predict(x[::2])) == 2


def test_files_of_other_frameworks(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"not a safetensors file")
    with pytest.raises(minception.Error, match="make one of an ONNX file with: import --onnx"):
        minception.Classifier(tmp_path / "net.onnx")
    torch.save({"a": torch.zeros(1)}, tmp_path / "net.pt")
    with pytest.raises(minception.Error, match="from safetensors.torch import save_file"):
        minception.Model.load(tmp_path / "net.pt")
