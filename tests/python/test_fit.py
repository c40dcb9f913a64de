"""fit: results, callbacks, interruption, resumption, errors."""

import os
import re
import signal
import threading
import time
import warnings

import minception
import numpy as np
import pytest
from conftest import small_model
from minception import SGD, Adam, AdamW, Augmentation, Normalization, Schedule


def states_equal(a, b):
    return all(np.array_equal(value, b.state_dict()[key]) for key, value in a.state_dict().items())


def test_a_trained_model_classifies(trained, fashion, weights):
    assert trained.classes == fashion.classes
    assert minception.Classifier(weights).evaluate(fashion).top1 > 0.7


def test_results_are_reproducible_and_options_arrive():
    few = minception.load_dataset("fashion-mnist", limit_train=320, limit_test=20)

    def train(**options):
        model = small_model()
        minception.fit(model, few, **{**dict(epochs=2, batch_size=64, verbose=False), **options})
        return model

    trained = train()
    assert states_equal(train(), trained)
    for change in (dict(seed=2), dict(epochs=1), dict(optimizer=SGD(lr=0.01)), dict(optimizer=Adam()), dict(optimizer=AdamW()),
                   dict(schedule="cosine"), dict(augmentation=Augmentation(flip=True)), dict(batch_size=65),
                   dict(normalization=Normalization(mean=0.5, std=[0.5])), dict(initialization="kaiming-normal"),
                   dict(label_smoothing=0.1), dict(max_norm=0.1), dict(shuffle=False), dict(accumulate=2)):
        assert not states_equal(train(**change), trained), change


def test_options_are_objects_with_attributes():
    assert repr(SGD(0.1, momentum=0.9)) == "SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)"
    assert Adam().weight_decay == 0.0 and AdamW().weight_decay == 0.01
    assert Schedule("one-cycle", pct_start=0.25).pct_start == 0.25
    assert Augmentation(padding=4).padding == 4 and Normalization([0.1, 0.2, 0.3], 1).mean == (0.1, 0.2, 0.3)


def test_callbacks_history_and_run_folder(fashion, tmp_path):
    steps, epochs = [], []
    model = small_model()
    result = minception.fit(model, fashion, out=tmp_path / "run", epochs=2, batch_size=100, log_every=5, verbose=False,
                            on_step=steps.append, on_epoch=epochs.append)
    assert [step.step for step in steps] == [5, 10, 15, 20, 25, 30, 35, 40]
    assert all(0 < step.loss < 10 and step.gradient_norm > 0 and dict(step.gradient_norms) for step in steps)
    assert [epoch.epoch for epoch in epochs] == [1, 2] == [epoch.epoch for epoch in result.history]
    assert epochs[1].part == "test" and epochs[1].eval_accuracy > 0.5
    assert result.best.eval_accuracy == max(epoch.eval_accuracy for epoch in epochs)
    assert result.out == tmp_path / "run" and not result.stopped
    assert {"model.safetensors", "model_best.safetensors", "metrics.jsonl", "report.html"} <= set(os.listdir(tmp_path / "run"))
    assert states_equal(model, minception.Model.load(tmp_path / "run" / "model.safetensors"))


