"""Every function with NULL, garbage, a wrong handle, and after tine_shutdown().

All of it through libtine.so in a process of its own, where a crash is seen.
"""

import ctypes
import os
import random
import sys
import unittest

from tests.testing import outcome_lines, programs
from tests.writer.c import tine_header

OK, SHUT_DOWN, NULL_ARGUMENT, WRONG_TYPE = 0, 12, 64, 68
HUGE = 2 ** 64 - 1
TYPES = {'counter': 1, 'double_counter': 2, 'up_down_counter': 3, 'gauge': 4,
         'histogram': 5, 'summary': 6, 'state_set': 7}
INFO = 8
# These answer at any time, and with no error code.
CONSTANT = {'tine_version', 'tine_has_feature', 'tine_error_name'}
RANDOM_CALLS = 20_000


class Definition(ctypes.Structure):
    _fields_ = [('size', ctypes.c_size_t), ('type', ctypes.c_int32),
                ('mode', ctypes.c_int32), ('name', ctypes.c_char_p),
                ('help', ctypes.c_char_p), ('unit', ctypes.c_char_p),
                ('label_names', ctypes.POINTER(ctypes.c_char_p)),
                ('label_count', ctypes.c_size_t),
                ('bounds', ctypes.POINTER(ctypes.c_double)),
                ('bound_count', ctypes.c_size_t),
                ('state_names', ctypes.POINTER(ctypes.c_char_p)),
                ('state_count', ctypes.c_size_t),
                ('time_to_live_ms', ctypes.c_int64),
                ('max_series', ctypes.c_uint32), ('reserved', ctypes.c_uint32)]


class Options(ctypes.Structure):
    _fields_ = [('size', ctypes.c_size_t), ('directory', ctypes.c_char_p),
                ('process_labels', ctypes.c_void_p),
                ('process_label_count', ctypes.c_size_t),
                ('worker_id', ctypes.c_char_p), ('log', ctypes.c_int32),
                ('store', ctypes.c_int32)]


def strings(*texts):
    """An array of strings for C."""
    return (ctypes.c_char_p * len(texts))(*texts)


def size_t(number):
    return ctypes.c_size_t(number)


