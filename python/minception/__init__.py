"""Trains and uses GoogLeNet and its family of networks.

    import minception
    classifier = minception.Classifier("model.safetensors")
    print(classifier.predict("cat.jpg"))

docs/python.md is the guide.
"""

from . import _minception
from ._minception import *  # noqa: F403

__version__ = _minception.__version__
__all__ = [name for name in dir(_minception) if not name.startswith("_")]