def test_progress_goes_to_sys_stdout(fashion, capsys):
    minception.fit(small_model(), fashion, epochs=1, batch_size=100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "small: 2000 training, 0 validation and 500 test images of [1,28,28], 10 classes"
    assert re.fullmatch(r"epoch 1/1  train loss \d\.\d{4} accuracy 0\.\d{4}  test loss .* images/s  .* s", lines[-1])


def test_the_library_itself_prints_nothing(fashion, capfd):
    minception.fit(small_model(), fashion, epochs=1, batch_size=100, verbose=False)
    assert capfd.readouterr() == ("", "")


def test_warnings_are_python_warnings(capfd, tmp_path):
    few = minception.load_dataset("fashion-mnist", limit_train=1280, limit_test=20)
    options = dict(epochs=1, batch_size=64, optimizer=SGD(lr=1e-9), initialization="kaiming-normal", verbose=False)
    with pytest.warns(UserWarning, match="this is chance level") as caught:
        minception.fit(small_model(), few, **options)
    assert [warning.filename for warning in caught] == [__file__]
    assert capfd.readouterr() == ("", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="chance level"):
            minception.fit(small_model(), few, out=tmp_path / "run", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = minception.fit(small_model(), few, out=tmp_path / "run", resume=True, **options)
    assert not result.stopped and "warning" not in capfd.readouterr().err


def test_a_temporary_run_leaves_no_files(fashion, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = minception.fit(small_model(), fashion, epochs=1, batch_size=100, verbose=False)
    assert result.out is None and os.listdir(tmp_path) == []
    with pytest.raises(minception.Error, match="lr"):
        minception.fit(small_model(), fashion, optimizer=SGD(lr=-1.0))
    assert os.listdir(tmp_path) == []


def test_validation_images_select_and_test_images_judge():
    data = minception.load_dataset("fashion-mnist", limit_train=1000, limit_test=200, validation_fraction=0.1)
    result = minception.fit(small_model(), data, epochs=1, batch_size=100, verbose=False)
    assert result.history[0].part == "validation"
    assert result.test.epoch == 1 and 0.3 < result.test.test_accuracy <= 1


def test_stop_and_resume_end_with_the_same_bits(fashion, trained, tmp_path):
    count = iter(range(100))
    model = small_model()
    stopped = minception.fit(model, fashion, out=tmp_path / "run", epochs=2, batch_size=64, verbose=False,
                             should_stop=lambda: next(count) > 20)
    assert stopped.stopped and "resume=True" in stopped.text
    assert not states_equal(model, trained)
    resumed = minception.fit(model, fashion, out=tmp_path / "run", epochs=2, batch_size=64, verbose=False, resume=True)
    assert not resumed.stopped and states_equal(model, trained)


def test_exceptions_of_callbacks_pass_through(fashion, trained, tmp_path):
    class Mine(Exception):
        pass

    def fail(metrics):
        raise Mine(metrics.step)

    for callback in ("on_step", "on_epoch"):
        model = small_model()
        with pytest.raises(Mine):
            minception.fit(model, fashion, out=tmp_path / callback, epochs=2, batch_size=64, verbose=False, **{callback: fail})
        minception.fit(model, fashion, out=tmp_path / callback, epochs=2, batch_size=64, verbose=False, resume=True)
        assert states_equal(model, trained)


def test_ctrl_c_saves_a_checkpoint_and_raises(fashion, trained, tmp_path):
    model = small_model()
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    started = []

    def start(metrics):
        if not started:
            started.append(timer.start())
        time.sleep(0.1)

    try:
        with pytest.raises(KeyboardInterrupt):
            minception.fit(model, fashion, out=tmp_path / "run", epochs=2, batch_size=64, log_every=1, verbose=False, on_step=start)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert list((tmp_path / "run").rglob("*.safetensors")), "the checkpoint"
    minception.fit(model, fashion, out=tmp_path / "run", epochs=2, batch_size=64, log_every=1, verbose=False, resume=True)
    assert states_equal(model, trained)


def test_other_threads_run_during_training(fashion):
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.005):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.monotonic()
    minception.fit(small_model(), fashion, epochs=2, batch_size=500, verbose=False)
    seconds = time.monotonic() - begin
    done.set()
    thread.join()
    assert len(ticks) > 20 * seconds  # at most 200 per second


def test_a_trained_model_continues(trained, fashion):
    model = small_model()
    model.load_state_dict(trained.state_dict())
    history = minception.fit(model, fashion, epochs=1, batch_size=64, verbose=False).history
    fresh = minception.fit(small_model(), fashion, epochs=1, batch_size=64, verbose=False).history
    assert history[0].train_loss < 0.75 * fresh[0].train_loss


@pytest.mark.parametrize("change, error, message", [
    (dict(epoch=3), TypeError, "no argument 'epoch'; it has model, data, out"),
    (dict(epochs="3"), TypeError, r"fit\(\): epochs must be an int, not str"),
    (dict(optimizer=0.1), TypeError, r"SGD\(...\), Adam\(...\) or AdamW\(...\)"),
    (dict(on_epoch=3), TypeError, "on_epoch must be a function"),
    (dict(schedule="linear"), minception.Error, "cosine"),
    (dict(epochs=0), minception.Error, "epochs = 0"),
    (dict(resume=True), minception.Error, "out="),
    (dict(init="missing.safetensors"), minception.Error, "missing.safetensors"),
    (dict(device="tpu"), minception.Error, "tpu"),
])
def test_wrong_options(fashion, change, error, message):
    with pytest.raises(error, match=message):
        minception.fit(small_model(), fashion, **change)


def test_wrong_models_and_data(fashion):
    with pytest.raises(TypeError, match="model must be a Model"):
        minception.fit(3, fashion)
    with pytest.raises(TypeError, match="data must be a Dataset"):
        minception.fit(small_model(), [1])
    with pytest.raises(minception.Error, match="classes"):
        minception.fit(minception.Model("few", minception.Sequential([minception.Flatten(), minception.Linear(3)]), (1, 28, 28), 3),
                       fashion)
