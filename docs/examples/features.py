"""Features of pictures as a list of rows, by ctypes alone: features.py LIBGRAFT_C.SO MODEL PICTURE..."""
import ctypes as c
import sys


class Picture(c.Structure):
    _fields_ = [("path", c.c_char_p), ("bytes", c.c_void_p), ("byte_count", c.c_size_t), ("pixels", c.c_void_p), ("height", c.c_int64), ("width", c.c_int64)]


def main():
    library, model_path, paths = sys.argv[1], sys.argv[2], sys.argv[3:]
    graft = c.CDLL(library)
    graft.graft_last_error.restype = graft.graft_rows_error.restype = c.c_char_p
    graft.graft_rows_get.restype, graft.graft_rows_width.restype = c.POINTER(c.c_float), c.c_size_t

    def check(status):
        if status != 0:
            sys.exit(graft.graft_last_error().decode())

    model, rows = c.c_void_p(), c.c_void_p()
    check(graft.graft_model_open(model_path.encode(), None, c.byref(model)))
    pictures = (Picture * len(paths))(*[Picture(path=path.encode()) for path in paths])
    check(graft.graft_features(model, None, pictures, c.c_size_t(len(paths)), c.byref(rows)))
    width = graft.graft_rows_width(rows)
    for i, path in enumerate(paths):
        row = graft.graft_rows_get(rows, c.c_size_t(i))
        print(f"{path}: " + (" ".join(f"{v:.5f}" for v in row[:width]) if row else graft.graft_rows_error(rows, c.c_size_t(i)).decode()))
    graft.graft_rows_free(rows)
    graft.graft_model_close(model)


main()
