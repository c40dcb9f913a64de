"""Fixtures: Fashion-MNIST (Debian package dataset-fashion-mnist) and a small network trained on it."""

import minception
import pytest


def small_net():
    return minception.Sequential([
        minception.Conv2d(16, 3, padding=1), minception.BatchNorm2d(), minception.ReLU(), minception.MaxPool2d(2),
        minception.Conv2d(32, 3), minception.ReLU(), minception.MaxPool2d(2), minception.Flatten(), minception.Linear(10)])


def small_model():
    return minception.Model("small", small_net(), input=(1, 28, 28), classes=10)


@pytest.fixture(scope="session")
def fashion():
    return minception.load_dataset("fashion-mnist", limit_train=2000, limit_test=500)


@pytest.fixture(scope="session")
def trained(fashion):
    """The model after two epochs; tests must not change it."""
    model = small_model()
    minception.fit(model, fashion, epochs=2, batch_size=64, verbose=False)
    return model


@pytest.fixture(scope="session")
def weights(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    trained.save(path)
    return path
