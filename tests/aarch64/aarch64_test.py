"""The writer on aarch64: what its hot path compiles to, and what it counts.

Cross-compiled with Debian's compiler, run under qemu-user, read by this
machine's collector: the files are the same everywhere.
"""

import os
import re
import shutil
import subprocess
import unittest

from tests.testing import outcome_lines
from tests.testing import programs

PROGRAM = 'tests/aarch64/counting_program'
ARCHIVE = 'tests/writer/libhot_path_functions.a'
OBJDUMP = '/usr/bin/aarch64-linux-gnu-objdump'
QEMU = '/usr/bin/qemu-aarch64'
SYSTEM = '/usr/aarch64-linux-gnu'
UNIT_TESTS = (
    'tests/common/checksum_test',
    'tests/common/exact_sum_test',
    'tests/common/record_codec_test',
    'tests/common/record_layout_test',
    'tests/writer/instruments_test',
    'tests/writer/registration_test',
)
TIMEOUT_S = 120

FUNCTION = re.compile(r'^[0-9a-f]+ <(\w+)>:$')
INSTRUCTION = re.compile(r'^ +[0-9a-f]+:\t(.+)$')
RELOCATION = re.compile(r'^\t+[0-9a-f]+: R_\w+\t(\S+?)([-+]0x[0-9a-f]+)?$')

# Where only cold code may go.
SLOW_PATHS = ('AddU64Slow', 'AddF64Slow', 'ObserveSlow', 'SetSlow',
              'CountDroppedObservation', 'StoreWithTime')
# The search in more than 24 bounds, out of line.
ALLOWED_CALLS = {'TineTestHistogram': ('BucketOfMany',)}
# An instruction that adds to memory, or an exclusive pair that is tried again.
ATOMIC_ADDS = ('ldadd', 'stadd', 'stxr')
PLAIN_STORES = ('str', 'stur', 'stp')


def disassembly():
    """Maps each function to its instructions, [text, relocation symbol]."""
    text = subprocess.run(
        [OBJDUMP, '-d', '-r', '--no-show-raw-insn', ARCHIVE], check=True,
        stdout=subprocess.PIPE, universal_newlines=True).stdout
    functions = {}
    current = None
    for line in text.splitlines():
        function = FUNCTION.match(line)
        instruction = INSTRUCTION.match(line)
        relocation = RELOCATION.match(line)
        if function:
            current = functions.setdefault(function.group(1), [])
        elif instruction and current is not None:
            current.append([instruction.group(1).strip(), ''])
        elif relocation and current:
            current[-1][1] = relocation.group(1)
    return functions


def words(instructions):
    return [text.split()[0] for text, _ in instructions]


def faults(name, instructions):
    """Everything that a hot path may not hold."""
    found = []
    for text, symbol in instructions:
        word = text.split()[0]
        if word in ('bl', 'blr'):
            allowed = ALLOWED_CALLS.get(name, ())
            if not any(part in symbol for part in allowed):
                found.append('calls %s' % (symbol or text))
        elif word in ('svc', 'dmb', 'dsb'):
            found.append(text)
        elif word == 'b' and symbol and not any(
                part in symbol for part in SLOW_PATHS):
            found.append('jumps to %s' % symbol)
    return found


class Aarch64Test(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        for needed, what in ((ARCHIVE, 'what g++-aarch64-linux-gnu builds'),
                             (OBJDUMP, 'g++-aarch64-linux-gnu'),
                             (QEMU, 'qemu-user')):
            if not os.path.exists(needed):
                self.skipTest('%s is not there; tools/install_packages test '
                              'installs the packages' % what)


class HotPathTest(Aarch64Test):

    def setUp(self):
        super().setUp()
        self.functions = disassembly()

    def test_no_instrument_calls_or_waits(self):
        self.assertEqual(len(self.functions), 8, self.functions.keys())
        for name, instructions in self.functions.items():
            if name != 'TineTestSharedAdd':
                self.assertEqual(faults(name, instructions), [], name)

    def test_the_search_for_faults_finds_one(self):
        self.assertNotEqual(
            faults('TineTestSharedAdd', self.functions['TineTestSharedAdd']),
            [])

    def test_counts_are_added_and_never_just_stored(self):
        for name in ('TineTestCounter', 'TineTestCounterBy',
                     'TineTestDoubleCounter', 'TineTestUpDownCounter'):
            used = words(self.functions[name])
            adds = [word for word in used if word.startswith(ATOMIC_ADDS)]
            self.assertEqual(len(adds), 1, name)
            self.assertFalse(set(used) & set(PLAIN_STORES), name)

    def test_counter_is_a_handful_of_instructions(self):
        used = words(self.functions['TineTestCounter'])
        self.assertLessEqual(used.index('ret') + 1, 20)


class CountingTest(Aarch64Test):

    def once(self, directory):
        """What this machine's collector serves: a number for each sample."""
        collector = programs.run('collector/tine-collector', '--once',
                                 '--dir=' + directory, timeout=TIMEOUT_S)
        self.assertEqual(collector.returncode, 0, collector.stderr)
        samples = {}
        for line in collector.stdout.splitlines():
            if not line.startswith(('#', 'tine_')):
                name, _, number = line.rpartition(' ')
                samples[name] = float(number)
        return samples

    def test_every_count_is_served(self):
        directory = programs.metrics_directory(self)
        self.assertIsNotNone(shutil.which(QEMU))
        process = programs.start(
            self, QEMU, PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={'TINE_DIR': directory})
        signals = int(process.stdout.readline())
        print('%d signals' % signals)
        count = 200000 + 2 * 10000 + signals
        expected = {
            'whole_total': count,
            'halves_total': count / 2,
            'net': -7,
            'living': 0.1,
            'last': 1e-300,
            'seconds_bucket{le="0.5"}': 2,
            'seconds_bucket{le="1"}': 3,
            'seconds_bucket{le="+Inf"}': 4,
            'seconds_count': 4,
            'seconds_sum': 4.5,
            'bytes_count': 4,
            'bytes_sum': 4.5,
            'labelled_total{name="kept"}': 3,
            # Until a fold.
            'labelled_total{name="gone"}': 4,
        }
        self.assertEqual(self.once(directory), expected)
        process.stdin.close()
        self.assertEqual(process.wait(timeout=TIMEOUT_S), 0)
        del expected['living']  # its lock is seen here, and that it is gone
        self.assertEqual(self.once(directory), expected)


class UnitTest(Aarch64Test):

    def test_unit_tests_pass(self):
        for program in UNIT_TESTS:
            # (Bazel's environment is about this test, not about those.)
            run = programs.run(QEMU, '-L', SYSTEM, program, timeout=TIMEOUT_S,
                               env={})
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertRegex(run.stdout, r'\[  PASSED  \] [1-9]')


if __name__ == '__main__':
    os.environ['LC_ALL'] = 'C'
    outcome_lines.main()
