"""Worker processes in Python that count through libtine.so.

    TINE_LIBRARY=/usr/local/lib/libtine.so.0 python3 count.py
"""

import ctypes
import os


class Definition(ctypes.Structure):
    """tine_definition of tine.h, without later fields: they are as if 0."""
    _fields_ = [('size', ctypes.c_size_t), ('type', ctypes.c_int32),
                ('mode', ctypes.c_int32), ('name', ctypes.c_char_p),
                ('help', ctypes.c_char_p), ('unit', ctypes.c_char_p),
                ('label_names', ctypes.POINTER(ctypes.c_char_p)),
                ('label_count', ctypes.c_size_t),
                ('bounds', ctypes.POINTER(ctypes.c_double)),
                ('bound_count', ctypes.c_size_t)]


COUNTER, HISTOGRAM = 1, 5  # TINE_COUNTER, TINE_HISTOGRAM
tine = ctypes.CDLL(os.environ.get('TINE_LIBRARY', 'libtine.so.0'))
tine.tine_counter_add.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
tine.tine_histogram_observe.argtypes = [ctypes.c_void_p, ctypes.c_double]


def strings(*texts):
    return (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))


def family(kind, name, help_text, *label_names):
    definition = Definition(
        size=ctypes.sizeof(Definition), type=kind, name=name.encode(),
        help=help_text.encode(), label_names=strings(*label_names),
        label_count=len(label_names))
    made, why = ctypes.c_void_p(), ctypes.create_string_buffer(256)
    if tine.tine_register(ctypes.byref(definition), ctypes.byref(made), why, 256):
        raise ValueError(why.value.decode())
    return made


def series(of, *values):
    found = ctypes.c_void_p()
    tine.tine_get_series(of, strings(*values), ctypes.c_size_t(len(values)),
                         ctypes.byref(found))
    return found  # keep it; counting on it is safe whatever happened


jobs = family(COUNTER, 'jobs_total', 'Jobs done.', 'queue')
seconds = series(family(HISTOGRAM, 'job_seconds', 'Time of a job.'))
mail = series(jobs, 'mail')
for _ in range(3):
    if os.fork() == 0:
        for number in range(10):
            tine.tine_counter_add(mail, 1)
            tine.tine_histogram_observe(seconds, number / 100)
        os._exit(0)
for _ in range(3):
    os.wait()