class Cases:
    """Arguments for every function: such that work, and such that do not."""

    def __init__(self):
        self.library = ctypes.CDLL(tine_header.LIBRARY)
        self.no_label = strings(None, None)
        self.message = ctypes.create_string_buffer(256)
        self.to_message = (self.message, size_t(256))
        self.series = {name: self.single(name) for name in TYPES}
        family = ctypes.c_void_p()
        labels = strings(b'l')
        definition = self.definition('counter', b'labelled_total',
                                     label_names=labels, label_count=1)
        assert self.library.tine_register(
            ctypes.byref(definition), ctypes.byref(family), None, 0) == OK
        self.family = family
        definition = self.definition('counter', b'n_info', type=INFO,
                                     label_names=labels, label_count=1)
        self.info = ctypes.c_void_p()
        assert self.library.tine_register(
            ctypes.byref(definition), ctypes.byref(self.info), None, 0) == OK
        self.status = ctypes.create_string_buffer(8192)
        ctypes.cast(self.status, ctypes.POINTER(ctypes.c_size_t))[0] = 8192

    @staticmethod
    def definition(kind, name, **more):
        fields = {'size': ctypes.sizeof(Definition), 'type': TYPES[kind],
                  'mode': 0, 'name': name}
        if kind in ('gauge', 'up_down_counter', 'state_set'):
            fields['mode'] = 3
        if kind == 'state_set':
            fields.update(state_names=strings(b'on', b'off'), state_count=2)
        fields.update(more)
        return Definition(**fields)

    def single(self, kind):
        series = ctypes.c_void_p()
        definition = self.definition(kind, kind.encode() + b'_total')
        error = self.library.tine_register_single(
            ctypes.byref(definition), ctypes.byref(series), *self.to_message)
        assert error == OK, self.message.value
        return series

    def working(self):
        """Maps each function to arguments that give TINE_OK (in this order)."""
        out = ctypes.byref(ctypes.c_uint64())
        second = ctypes.byref(ctypes.c_double())
        place = ctypes.byref(ctypes.c_void_p())
        definition = ctypes.byref(self.definition('counter', b'new_total'))
        value = strings(b'v')
        cases = {
            'tine_version': (), 'tine_has_feature': (b'counter',),
            'tine_error_name': (5,),
            'tine_after_fork': self.to_message,
            'tine_status': (self.status,),
            'tine_register': (definition, place, *self.to_message),
            'tine_register_single': (definition, place, *self.to_message),
            'tine_get_series': (self.family, value, size_t(1), place),
            'tine_series_status': (self.series['counter'], *self.to_message),
            'tine_remove': (self.family, value, size_t(1)),
            'tine_clear': (self.family,),
            'tine_info_set': (self.info, value, size_t(1)),
            'tine_state_set_set': (self.series['state_set'],
                                   ctypes.c_uint32(1), ctypes.c_int32(1)),
            'tine_state_set_set_only': (self.series['state_set'],
                                        ctypes.c_uint32(1)),
            'tine_state_set_value': (self.series['state_set'],
                                     ctypes.c_uint32(1), out),
            'tine_gauge_set': (self.series['gauge'], ctypes.c_double(1)),
            'tine_gauge_add': (self.series['gauge'], ctypes.c_double(1)),
            'tine_gauge_set_to_current_time': (self.series['gauge'],),
            'tine_seal': (),
            'tine_shutdown': (),
        }
        for kind in TYPES:
            number = {'counter': ctypes.c_uint64(1),
                      'up_down_counter': ctypes.c_int64(-1)}.get(
                          kind, ctypes.c_double(1))
            series = self.series[kind]
            if kind == 'state_set':
                continue
            if kind in ('histogram', 'summary'):
                cases['tine_%s_observe' % kind] = (series, number)
                cases['tine_%s_value' % kind] = (series, out, second)
            else:
                cases['tine_%s_add' % kind] = (series, number)
                cases['tine_%s_value' % kind] = (series, out)
        last = {name: cases.pop(name) for name in ('tine_seal', 'tine_shutdown')}
        # tine_init() is too late here: metrics have made the file.
        return {**cases, **last}

    def broken(self):
        """Maps each function to arguments, none of which may do anything."""
        place = ctypes.byref(ctypes.c_void_p())
        value = strings(b'v')
        cases = {name: [] for name in self.working()}
        cases['tine_init'] = [
            (ctypes.byref(options), *self.to_message) for options in (
                Options(size=0), Options(size=HUGE),
                Options(size=ctypes.sizeof(Options), log=-1),
                Options(size=ctypes.sizeof(Options), log=99),
                Options(size=ctypes.sizeof(Options), store=-1),
                Options(size=ctypes.sizeof(Options), store=5),
                Options(size=ctypes.sizeof(Options), process_label_count=3),
                Options(size=ctypes.sizeof(Options), process_label_count=HUGE,
                        process_labels=ctypes.addressof(self.no_label)),
                Options(size=ctypes.sizeof(Options), process_label_count=1,
                        process_labels=ctypes.addressof(self.no_label)),
                Options(size=ctypes.sizeof(Options)))]
        definitions = [None] + [
            ctypes.byref(self.definition('gauge', **{'name': b'n',
                                                     field: number}))
            for field, numbers in {
                'size': (0, 1, 71, 4097, HUGE),
                'type': (-1, 0, 99, 2 ** 31 - 1, -2 ** 31),
                'mode': (-1, 0, 11, 256, -2 ** 31),
                'label_count': (1, 65, HUGE), 'bound_count': (1, 512, HUGE),
                'name': (None, b'', b'1n', b'\xff', b'n' * 2000),
                'state_count': (1, 65, HUGE), 'time_to_live_ms': (-1, -2 ** 63),
                'reserved': (1,), 'help': (b'\xff',), 'unit': (b'\xff', b'seconds'),
            }.items() for number in numbers]
        definitions += [ctypes.byref(self.definition(
            'counter', b'n', label_names=strings(*labels),
            label_count=len(labels)))
            for labels in ((None,), (b'le',), (b'a', b'a'), (b'\xff',))]
        definitions += [ctypes.byref(self.definition(
            'state_set', b'n', state_names=strings(*states),
            state_count=len(states)))
            for states in ((), (None,), (b'',), (b'a', b'a'), (b'\xff',))]
        definitions += [ctypes.byref(self.definition('gauge', b'n', type=INFO)),
                        ctypes.byref(self.definition('state_set', b'n', mode=5))]
        bounds = (ctypes.c_double * 2)(2, 1)
        definitions.append(ctypes.byref(self.definition(
            'histogram', b'n', bounds=bounds, bound_count=2)))
        for name in ('tine_register', 'tine_register_single'):
            cases[name] = [(it, place, *self.to_message) for it in definitions]
            cases[name] += [(None, None, None, size_t(HUGE)),
                            (None, place, self.message, size_t(0))]
        family, cut = self.family, strings(None)
        cases['tine_get_series'] = [
            (None, value, size_t(1), place), (family, value, size_t(1), None),
            (family, None, size_t(1), place), (family, cut, size_t(1), place),
            (family, value, size_t(0), place),
            (family, value, size_t(HUGE), place)]
        cases['tine_remove'] = [
            (None, value, size_t(1)), (family, None, size_t(1)),
            (family, cut, size_t(1)), (family, value, size_t(2)),
            (family, value, size_t(HUGE)),
            (family, strings(b'never seen'), size_t(1))]
        cases['tine_clear'] = [(None,)]
        cases['tine_info_set'] = [
            (None, value, size_t(1)), (self.family, value, size_t(1)),
            (self.info, None, size_t(1)), (self.info, cut, size_t(1)),
            (self.info, value, size_t(0)), (self.info, value, size_t(HUGE))]
        cases['tine_series_status'] = [(None, *self.to_message)]
        small = ctypes.create_string_buffer(8192)
        cases['tine_status'] = [(None,), (small,)]
        for name, arguments in self.working().items():
            kind = name[len('tine_'):].rpartition('_')[0]
            for longer in ('gauge', 'state_set'):
                if name.startswith('tine_%s_' % longer):
                    kind = longer
            if kind not in TYPES:
                continue
            for other in [None] + [self.series[it] for it in TYPES if it != kind]:
                cases[name].append((other, *arguments[1:]))
            if name.endswith('_value'):
                for i in range(2 if kind == 'state_set' else 1, len(arguments)):
                    cases[name].append((*arguments[:i], None,
                                        *arguments[i + 1:]))
            elif kind in ('double_counter', 'histogram', 'summary'):
                cases[name].append((arguments[0], ctypes.c_double(float('nan'))))
        for name in ('tine_state_set_set', 'tine_state_set_set_only',
                     'tine_state_set_value'):
            arguments = self.working()[name]
            cases[name] += [(arguments[0], ctypes.c_uint32(it), *arguments[2:])
                            for it in (2, 63, 64, 2 ** 32 - 1)]
        cases['tine_double_counter_add'] += [
            (self.series['double_counter'], ctypes.c_double(it))
            for it in (-1, float('inf'))]
        return cases

    def call(self, name, arguments):
        function = getattr(self.library, name)
        if name in ('tine_version', 'tine_error_name'):
            function.restype = ctypes.c_char_p
        return function(*arguments)


