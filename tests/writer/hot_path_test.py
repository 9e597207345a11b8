"""What the hot path compiles to: no call, no lock prefix, no system call.

Looks at the disassembly of hot_path_functions.cc. From a function's entry to its
return, slow paths may be reached by a jump only, which leaves the function for
good; so the fast path makes no call, saves nothing and waits for nobody.
"""

import os
import platform
import re
import subprocess
import unittest

from tests.testing import outcome_lines

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
ARCHIVE = os.path.join(ROOT, 'tests', 'writer', 'libhot_path_functions.a')

FUNCTION = re.compile(r'^[0-9a-f]+ <(\w+)>:$')
INSTRUCTION = re.compile(r'^ +[0-9a-f]+:\t(.+)$')
RELOCATION = re.compile(r'^\t+[0-9a-f]+: R_\w+\t(\S+?)([-+]0x[0-9a-f]+)?$')

# Where only cold code may go.
SLOW_PATHS = ('AddU64Slow', 'AddF64Slow', 'ObserveSlow', 'SetSlow',
              'CountDroppedObservation', 'StoreWithTimes')
# The search in more than 24 bounds, out of line.
ALLOWED_CALLS = {'TineTestHistogram': ('BucketOfMany',)}


def disassembly():
    """Maps each function to its instructions, (text, relocation symbol)."""
    text = subprocess.run(
        ['objdump', '-d', '-r', '--no-show-raw-insn', ARCHIVE], check=True,
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
            current.append((instruction.group(1).strip(), ''))
        elif relocation and current:
            current[-1] = (current[-1][0], relocation.group(1))
    return functions


def faults(name, instructions):
    """Everything that a hot path may not hold."""
    found = []
    for text, symbol in instructions:
        word = text.split()[0]
        if word == 'call':
            allowed = ALLOWED_CALLS.get(name, ())
            if not any(part in symbol for part in allowed):
                found.append('calls %s' % symbol)
        elif word.startswith('lock') or (word == 'xchg' and '(' in text):
            found.append('locks the bus: %s' % text)
        elif word in ('syscall', 'int', 'sysenter', 'mfence'):
            found.append(text)
        elif word.startswith('j') and symbol and not any(
                part in symbol for part in SLOW_PATHS):
            found.append('jumps to %s' % symbol)
    return found


class HotPathTest(unittest.TestCase):

    def setUp(self):
        if platform.machine() != 'x86_64':
            self.skipTest('reads x86-64 code, not ' + platform.machine())
        self.functions = disassembly()
        symbols = {symbol for instructions in self.functions.values()
                   for _, symbol in instructions}
        if any('san_' in symbol for symbol in symbols):
            self.skipTest('a sanitizer is in the code')

    def test_every_instrument_has_a_hot_path_without_faults(self):
        self.assertEqual(
            set(self.functions),
            {'TineTestCounter', 'TineTestCounterBy', 'TineTestDoubleCounter',
             'TineTestGaugeSet', 'TineTestHistogram', 'TineTestSummary',
             'TineTestUpDownCounter', 'TineTestSharedAdd'})
        for name, instructions in self.functions.items():
            if name != 'TineTestSharedAdd':
                self.assertEqual(faults(name, instructions), [], name)

    def test_the_search_for_faults_finds_one(self):
        self.assertNotEqual(
            faults('TineTestSharedAdd', self.functions['TineTestSharedAdd']),
            [])

    def test_whole_numbers_are_added_in_one_instruction(self):
        for name in ('TineTestCounter', 'TineTestCounterBy',
                     'TineTestUpDownCounter'):
            adds = [text for text, _ in self.functions[name]
                    if re.match(r'addq? .*\(%r\w+,%r\w+,8\)$', text)]
            self.assertEqual(len(adds), 1, name)

    def test_counter_is_a_handful_of_instructions(self):
        texts = [text for text, _ in self.functions['TineTestCounter']]
        self.assertLessEqual(texts.index('ret') + 1, 12)

    def test_thread_table_is_found_without_a_call(self):
        symbols = [symbol for _, symbol in self.functions['TineTestCounter']]
        self.assertTrue(any('t_thread_table' in symbol for symbol in symbols))
        for instructions in self.functions.values():
            for _, symbol in instructions:
                self.assertNotIn('__tls_get_addr', symbol)


if __name__ == '__main__':
    os.environ['LC_ALL'] = 'C'
    outcome_lines.main()
