"""graft for Python: name pictures, take their features, train a head. A thin layer over libgraft_c; arrays are NumPy's.

    import graft
    model = graft.Model("run/model.onnx")
    for answer in model.classify(["photo.jpg"]):
        print(answer.label, answer.score)
    rows = model.features(["a.jpg", "b.jpg"])            # numpy, float32, one row a picture
    head = graft.finetune("resnet50.onnx", "photos/")     # what `graft finetune` does
    head.save("head.onnx")
"""
import ctypes
import os
import pathlib
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Answer", "GraftError", "Model", "finetune", "version"]


class GraftError(RuntimeError):
    """What, where and what to do, in one line. `status`: graft_status of graft.h."""
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class _Compute(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("device", ctypes.c_char_p), ("threads", ctypes.c_int), ("batch", ctypes.c_int)]


class _Picture(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char_p), ("bytes", ctypes.c_void_p), ("byte_count", ctypes.c_size_t), ("pixels", ctypes.c_void_p), ("height", ctypes.c_int64), ("width", ctypes.c_int64)]


_Note = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
_Stop = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class _Finetune(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("budget_seconds", ctypes.c_double), ("epochs", ctypes.c_int), ("freeze", ctypes.c_char_p), ("augment", ctypes.c_char_p), ("lr", ctypes.c_double),
                ("validation_part", ctypes.c_double), ("seed", ctypes.c_uint64), ("note", _Note), ("stop", _Stop), ("user", ctypes.c_void_p)]


def _open_library():
    """The package's own library; GRAFT_LIBRARY names another."""
    named = os.environ.get("GRAFT_LIBRARY")
    own = sorted((pathlib.Path(__file__).parent / "bundle").rglob("libgraft_c.so.?"))
    if "OMP_WAIT_POLICY" not in os.environ:  # oneDNN's threads would look for more work for milliseconds, in the way of graft's own
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    library = ctypes.CDLL(named or (str(own[0]) if own else "libgraft_c.so.0"))
    void, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    for name, result, arguments in (
            ("version", text, []), ("last_error", text, []), ("model_open", ctypes.c_int, [text, ctypes.POINTER(_Compute), ctypes.POINTER(void)]), ("model_close", None, [void]),
            ("model_save", ctypes.c_int, [void, text]), ("model_task", ctypes.c_int, [void]), ("model_label_count", size, [void]), ("model_label", text, [void, size]),
            ("classify", ctypes.c_int, [void, ctypes.POINTER(_Picture), size, ctypes.POINTER(void)]), ("features", ctypes.c_int, [void, text, ctypes.POINTER(_Picture), size, ctypes.POINTER(void)]),
            ("rows_width", size, [void]), ("rows_get", ctypes.POINTER(ctypes.c_float), [void, size]), ("rows_error", text, [void, size]), ("rows_ood_score", ctypes.c_double, [void, size]), ("rows_free", None, [void]),
            ("finetune_defaults", None, [ctypes.POINTER(_Finetune)]),
            ("finetune", ctypes.c_int, [void, text, ctypes.c_int, ctypes.POINTER(_Finetune), ctypes.POINTER(void), ctypes.POINTER(ctypes.c_double)])):
        function = getattr(library, "graft_" + name)
        function.restype, function.argtypes = result, arguments
    return library


_graft = _open_library()
_TASKS = ("classes", "multi-label", "regression")


def version():
    return _graft.graft_version().decode()


def _check(status):
    if status != 0:
        raise GraftError(status, _graft.graft_last_error().decode())


@dataclass
class Answer:
    """Of one picture. `error` tells why there is none; all else is empty then."""
    label: str = ""
    index: int = -1
    score: float = float("nan")
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32), repr=False)  # of all outputs
    ood_score: float | None = None  # how unlike the training's pictures, 0 to 1; None where the model cannot tell
    error: str | None = None


def _pictures(items):
    """C's form of paths, bytes of files, and arrays (also through DLPack) of height × width × 3 bytes; and what must live
    as long."""
    kept, pictures = [], (_Picture * len(items))()
    for picture, item in zip(pictures, items):
        if isinstance(item, (str, os.PathLike)):
            path = os.fsencode(item)
            kept.append(path)
            picture.path = path
        elif isinstance(item, (bytes, bytearray, memoryview)):
            data = bytes(item)
            kept.append(data)
            picture.bytes, picture.byte_count = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data)
        else:
            array = np.from_dlpack(item) if hasattr(item, "__dlpack__") and not isinstance(item, np.ndarray) else np.asarray(item)
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
                raise TypeError(f"a picture is a path, a file's bytes, or an array of height × width × 3 uint8, not {array.dtype} {array.shape}")
            array = np.ascontiguousarray(array)
            kept.append(array)
            picture.pixels, picture.height, picture.width = array.ctypes.data, array.shape[0], array.shape[1]
    return pictures, kept