def check_errors():
    cases = Cases()
    for name, calls in cases.broken().items():
        for arguments in calls:
            error = cases.call(name, arguments)
            assert error != OK, (name, arguments)
            assert cases.call('tine_error_name', (error,)) != b'TINE_ERROR_UNKNOWN'
    assert cases.call('tine_has_feature', (None,)) == 0
    for number in (-1, 15, 63, 71, 2 ** 31 - 1, -2 ** 31):
        assert cases.call('tine_error_name', (number,)) == b'TINE_ERROR_UNKNOWN'
    for kind in TYPES:
        other = cases.series['summary' if kind == 'counter' else 'counter']
        verb = {'histogram': 'observe', 'summary': 'observe',
                'state_set': 'set'}.get(kind, 'add')
        name = 'tine_%s_%s' % (kind, verb)
        arguments = cases.working()[name]
        assert cases.call(name, (other, *arguments[1:])) == WRONG_TYPE, name
        assert cases.call(name, (None, *arguments[1:])) == NULL_ARGUMENT, name
    for name, arguments in cases.working().items():
        if name not in CONSTANT:
            assert cases.call(name, arguments) == OK, name


def check_shut_down():
    cases = Cases()
    assert cases.library.tine_shutdown() == OK
    working = cases.working()
    working['tine_init'] = (None, *cases.to_message)
    for name, arguments in working.items():
        if name not in CONSTANT:
            error = cases.call(name, arguments)
            assert error == SHUT_DOWN, (name, error)
    for name, calls in cases.broken().items():
        for arguments in calls:
            error = cases.call(name, arguments)
            assert error != OK, (name, arguments)


def check_random():
    """Arguments of all kinds at all places of pointers and numbers."""
    cases = Cases()
    chooser = random.Random(int(os.environ.get('TINE_SEED', '1')))
    names = [name for name in cases.working()
             if name not in CONSTANT | {'tine_seal', 'tine_shutdown'}]
    calls = {name: [cases.working()[name], *cases.broken()[name]]
             for name in names}
    for _ in range(RANDOM_CALLS):
        name = chooser.choice(names)
        one, other = chooser.choice(calls[name]), chooser.choice(calls[name])
        cases.call(name, tuple(chooser.choice(pair) for pair in zip(one, other)))


CHECKS = {check.__name__: check for check in (
    check_errors, check_shut_down, check_random)}


class NonsenseTest(unittest.TestCase):
    def setUp(self):
        if programs.is_sanitized(tine_header.LIBRARY):
            self.skipTest('python3 does not load a sanitized library')

    def run_check(self, check):
        directory = programs.metrics_directory(self)
        result = programs.run(
            '/usr/bin/python3', '-B', *sys.argv[:1], check.__name__,
            env={**os.environ, 'TINE_DIR': directory, 'TINE_LOG': 'off'},
            timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_every_exported_function_has_a_case(self):
        functions = tine_header.exported_functions()
        self.assertGreater(len(functions), 20)
        directory = programs.metrics_directory(self)
        result = programs.run(
            '/usr/bin/python3', '-B', *sys.argv[:1], 'print_names',
            env={**os.environ, 'TINE_DIR': directory, 'TINE_LOG': 'off'})
        self.assertEqual(result.stdout.split(), functions, result.stderr)

    def test_null_and_garbage_are_errors(self):
        self.run_check(check_errors)

    def test_after_shutdown_everything_is_an_error(self):
        self.run_check(check_shut_down)

    def test_random_mixtures_crash_nothing(self):
        self.run_check(check_random)


def print_names():
    print('\n'.join(sorted(Cases().broken())))


if __name__ == '__main__':
    if len(sys.argv) == 2 and sys.argv[1] in CHECKS:
        CHECKS[sys.argv[1]]()
    elif sys.argv[1:] == ['print_names']:
        print_names()
    else:
        outcome_lines.main()
