"""Trains and uses GoogLeNet and its family of networks.

    import minception
    classifier = minception.Classifier("model.safetensors")
    print(classifier.predict("cat.jpg"))

docs/python.md is the guide.
"""

from . import _minception
from ._minception import *  # noqa: F403

Error.__module__ = "minception"  # noqa: F405: tracebacks show the public name
__version__ = _minception.__version__
__all__ = [name for name in dir(_minception) if not name.startswith("_")]