def _one_or_more(pictures):
    alone = isinstance(pictures, (str, os.PathLike, bytes, bytearray, memoryview)) or getattr(pictures, "ndim", 0) == 3
    return [pictures] if alone else list(pictures)


class Model:
    """A network with its weights, class names and preprocessing, from an ONNX file or the folder of a run. One thread at
    a time may use one."""
    def __init__(self, path, *, device=None, threads=0, batch=0, _handle=None):
        self._handle = ctypes.c_void_p()
        if _handle is not None:
            self._handle = _handle
            return
        path = pathlib.Path(path)
        if path.is_dir():
            path = path / "model.onnx"
        compute = _Compute(ctypes.sizeof(_Compute), device.encode() if device else None, threads, batch)
        _check(_graft.graft_model_open(os.fsencode(path), ctypes.byref(compute), ctypes.byref(self._handle)))

    def __del__(self):
        if getattr(self, "_handle", None):
            _graft.graft_model_close(self._handle)
            self._handle = None

    @property
    def task(self):
        return _TASKS[_graft.graft_model_task(self._handle)]

    @property
    def labels(self):
        return [_graft.graft_model_label(self._handle, i).decode() for i in range(_graft.graft_model_label_count(self._handle))]

    def save(self, path):
        _check(_graft.graft_model_save(self._handle, os.fsencode(path)))

    def classify(self, pictures):
        """An Answer for each picture, in order. A picture is a path, a file's bytes, or an array of height × width × 3."""
        items = _one_or_more(pictures)
        converted, kept = _pictures(items)
        rows = ctypes.c_void_p()
        _check(_graft.graft_classify(self._handle, converted, len(items), ctypes.byref(rows)))
        try:
            labels, width, answers = self.labels, _graft.graft_rows_width(rows), []
            for i in range(len(items)):
                values = _graft.graft_rows_get(rows, i)
                if not values:
                    answers.append(Answer(error=_graft.graft_rows_error(rows, i).decode()))
                    continue
                scores = np.ctypeslib.as_array(values, (width,)).copy()
                best, ood = int(scores.argmax()) if self.task != "regression" else 0, _graft.graft_rows_ood_score(rows, i)
                answers.append(Answer(labels[best] if best < len(labels) else str(best), best, float(scores[best]), scores, ood if ood >= 0 else None))
            return answers
        finally:
            _graft.graft_rows_free(rows)
            del kept

    def features(self, pictures, layer=None):
        """What the classifier reads (or `layer`, a node's or value's name): float32, one row a picture. Raises GraftError
        for the first picture that cannot be read."""
        items = _one_or_more(pictures)
        converted, kept = _pictures(items)
        rows = ctypes.c_void_p()
        _check(_graft.graft_features(self._handle, layer.encode() if layer else None, converted, len(items), ctypes.byref(rows)))
        try:
            result = np.empty((len(items), _graft.graft_rows_width(rows)), np.float32)
            for i in range(len(items)):
                values = _graft.graft_rows_get(rows, i)
                if not values:
                    raise GraftError(3, _graft.graft_rows_error(rows, i).decode())
                result[i] = np.ctypeslib.as_array(values, (result.shape[1],))
            return result
        finally:
            _graft.graft_rows_free(rows)
            del kept


def finetune(model, data, *, task="classes", budget=None, epochs=None, freeze=None, augment=None, lr=None, validation_part=None, seed=0, note=None):
    """Trains a new head, and what else suits the pictures, on labelled ones (folders or a table). Returns a Model, whose
    `validation_score` tells how good it is. `note` is called with each line that a user should see; Ctrl-C ends the
    training, and the best weights so far are the result."""
    pretrained = model if isinstance(model, Model) else Model(model)
    options = _Finetune()
    _graft.graft_finetune_defaults(ctypes.byref(options))
    options.seed = seed
    for name, value in (("budget_seconds", budget), ("epochs", epochs), ("lr", lr), ("validation_part", validation_part)):
        if value is not None:
            setattr(options, name, value)
    for name, value in (("freeze", freeze), ("augment", augment)):
        if value is not None:
            setattr(options, name, value.encode())
    interrupted = []

    def tell(_, text):
        if note:
            note(text.decode())

    def stop(_):
        return int(bool(interrupted))
    options.note, options.stop = _Note(tell), _Stop(stop)
    trained, score = ctypes.c_void_p(), ctypes.c_double()
    import signal
    import threading
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.append(True)) if in_main else None
    try:
        _check(_graft.graft_finetune(pretrained._handle, os.fsencode(data), _TASKS.index(task), ctypes.byref(options), ctypes.byref(trained), ctypes.byref(score)))
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)
    result = Model(None, _handle=trained)
    result.validation_score = score.value
    return result
